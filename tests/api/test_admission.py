"""Who may come in, with a load that says what the test wants."""

from dataclasses import dataclass, field

import pytest

from asr_server.api.admission import Admission
from asr_server.api.limits import Limits
from asr_server.errors import NotServing, Overloaded
from tests.fake_clock import FakeClock


@dataclass
class FakeLoad:
    """Fits one more until it is told otherwise; keeps what it is told."""

    fits: bool = True
    retry_s: float = 7.0
    told: list[str] = field(default_factory=list)

    def opened(self, now_s: float) -> None:
        self.told.append(f"opened at {now_s:g}")

    def closed(self, lasted_s: float | None, now_s: float) -> None:
        self.told.append(f"closed at {now_s:g}" + ("" if lasted_s is None else f" after {lasted_s:g} s"))

    def fits_one_more(self, now_s: float) -> bool:
        self.told.append(f"asked at {now_s:g}")
        return self.fits

    def refused(self, now_s: float) -> float:
        self.told.append(f"refused at {now_s:g}")
        return self.retry_s


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(100.0)


@pytest.fixture
def load() -> FakeLoad:
    return FakeLoad()


def opened(load: FakeLoad | None, clock: FakeClock, max_sessions: int = 2, max_files: int = 2) -> Admission:
    admission = Admission(Limits(max_sessions=max_sessions, max_files=max_files, retry_after_s=2.5), clock)
    admission.open(load)
    return admission


def refusal(admission: Admission) -> Overloaded:
    with pytest.raises(Overloaded) as caught, admission.enter():
        pass
    return caught.value


def test_nobody_comes_in_before_it_is_opened_or_after_it_is_closed(clock: FakeClock) -> None:
    admission = Admission(Limits(), clock)
    with pytest.raises(NotServing, match="the server is loading its model"), admission.enter():
        pass
    admission.open()
    with admission.enter():
        admission.close("the server is stopping")
        with pytest.raises(NotServing, match="the server is stopping"), admission.enter():
            pass
        assert admission.active == 1, "those inside are left alone"


def test_the_load_is_told_of_every_session_and_how_long_it_lasted(load: FakeLoad, clock: FakeClock) -> None:
    admission = opened(load, clock)
    with admission.enter() as first:
        admission.begun(first)
        clock.advance_ms(1_500)
        with admission.enter() as second:
            admission.begun(second)
            clock.advance_ms(500)
    assert load.told == [
        "asked at 100",
        "opened at 100",
        "asked at 101.5",
        "opened at 101.5",
        "closed at 102 after 0.5 s",
        "closed at 102 after 2 s",
    ]


def test_a_session_that_fails_has_left_all_the_same(load: FakeLoad, clock: FakeClock) -> None:
    admission = opened(load, clock)
    with pytest.raises(RuntimeError, match="broken"), admission.enter():
        raise RuntimeError("broken")
    assert (admission.active, load.told[-1]) == (0, "closed at 100")


def test_a_session_that_never_began_has_not_lasted(load: FakeLoad, clock: FakeClock) -> None:
    admission = opened(load, clock)
    with admission.enter():
        clock.now_s = 103.0
    assert (admission.active, load.told[-1]) == (0, "closed at 103")


def test_one_more_than_the_recogniser_has_time_for_is_told_so_and_when_to_come_back(load: FakeLoad, clock: FakeClock) -> None:
    admission = opened(load, clock)
    load.retry_s = 3.4567
    with admission.enter():
        load.fits = False
        refused = refusal(admission)
    assert str(refused) == "the recogniser has no time for more than the 1 sessions inside; try again in 3.5 s"
    assert refused.retry_after_s == 3.5


def test_a_refused_session_leaves_no_trace(load: FakeLoad, clock: FakeClock) -> None:
    admission = opened(load, clock)
    load.fits = False
    refusal(admission)
    assert (admission.active, load.told) == (0, ["asked at 100", "refused at 100"])


def test_one_more_than_the_limit_is_told_how_many_there_are_and_when_the_load_has_room(load: FakeLoad, clock: FakeClock) -> None:
    admission = opened(load, clock, max_sessions=1)
    with admission.enter():
        refused = refusal(admission)
    assert str(refused) == "all 1 sessions are taken; try again in 7 s"
    assert refused.retry_after_s == 7


def test_without_a_load_the_number_of_sessions_alone_decides(clock: FakeClock) -> None:
    admission = opened(None, clock, max_sessions=1)
    with admission.enter():
        assert refusal(admission).retry_after_s == 2.5
    with admission.enter() as number:
        assert number == 2


def test_a_file_does_not_ask_the_load_and_is_not_counted_in_it(load: FakeLoad, clock: FakeClock) -> None:
    admission = opened(load, clock)
    load.fits = False
    with admission.enter_file():
        assert admission.active == 1
    assert load.told == []


def test_files_and_those_who_speak_take_no_places_from_each_other(load: FakeLoad, clock: FakeClock) -> None:
    admission = opened(load, clock, max_sessions=1, max_files=1)
    with admission.enter_file(), admission.enter():
        assert admission.active == 2
        with pytest.raises(Overloaded, match="1 files are being recognised, the most accepted"), admission.enter_file():
            pass
        assert str(refusal(admission)).startswith("all 1 sessions are taken")
    with admission.enter_file(), admission.enter():
        pass


def test_when_a_file_may_come_back_is_told_by_how_long_files_take(clock: FakeClock) -> None:
    admission = opened(None, clock, max_files=2)

    def refused_after_s() -> float:
        with admission.enter_file(), admission.enter_file(), pytest.raises(Overloaded) as caught, admission.enter_file():
            pass
        return caught.value.retry_after_s

    def last(seconds: float, times: int = 1) -> None:
        for _ in range(times):
            with admission.enter_file() as number:
                admission.begun(number)
                clock.advance_ms(seconds * 1000)

    assert refused_after_s() == 2.5
    last(20.0)
    assert refused_after_s() == 10.0
    last(1.0, times=200)
    assert refused_after_s() == 2.5
    last(600.0, times=20)
    assert refused_after_s() == 30.0
    with pytest.raises(RuntimeError), admission.enter_file():
        raise RuntimeError("broken")
    assert admission.active == 0


def test_every_session_has_a_number_of_its_own(load: FakeLoad, clock: FakeClock) -> None:
    admission = opened(load, clock)
    with admission.enter() as one, admission.enter_file() as other:
        assert one != other
