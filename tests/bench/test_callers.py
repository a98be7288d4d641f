"""Callers who stay on the line: who was let in, who was turned away and when they tried again, who was cut off."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

import pytest

from asr_server.api.client import Client, Control
from asr_server.api.limits import Limits
from asr_server.api.options import ClientOptions, StreamOptions
from asr_server.api.results import Heard
from asr_server.errors import CallFailed, ServerBusy
from bench.callers import ENDED, Caller, on_the_line
from bench.quiet import SILENT, KeepAlives, Quiet, waiting
from tests.api.harness import speech_server
from tests.bench.virtual_time import run_in_virtual_time


class Room:
    """For so many calls at a time. `full_until_s`: none before. `cuts_off_at_s`: then it breaks, or ends without an error, what is open."""

    def __init__(
        self,
        now: Callable[[], float],
        most: int = 100,
        *,
        retry_after_s: float | None = 1.0,
        full_until_s: float = 0.0,
        fails: bool = False,
        ends: bool = False,
    ) -> None:
        self._now = now
        self._most = most
        self._retry_after_s = retry_after_s
        self._full_until_s = full_until_s
        self._fails = fails
        self._ends = ends
        self.open = 0
        self.calls_s: list[float] = []

    async def stream(self, audio: AsyncIterator[bytes | Control], options: StreamOptions | None = None) -> AsyncGenerator[Heard, None]:
        self.calls_s.append(round(self._now(), 3))
        if self.open >= self._most or self._now() < self._full_until_s:
            raise ServerBusy("RESOURCE_EXHAUSTED", "no room", retry_after_s=self._retry_after_s)
        self.open += 1
        try:
            async for _message in audio:
                if self._fails:
                    raise CallFailed("INTERNAL", "broken")
                if self._ends:
                    return
        finally:
            self.open -= 1
        answers: tuple[Heard, ...] = ()
        for answer in answers:
            yield answer


def outcome(
    make: Callable[[Callable[[], float]], Room], callers: int, *, patience_s: float = 0.0, stay_s: float = 11.0
) -> tuple[dict[str, Any], Room]:
    """Of so many who call a second apart, and stay."""

    async def run(now: Callable[[], float]) -> tuple[dict[str, Any], Room]:
        room = make(now)
        everybody = [Caller(lambda: KeepAlives(now), StreamOptions(), patience_s) for _ in range(callers)]
        async with on_the_line(room, everybody, apart_s=1.0, now=now) as line:
            await asyncio.sleep(stay_s)
            told = line.as_json()
        assert room.open == 0
        return told, room

    return run_in_virtual_time(run)


def test_callers_call_one_after_another_and_all_hang_up() -> None:
    told, room = outcome(Room, 3)
    assert room.calls_s == [0.0, 1.0, 2.0]
    assert (told["opened"], told["open"], told["refused"], told["failed"], told["errors"]) == (3, 3, 0, 0, {})
    assert told["retry_after_s"] == {"told": 0, "least": None, "most": None}


def test_who_is_refused_is_told_apart_from_who_fails() -> None:
    told, _ = outcome(lambda now: Room(now, 2, retry_after_s=2.5), 5)
    assert (told["opened"], told["refused"], told["failed"], told["refusals"]) == (2, 3, 0, 3)
    assert told["retry_after_s"] == {"told": 3, "least": 2.5, "most": 2.5}


def test_a_patient_caller_tries_again_when_it_was_told_to_and_no_longer_than_its_patience() -> None:
    told, room = outcome(lambda now: Room(now, full_until_s=4.2), 1, patience_s=10.0)
    assert room.calls_s == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert (told["opened"], told["refused"], told["refusals"], told["in_after_s"]["max"]) == (1, 0, 5, 5.0)
    told, room = outcome(lambda now: Room(now, full_until_s=60.0), 1, patience_s=2.0)
    assert room.calls_s == [0.0, 1.0, 2.0]
    assert (told["opened"], told["refused"], told["refusals"]) == (0, 1, 3)


def test_who_is_not_told_when_to_try_again_does_not() -> None:
    told, room = outcome(lambda now: Room(now, 0, retry_after_s=None), 1, patience_s=60.0)
    assert (len(room.calls_s), told["refused"], told["retry_after_s"]["told"]) == (1, 1, 0)


@pytest.mark.parametrize(("made", "error"), [({"fails": True}, "broken"), ({"ends": True}, ENDED)])
def test_a_stream_that_breaks_or_that_the_server_ends_has_failed(made: dict[str, bool], error: str) -> None:
    told, _ = outcome(lambda now: Room(now, **made), 2)
    assert (told["opened"], told["open"], told["failed"], told["errors"]) == (2, 0, 2, {error: 2})


def test_what_was_sent_before_is_not_in_the_lags() -> None:
    async def run(now: Callable[[], float]) -> list[int]:
        counts = []
        async with on_the_line(Room(now), [Caller(lambda: KeepAlives(now), StreamOptions())], apart_s=0.0, now=now) as line:
            await asyncio.sleep(11.0)
            counts.append(len(line.lags))
            line.begin()
            counts.append(len(line.lags))
            await asyncio.sleep(5.0)
            counts.append(len(line.lags))
        return counts

    assert run_in_virtual_time(run) == [2, 0, 1]


def test_a_mistake_of_ours_is_raised_and_hangs_nobody() -> None:
    class Broken:
        async def stream(self, audio: AsyncIterator[bytes | Control], options: StreamOptions | None = None) -> AsyncGenerator[Heard, None]:
            raise RuntimeError("mine")
            yield

    async def run(now: Callable[[], float]) -> None:
        async with on_the_line(Broken(), [Caller(lambda: KeepAlives(now), StreamOptions())], apart_s=0.0, now=now):
            pass

    with pytest.raises(RuntimeError, match="mine"):
        run_in_virtual_time(run)


async def test_a_real_server_lets_in_as_many_as_it_has_room_for() -> None:
    options = StreamOptions(voice_activity_events=True).for_clip(SILENT)
    callers = [Caller(lambda: waiting(Quiet.SILENCE, 100), options) for _ in range(3)]
    async with (
        speech_server(limits=Limits(max_sessions=2)) as running,
        Client(running.target, options=ClientOptions(open_attempts=1)) as client,
        on_the_line(client, callers, apart_s=0.0) as line,
    ):
        told: dict[str, Any] = line.as_json()
        assert (told["opened"], told["open"], told["refused"], told["errors"]) == (2, 2, 1, {})
        assert told["retry_after_s"]["told"] == 1
