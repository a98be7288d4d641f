"""A rush of callers in virtual time: who calls when, who tries again, and that all that count are told."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from itertools import pairwise
from pathlib import Path

import pytest

from asr_server.accuracy.manifest import Clip
from asr_server.api.client import Control
from asr_server.api.clip import Clip as Audio
from asr_server.api.options import StreamOptions
from asr_server.api.results import Heard
from asr_server.errors import CallFailed, ServerBusy
from bench.load import AFTER_FAILURE_S
from bench.rush import MOST_TRIES, PHASES, Attempt, Borders, Rush, expected_s, rush
from bench.speech_end import SpeechEnd
from bench.streams import Part
from tests.bench.fake_server import RATE_HZ, final, utterance_ended
from tests.bench.virtual_time import run_in_virtual_time

CLIP_S, SILENCE_S = 2.0, 0.5
PARTS = [
    Part(Clip(name, Path("a.wav"), "hello"), Audio(bytes(int(CLIP_S * RATE_HZ) * 2), RATE_HZ, 1), SpeechEnd(CLIP_S, "words"))
    for name in "abc"
]


class Desk:
    """Has room for `most` callers, answers 300 ms after the end of speech, and ends the utterance another 200 ms later."""

    def __init__(self, now: Callable[[], float], most: int = 1000, *, retry_after_s: float | None = 1.5, fails: bool = False) -> None:
        self._now = now
        self._most = most
        self._retry_after_s = retry_after_s
        self._fails = fails
        self.open = 0
        self.opened: list[tuple[float, int]] = []
        """When, and how many there were then."""

    async def stream(self, audio: AsyncIterator[bytes | Control], options: StreamOptions | None = None) -> AsyncGenerator[Heard, None]:
        if self._fails:
            raise CallFailed("INTERNAL", "broken")
        if self.open >= self._most:
            raise ServerBusy("RESOURCE_EXHAUSTED", "no room", retry_after_s=self._retry_after_s)
        self.open += 1
        self.opened.append((self._now(), self.open))
        heard_bytes = 0
        told = False
        try:
            async for chunk in audio:
                assert isinstance(chunk, bytes)
                heard_bytes += len(chunk)
                heard_s = heard_bytes / (2 * RATE_HZ)
                if heard_s >= CLIP_S + 0.3 and not told:
                    told = True
                    yield final("hello", 0.0, CLIP_S, received_at_s=self._now())
                if heard_s >= CLIP_S + SILENCE_S:
                    yield utterance_ended(CLIP_S + SILENCE_S)
        finally:
            self.open -= 1


def rushed(
    wish: Rush, most: int = 1000, *, retry_after_s: float | None = 1.5, fails: bool = False
) -> tuple[list[Attempt], Borders, Desk, list[str]]:
    attempts: list[Attempt] = []
    entered: list[str] = []

    async def run(now: Callable[[], float]) -> tuple[Borders, Desk]:
        desk = Desk(now, most, retry_after_s=retry_after_s, fails=fails)
        borders = await rush(desk, PARTS, wish, attempted=attempts.append, entered=entered.append, now=now)
        return borders, desk

    borders, desk = run_in_virtual_time(run)
    assert desk.open == 0
    return attempts, borders, desk, entered


def begun_in(attempts: list[Attempt], span: tuple[float, float]) -> list[Attempt]:
    return [one for one in attempts if span[0] <= one.begun_s < span[1]]


def test_phases_follow_one_another_each_as_long_as_was_wished() -> None:
    _, borders, _, entered = rushed(Rush(2, 6, 20.0))
    assert entered == list(PHASES)
    assert [to_s - from_s for from_s, to_s in borders.spans] == pytest.approx([20.0] * 3, abs=0.01)


def test_the_steady_load_begins_when_every_caller_has_made_its_first_call() -> None:
    attempts, borders, _, _ = rushed(Rush(3, 3, 10.0))
    firsts = {one.caller: one.ended_s for one in reversed(attempts)}
    assert borders.steady_s == pytest.approx(max(firsts.values()))


def test_there_are_as_many_callers_as_wished_in_each_phase() -> None:
    attempts, borders, desk, _ = rushed(Rush(2, 6, 20.0))
    in_steady, in_rush, in_recovery = (begun_in(attempts, span) for span in borders.spans)
    assert {one.caller for one in in_steady} == {one.caller for one in in_recovery} == {0, 1}
    assert {one.caller for one in in_rush} == set(range(6))
    assert max(open_then for _, open_then in desk.opened) == 6


def test_every_call_that_began_in_a_phase_is_told_with_its_text() -> None:
    attempts, borders, desk, _ = rushed(Rush(2, 6, 20.0))
    counted = begun_in(attempts, (borders.steady_s, borders.ended_s))
    assert len(counted) == sum(borders.steady_s <= at_s < borders.ended_s for at_s, _ in desk.opened)
    assert {one.spoken.text for one in counted} == {"hello"}
    assert all(one.spoken.ttfs_ms == pytest.approx(300, abs=1) for one in counted)


def test_who_is_refused_tries_the_same_clip_again_after_the_time_it_was_told() -> None:
    attempts, _, _, _ = rushed(Rush(2, 6, 20.0), most=4)
    refused = [one for one in attempts if one.spoken.refused]
    assert refused
    assert all((one.number > 1) == one.was_told for one in attempts)
    by_caller = [[one for one in attempts if one.caller == caller] for caller in range(6)]
    pairs = [(one, other) for calls in by_caller for one, other in pairwise(calls) if one.spoken.refused and one.number < MOST_TRIES]
    assert pairs
    for one, other in pairs:
        assert (other.number, other.spoken.part) == (one.number + 1, one.spoken.part)
        assert other.begun_s - one.ended_s == pytest.approx(1.5, abs=0.001)
        assert other.waited_s == pytest.approx(one.waited_s + other.begun_s - one.begun_s)


def test_who_is_refused_again_and_again_gives_the_clip_up() -> None:
    attempts, _, _, _ = rushed(Rush(1, 2, 40.0), most=1, retry_after_s=0.01)
    assert max(one.number for one in attempts) == MOST_TRIES
    given_up = [one for one in attempts if one.number == MOST_TRIES and one.spoken.refused]
    assert given_up


def test_who_is_refused_without_a_time_waits_as_after_a_failure_and_was_not_told() -> None:
    attempts, _, _, _ = rushed(Rush(1, 2, 10.0), most=1, retry_after_s=None)
    assert not any(one.was_told for one in attempts)
    again = [one for one in attempts if one.number == 2]
    assert again
    assert all(one.waited_s == pytest.approx(AFTER_FAILURE_S, abs=0.001) for one in again)


def test_a_call_that_fails_is_not_tried_again_and_does_not_end_the_run() -> None:
    attempts, borders, _, _ = rushed(Rush(1, 3, 10.0), fails=True)
    assert {(one.number, one.spoken.error) for one in attempts} == {(1, "broken")}
    assert len(begun_in(attempts, borders.spans[0])) == pytest.approx(10 / AFTER_FAILURE_S, abs=1)


def test_a_rush_of_many_is_there_within_a_few_seconds_and_a_rush_of_none_is_no_rush() -> None:
    assert Rush(10, 110, 60.0).apart_s * 100 == pytest.approx(3.0)
    assert (Rush(4, 4, 60.0).extra, Rush(4, 4, 60.0).apart_s) == (0, 0.0)


def test_a_rush_says_about_how_long_it_will_take() -> None:
    _, borders, _, _ = rushed(Rush(2, 4, 20.0))
    assert borders.ended_s < expected_s(Rush(2, 4, 20.0), PARTS) < borders.ended_s + 15
