"""What the worker's own account of its time says about room for more."""

import pytest

from asr_server.engine.capacity import Caller, LoadOptions
from asr_server.engine.cost import CostModel
from asr_server.engine.load import WorkerLoad
from asr_server.events import Purpose

# As in test_capacity: an average stream takes 0.11 of a thread.
COST = CostModel(encode_ms=0, encode_ms_per_frame=0.1, token_ms=10, beam_factor=1.0, align_ms=20)
MARGIN_MS = 1000.0


class Busy:
    """A worker's account, and the load that is told by it."""

    def __init__(self, threads: int = 1) -> None:
        self.seconds, self.loop_s = dict.fromkeys(Purpose, 0.0), 0.0
        self.load = WorkerLoad(
            Caller().busy_share(COST, MARGIN_MS), threads, lambda: self.seconds, LoadOptions(limit=0.85), lambda: self.loop_s
        )

    def run(self, purpose: Purpose, share: float, seconds: int = 100, start_s: int = 0) -> float:
        """One thread busy for such a share of each second, asked after each. Returns the time it is then."""
        for second in range(start_s, start_s + seconds):
            self.seconds[purpose] += share
            self.load.fits_one_more(second + 1.0)
        return float(start_s + seconds)


def test_a_stream_is_taken_to_need_what_an_average_caller_does_before_it_was_seen() -> None:
    busy = Busy()
    share = Caller().busy_share(COST, MARGIN_MS)
    assert share == pytest.approx(0.11)
    opened = 0
    while busy.load.fits_one_more(0.0):
        busy.load.opened(0.0)
        opened += 1
    assert opened == 7, "8 times 0.11 is more than 0.85"


@pytest.mark.parametrize("purpose", [Purpose.FINAL, Purpose.SPECULATIVE])
def test_decodes_of_finals_and_those_begun_in_pauses_count(purpose: Purpose) -> None:
    busy = Busy()
    busy.load.opened(0.0)
    now_s = busy.run(purpose, share=0.8)
    assert not busy.load.fits_one_more(now_s)


def test_partials_do_not_count() -> None:
    busy = Busy()
    busy.load.opened(0.0)
    now_s = busy.run(Purpose.PARTIAL, share=1.0)
    assert busy.load.fits_one_more(now_s)


def test_time_is_counted_once_however_often_it_is_asked_for() -> None:
    busy = Busy()
    busy.load.opened(0.0)
    busy.seconds[Purpose.FINAL] = 2.0
    for _ in range(100):
        assert busy.load.fits_one_more(10.0)


@pytest.mark.parametrize("streams", [1, 3])
@pytest.mark.parametrize("between_s", [1, 20, 300])
def test_how_long_nobody_asked_does_not_make_it_look_busier(streams: int, between_s: int) -> None:
    """The account of its time is read when somebody comes or goes, which may be minutes apart."""
    busy = Busy(threads=2)
    for _ in range(streams):
        busy.load.opened(0.0)
    for moment in range(between_s, 1_201, between_s):
        busy.seconds[Purpose.FINAL] += 0.1 * streams * between_s
        assert busy.load.fits_one_more(float(moment))


def test_two_threads_have_room_for_twice_as_much() -> None:
    one, two = Busy(threads=1), Busy(threads=2)
    for busy in (one, two):
        busy.load.opened(0.0)
        busy.run(Purpose.FINAL, share=0.8)
    assert not one.load.fits_one_more(100.0)
    assert two.load.fits_one_more(100.0)


def test_the_load_fades_once_the_decodes_have_ended() -> None:
    busy = Busy()
    busy.load.opened(0.0)
    now_s = busy.run(Purpose.FINAL, share=0.8)
    assert not busy.load.fits_one_more(now_s)
    assert busy.load.fits_one_more(now_s + 60)


def test_when_to_come_back_is_told_by_how_long_sessions_have_lasted() -> None:
    busy = Busy()
    busy.load.opened(0.0)
    busy.load.opened(0.0)
    assert busy.load.refused(0.0) == 1.0
    busy.load.closed(20.0, 20.0)
    assert busy.load.refused(20.0) == 30.0


def test_streams_that_decode_nothing_but_fill_the_event_loop_are_too_many_too() -> None:
    """A hundred that say nothing, each of which keeps the loop busy for 0.75 % of its time."""
    busy = Busy(threads=2)
    for _ in range(100):
        busy.load.opened(0.0)
    for second in range(60):
        busy.loop_s += 0.75
        last = busy.load.fits_one_more(second + 1.0)
    assert not last
    for _ in range(50):
        busy.load.closed(None, 60.0)
    for second in range(60, 120):
        busy.loop_s += 0.35
        last = busy.load.fits_one_more(second + 1.0)
    assert last
