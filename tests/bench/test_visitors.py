"""Each caller that misbehaves, against servers that behave and that do not."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from asr_server.accuracy.manifest import Clip
from asr_server.api.client import Control
from asr_server.api.clip import Clip as Audio
from asr_server.api.options import StreamOptions
from asr_server.api.results import Heard, Result
from asr_server.errors import CallFailed, RequestRefused, SpeechError
from bench.speech_end import SpeechEnd
from bench.streams import Part
from bench.visitors import CUT_S, Visit, cancelled, garbage, half_closed, unary, visit

RATE_HZ = 8_000
PART = Part(Clip("a", Path("a.wav"), "hello"), Audio(bytes(2 * RATE_HZ * 2), RATE_HZ, 1), SpeechEnd(2.0, "words"))
NOISE = np.random.default_rng(0)
BROKEN = CallFailed("INTERNAL", "broken")


class FakeHost:
    """Reads a stream to its end. `refuses`: what it says to each call; `ends_early`: it closes streams at once."""

    def __init__(self, refuses: SpeechError | None = None, *, ends_early: bool = False) -> None:
        self._refuses = refuses
        self._ends_early = ends_early
        self.heard_bytes = 0
        self.whole = False

    async def stream(self, audio: AsyncIterator[bytes | Control], options: StreamOptions | None = None) -> AsyncGenerator[Heard, None]:
        async for chunk in audio:
            assert isinstance(chunk, bytes)
            self.heard_bytes += len(chunk)
            if self._refuses is not None:
                raise self._refuses
            if self._ends_early:
                return
        self.whole = True
        answers: tuple[Heard, ...] = ()
        for answer in answers:
            yield answer

    async def recognize(self, data: bytes, options: StreamOptions | None = None) -> list[Result]:
        self.heard_bytes += len(data)
        if self._refuses is not None:
            raise self._refuses
        return []


async def test_a_call_is_dropped_after_a_second_of_speech() -> None:
    host = FakeHost()
    assert await cancelled(host, PART, NOISE) == Visit("cancelled")
    assert not host.whole
    assert 0 < host.heard_bytes <= CUT_S * PART.audio.bytes_per_second


async def test_a_stream_that_ends_by_itself_before_it_is_dropped_is_wrong() -> None:
    assert "ended the stream" in (await cancelled(FakeHost(ends_early=True), PART, NOISE)).wrong
    assert (await cancelled(FakeHost(BROKEN), PART, NOISE)).wrong == "broken"


async def test_garbage_has_to_be_refused_as_the_callers_mistake() -> None:
    assert await garbage(FakeHost(RequestRefused("INVALID_ARGUMENT", "no FLAC")), PART, NOISE) == Visit("garbage")
    assert (await garbage(FakeHost(BROKEN), PART, NOISE)).wrong == "INTERNAL broken"
    assert (await garbage(FakeHost(), PART, NOISE)).wrong == "random bytes were taken for FLAC"


async def test_a_stream_that_is_half_closed_in_the_middle_has_to_end_well() -> None:
    host = FakeHost()
    assert await half_closed(host, PART, NOISE) == Visit("half_closed")
    assert host.whole
    assert host.heard_bytes == pytest.approx(CUT_S * PART.audio.bytes_per_second, rel=0.03)
    assert (await half_closed(FakeHost(BROKEN), PART, NOISE)).wrong == "broken"


async def test_a_whole_clip_in_one_call_has_to_be_answered() -> None:
    host = FakeHost()
    assert await unary(host, PART, NOISE) == Visit("unary")
    assert host.heard_bytes == len(PART.audio.pcm)
    assert (await unary(FakeHost(BROKEN), PART, NOISE)).wrong == "broken"


async def test_the_kinds_take_turns_with_a_pause_before_each() -> None:
    visits: list[Visit] = []
    pauses: list[float] = []
    enough = asyncio.Event()

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 6:
            enough.set()
            await asyncio.Event().wait()

    host = FakeHost(RequestRefused("INVALID_ARGUMENT", "no"))
    task = asyncio.create_task(visit(host, [PART], every_s=7.0, seed=0, visited=visits.append, sleep=sleep))
    await enough.wait()
    task.cancel()
    assert [one.kind for one in visits] == ["cancelled", "garbage", "half_closed", "unary", "cancelled"]
    assert pauses == [7.0] * 6
