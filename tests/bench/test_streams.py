import time
from dataclasses import replace
from pathlib import Path

import pytest

from asr_server.api.clip import Clip as Audio
from asr_server.api.results import Heard
from bench.speech_end import SpeechEnd
from bench.streams import FinalSeen, Part, Spoken, speak, speak_all
from eval.manifest import Clip
from tests.bench.fake_server import RATE_HZ, FakeServer, final, partial, utterance_ended


def part(name: str = "a", text: str = "hello", duration_s: float = 0.1, end_s: float = 0.1) -> Part:
    return Part(Clip(name, Path("a.wav"), text), Audio(bytes(int(duration_s * RATE_HZ) * 2), RATE_HZ, 1), SpeechEnd(end_s, "words"))


async def test_time_to_final_runs_from_the_last_speech_sample_to_the_final_in_hand() -> None:
    """The fake stamps its final one second into the future, so the result is a second, less the time since the sample was sent."""
    server = FakeServer([(0.2, final("hello", 0.0, 0.1, received_at_s=time.monotonic() + 1.0)), (0.2, utterance_ended(0.2))])
    spoken = await speak(server, part(), interim_results=False)
    assert spoken.ttfs_ms is not None
    assert 0 < spoken.ttfs_ms < 1000
    assert (spoken.text, spoken.error, spoken.lost) == ("hello", "", False)


async def test_the_microphone_stays_open_until_the_utterance_after_the_speech_has_ended() -> None:
    server = FakeServer([(0.04, utterance_ended(0.04)), (0.2, utterance_ended(0.2))])
    await speak(server, part(), interim_results=False)
    assert server.heard_s == [pytest.approx(0.2)]


async def test_a_call_that_fails_is_told_with_what_came_before() -> None:
    server = FakeServer([(0.02, final("hel", 0.0, 0.02))], fails=True)
    spoken = await speak(server, part(), interim_results=False)
    assert (spoken.text, spoken.error) == ("hel", "broken")


async def test_a_call_that_is_refused_is_told_apart_from_one_that_fails() -> None:
    spoken = await speak(FakeServer(refuses=1), part(), interim_results=False)
    assert (spoken.refused, spoken.error, spoken.lost, spoken.lags) == (True, "no room", True, ())
    assert not (await speak(FakeServer(fails=True), part(), interim_results=False)).refused


async def test_what_was_shown_is_kept_with_when_it_came_and_how_far_behind_it_was() -> None:
    """The fake stamps its texts one and two seconds into the future."""
    now_s = time.monotonic()
    answers: list[tuple[float, Heard]] = [
        (0.06, partial("hel", 0.0, 0.04, received_at_s=now_s + 1.0)),
        (0.12, final("hello", 0.0, 0.1, received_at_s=now_s + 2.0)),
        (0.2, utterance_ended(0.2)),
    ]
    spoken = await speak(FakeServer(answers), replace(part(), speech_start_s=0.02), interim_results=True)
    assert [(text.text, text.is_final) for text in spoken.shown] == [("hel", False), ("hello", True)]
    first, last = spoken.shown
    assert last.at_ms - first.at_ms == pytest.approx(1000)
    # Speech begins with the second chunk, at 20 ms; the partial reaches to the end of that chunk, the final three chunks further.
    assert first.at_ms == pytest.approx(first.lag_ms)
    assert last.at_ms - last.lag_ms == pytest.approx(60, abs=15)
    assert spoken.text == "hello"


async def test_every_clip_is_spoken_once_and_as_many_at_a_time_as_wanted() -> None:
    server = FakeServer([(0.12, utterance_ended(0.12))])
    told: list[int] = []
    parts = [part(name) for name in "abcde"]
    results = await speak_all(server, parts, streams=2, interim_results=True, spoken=lambda: told.append(1), stagger_s=0.0)
    assert sorted(spoken.part.clip.id for spoken in results) == list("abcde")
    assert server.most_open == 2
    assert len(told) == 5


async def test_who_is_refused_takes_the_time_of_the_clip_before_the_next_one() -> None:
    """Of two streams the first is refused; while it waits, the other speaks what is left."""
    server = FakeServer([(0.02, utterance_ended(0.2))], refuses=1)
    parts = [part("refused", duration_s=0.5), part("b"), part("c"), part("d")]
    results = await speak_all(server, parts, streams=2, interim_results=False, spoken=lambda: None, stagger_s=0.001)
    assert [spoken.part.clip.id for spoken in results] == ["refused", "b", "c", "d"]
    assert [spoken.refused for spoken in results] == [True, False, False, False]


def seen(text: str, start_s: float, held_after_ms: float) -> FinalSeen:
    ledger = final(text, 0, 0).ledger
    assert ledger is not None
    return FinalSeen(text, start_s, start_s + 0.1, held_after_ms, ledger)


def test_the_last_final_of_the_speech_counts_and_one_of_the_silence_after_it_does_not() -> None:
    finals = (seen("one", 0.0, -900.0), seen("two", 0.9, 600.0), seen("made up", 1.5, 2000.0))
    assert Spoken(part(end_s=1.0), finals, ()).ttfs_ms == 600.0


def test_a_final_before_the_end_of_speech_gives_a_negative_time() -> None:
    assert Spoken(part(end_s=1.0), (seen("one", 0.0, -100.0),), ()).ttfs_ms == -100.0


def test_words_without_a_final_are_lost_and_silence_without_one_is_right() -> None:
    assert Spoken(part(text="hello"), (), ()).lost
    assert not Spoken(part(text=" "), (), ()).lost
    assert Spoken(part(), (), ()).ttfs_ms is None
