from dataclasses import replace
from pathlib import Path

import pytest

from asr_server.accuracy.manifest import Clip
from asr_server.api.client import Control
from asr_server.api.clip import Clip as Audio
from asr_server.api.results import Heard
from bench.ending import End
from bench.partials import Shown
from bench.speech_end import SpeechEnd
from bench.streams import EARLY_MS, Ask, EagerSeen, FinalSeen, Part, Spoken, speak, speak_all
from tests.bench.fake_server import RATE_HZ, FakeServer, eager, final, finalized, partial, settled, utterance_ended
from tests.fake_clock import FakeClock


def part(name: str = "a", text: str = "hello", duration_s: float = 0.1, end_s: float = 0.1) -> Part:
    return Part(Clip(name, Path("a.wav"), text), Audio(bytes(int(duration_s * RATE_HZ) * 2), RATE_HZ, 1), SpeechEnd(end_s, "words"))


PARTIALS = Ask(interim_results=True)
BEGUN_S = 1000.0
"""By the clock of `speak_by_clock`, at the call."""


async def speak_by_clock(server: FakeServer, spoken: Part, clock: FakeClock, ask: Ask = PARTIALS) -> Spoken:
    """Nothing takes time but what moves the clock."""

    async def sleep(seconds: float) -> None:
        clock.advance_ms(seconds * 1000)

    return await speak(server, spoken, ask, now=clock, sleep=sleep)


async def test_time_to_final_runs_from_the_last_speech_sample_to_the_final_in_hand() -> None:
    server = FakeServer([(0.2, final("hello", 0.0, 0.1, received_at_s=BEGUN_S + 0.7)), (0.2, utterance_ended(0.2))])
    spoken = await speak_by_clock(server, part(end_s=0.1), FakeClock(BEGUN_S))
    assert spoken.ttfs_ms == pytest.approx(600)
    assert (spoken.text, spoken.error, spoken.lost) == ("hello", "", False)


@pytest.mark.parametrize("heard_s", [0.0, 0.06])
async def test_a_server_that_takes_the_audio_late_is_late_with_the_text(heard_s: float) -> None:
    """It accepts the call, or takes what comes after the first 60 ms, only after 2 s, and then answers at once."""
    clock = FakeClock(BEGUN_S)
    server = FakeServer(
        [(0.04, partial("hel", 0.0, 0.04, received_at_s=BEGUN_S + 2.1)), (0.1, final("hello", 0.0, 0.1, received_at_s=BEGUN_S + 2.1))],
        works=lambda position_s: clock.advance_ms(2000) if position_s == heard_s else None,
    )
    spoken = await speak_by_clock(server, part(end_s=0.1), clock)
    assert spoken.ttfs_ms == pytest.approx(2000)
    assert spoken.first_text_ms == pytest.approx(2080)
    assert spoken.shown[0].lag_ms == pytest.approx(2060)
    late_ms = [lag.taken_late_ms for lag in spoken.lags]
    assert max(late_ms) == pytest.approx(1980)
    assert sum(lag.own_ms for lag in spoken.lags) == pytest.approx(0, abs=1e-6)


async def test_the_microphone_stays_open_until_the_utterance_after_the_speech_has_ended() -> None:
    server = FakeServer([(0.04, utterance_ended(0.04)), (0.2, utterance_ended(0.2))])
    await speak(server, part(), Ask())
    assert server.heard_s == [pytest.approx(0.2)]


async def test_a_call_that_fails_is_told_with_what_came_before() -> None:
    server = FakeServer([(0.02, final("hel", 0.0, 0.02))], fails=True)
    spoken = await speak(server, part(), Ask())
    assert (spoken.text, spoken.error) == ("hel", "broken")


async def test_a_call_that_is_refused_is_told_apart_from_one_that_fails() -> None:
    spoken = await speak(FakeServer(refuses=1), part(), Ask())
    assert (spoken.refused, spoken.error, spoken.lost, spoken.lags) == (True, "no room", True, ())
    assert not (await speak(FakeServer(fails=True), part(), Ask())).refused


async def test_what_was_shown_is_kept_with_when_it_came_and_how_far_behind_it_was() -> None:
    answers: list[tuple[float, Heard]] = [
        (0.06, partial("hel", 0.0, 0.04, received_at_s=BEGUN_S + 1.0)),
        (0.12, final("hello", 0.0, 0.1, received_at_s=BEGUN_S + 2.0)),
        (0.2, utterance_ended(0.2)),
    ]
    spoken = await speak_by_clock(FakeServer(answers), replace(part(), speech_start_s=0.02), FakeClock(BEGUN_S))
    assert [(text.text, text.is_final) for text in spoken.shown] == [("hel", False), ("hello", True)]
    # Speech begins with the second chunk, had at 40 ms; the partial reaches to the end of that chunk, the final three chunks further.
    assert [text.at_ms for text in spoken.shown] == pytest.approx([960, 1960])
    assert [text.lag_ms for text in spoken.shown] == pytest.approx([960, 1900])
    assert spoken.text == "hello"


async def test_eager_texts_are_no_partials_and_are_kept_with_how_many_stood() -> None:
    answers: list[tuple[float, Heard]] = [
        (0.06, partial("hel", 0.0, 0.04, received_at_s=BEGUN_S + 1.0)),
        (0.08, eager("hell", 0.0, 0.06, received_at_s=BEGUN_S + 1.2)),
        (0.1, settled("eager_withdrawn", 0.1)),
        (0.12, eager("hello", 0.0, 0.1, received_at_s=BEGUN_S + 1.5)),
        (0.14, final("hello", 0.0, 0.1, received_at_s=BEGUN_S + 2.0)),
        (0.14, settled("eager_stood", 0.1)),
        (0.2, utterance_ended(0.2)),
    ]
    server = FakeServer(answers)
    spoken = await speak_by_clock(server, part(), FakeClock(BEGUN_S), Ask(eager_results=True, preset="fast"))
    assert [text.text for text in spoken.shown] == ["hel", "hello"]
    assert [text.text for text in spoken.eager] == ["hell", "hello"]
    assert [text.held_after_ms for text in spoken.eager] == pytest.approx([1100, 1400])
    assert spoken.eager_stood == 1
    assert spoken.eager_ms == pytest.approx(1400)
    assert spoken.ttfs_ms == pytest.approx(1900)
    (asked,) = server.asked
    assert (asked.preset, asked.eager_results, asked.interim_results) == ("fast", True, False)


async def test_every_clip_is_spoken_once_and_as_many_at_a_time_as_wanted() -> None:
    server = FakeServer([(0.12, utterance_ended(0.12))])
    told: list[int] = []
    parts = [part(name) for name in "abcde"]
    results = await speak_all(server, parts, PARTIALS, streams=2, spoken=lambda: told.append(1), stagger_s=0.0)
    assert sorted(spoken.part.clip.id for spoken in results) == list("abcde")
    assert server.most_open == 2
    assert len(told) == 5


async def test_who_is_refused_takes_the_time_of_the_clip_before_the_next_one() -> None:
    """Of two streams the first is refused; while it waits, the other speaks what is left."""
    server = FakeServer([(0.02, utterance_ended(0.2))], refuses=1)
    parts = [part("refused", duration_s=0.5), part("b"), part("c"), part("d")]
    results = await speak_all(server, parts, Ask(), streams=2, spoken=lambda: None, stagger_s=0.001)
    assert [spoken.part.clip.id for spoken in results] == ["refused", "b", "c", "d"]
    assert [spoken.refused for spoken in results] == [True, False, False, False]


def seen(text: str, start_s: float, held_after_ms: float, segment: int = 0) -> FinalSeen:
    ledger = final(text, 0, 0).ledger
    assert ledger is not None
    return FinalSeen(text, start_s, start_s + 0.1, held_after_ms, ledger, segment)


def test_the_last_final_of_the_speech_counts_and_one_of_the_silence_after_it_does_not() -> None:
    finals = (seen("one", 0.0, -900.0), seen("two", 0.9, 600.0), seen("made up", 1.5, 2000.0))
    assert Spoken(part(end_s=1.0), finals, ()).ttfs_ms == 600.0


def test_a_final_just_before_the_end_of_speech_gives_a_negative_time() -> None:
    """The end is not known so well."""
    spoken = Spoken(part(end_s=1.0), (seen("one", 0.0, -EARLY_MS),), ())
    assert (spoken.ttfs_ms, spoken.early) == (-EARLY_MS, False)


def test_a_final_clearly_before_the_end_of_speech_answers_nothing() -> None:
    spoken = Spoken(part(end_s=1.0), (seen("one", 0.0, -EARLY_MS - 1),), ())
    assert (spoken.ttfs_ms, spoken.early, spoken.lost) == (None, True, False)


def test_where_the_end_of_speech_is_not_known_no_final_is_called_early() -> None:
    """Nothing stood out of the noise, and the end of the clip was taken."""
    unknown = replace(part(end_s=1.0), end=SpeechEnd(1.0, "clip"))
    assert not Spoken(unknown, (seen("one", 0.0, -900.0),), ()).early


@pytest.mark.parametrize(
    ("eager", "held_after_ms"),
    [
        ((), 600.0),
        ((EagerSeen(1, "two", 250.0),), 250.0),
        ((EagerSeen(1, "two too", 250.0),), 600.0),
        ((EagerSeen(0, "two", 250.0),), 600.0),
    ],
)
def test_an_eager_text_counts_where_it_is_the_last_final_of_speech_word_for_word(
    eager: tuple[EagerSeen, ...], held_after_ms: float
) -> None:
    finals = (seen("one", 0.0, -900.0, segment=0), seen("two", 0.9, 600.0, segment=1), seen("made up", 1.5, 2000.0, segment=2))
    assert Spoken(part(end_s=1.0), finals, (), eager=eager).eager_ms == held_after_ms


def test_where_there_is_no_time_to_final_text_there_is_none_to_an_eager_one() -> None:
    eager = (EagerSeen(0, "one", -EARLY_MS - 10),)
    assert Spoken(part(end_s=1.0), (seen("one", 0.0, -EARLY_MS - 1),), (), eager=eager).eager_ms is None
    assert Spoken(part(), (), (), eager=eager).eager_ms is None


@pytest.mark.parametrize("held_after_ms", [600.0, -600.0])
def test_where_nothing_was_said_nothing_is_timed(held_after_ms: float) -> None:
    made_up = Spoken(part(text=" "), (seen("you", 0.0, held_after_ms),), (), shown=(Shown(0, "you", 500.0, 500.0, is_final=True),))
    assert (made_up.ttfs_ms, made_up.first_text_ms, made_up.early, made_up.text) == (None, None, False, "you")


def test_words_without_a_final_are_lost_and_silence_without_one_is_right() -> None:
    assert Spoken(part(text="hello"), (), ()).lost
    assert not Spoken(part(text=" "), (), ()).lost
    assert Spoken(part(), (), ()).ttfs_ms is None


async def test_a_caller_who_finalizes_stops_at_the_end_of_speech_and_its_answer_is_timed_from_there() -> None:
    """The clip goes on for 300 ms that are not sent."""
    answers: list[tuple[float, Heard]] = [
        (9.0, final("hello", 0.0, 0.1, received_at_s=BEGUN_S + 0.35)),
        (9.0, finalized(0.1, BEGUN_S + 0.36)),
    ]
    server = FakeServer(answers)
    spoken = await speak_by_clock(server, part(duration_s=0.4, end_s=0.1), FakeClock(BEGUN_S), Ask(end=End.FINALIZE))
    assert spoken.answer_ms == pytest.approx(250)
    assert spoken.ttfs_ms == pytest.approx(250)
    assert (server.controls, server.heard_s, len(spoken.lags)) == ([Control.FINALIZE], [0.1], 5)


async def test_a_caller_who_hangs_up_stops_at_the_end_of_speech_and_its_answer_is_timed_from_there() -> None:
    server = FakeServer([(9.0, final("hello", 0.0, 0.1, received_at_s=BEGUN_S + 0.3))])
    spoken = await speak_by_clock(server, part(duration_s=0.4, end_s=0.09), FakeClock(BEGUN_S), Ask(end=End.HALF_CLOSE))
    assert spoken.answer_ms == pytest.approx(200)
    assert (server.controls, server.heard_s) == ([], [0.1])


async def test_where_all_finals_had_come_before_the_answer_is_that_there_are_no_more() -> None:
    answers: list[tuple[float, Heard]] = [
        (0.06, final("hello", 0.0, 0.05, received_at_s=BEGUN_S + 0.07)),
        (9.0, finalized(0.1, BEGUN_S + 0.12)),
    ]
    spoken = await speak_by_clock(FakeServer(answers), part(end_s=0.1), FakeClock(BEGUN_S), Ask(end=End.FINALIZE))
    assert spoken.answer_ms == pytest.approx(20)


@pytest.mark.parametrize("end", list(End))
async def test_a_call_that_fails_has_no_answer(end: End) -> None:
    spoken = await speak_by_clock(FakeServer(fails=True), part(), FakeClock(BEGUN_S), Ask(end=end))
    assert (spoken.answer_ms, spoken.error) == (None, "broken")


async def test_an_open_microphone_has_no_answer_to_time() -> None:
    server = FakeServer([(0.2, final("hello", 0.0, 0.1, received_at_s=BEGUN_S + 0.7)), (0.2, utterance_ended(0.2))])
    assert (await speak_by_clock(server, part(), FakeClock(BEGUN_S))).answer_ms is None


async def test_what_a_server_that_refuses_asks_to_wait_is_kept() -> None:
    spoken = await speak_by_clock(FakeServer(refuses=1, retry_after_s=2.5), part(), FakeClock(BEGUN_S))
    assert (spoken.refused, spoken.retry_after_s) == (True, 2.5)
