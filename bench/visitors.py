"""What else callers do to a server, visit after visit: leave in the middle, send what is no audio, hang up early, send a whole file."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from itertools import cycle
from typing import Literal, Protocol

import numpy as np

from asr_server.api.client import Control
from asr_server.api.options import StreamOptions
from asr_server.api.results import Heard, Result
from asr_server.errors import RequestRefused, SpeechError
from bench.pace import Microphone
from bench.streams import Part

Kind = Literal["cancelled", "garbage", "half_closed", "unary"]

CUT_S = 1.0
"""How much of a clip is said before it is cancelled or half-closed."""
GARBAGE_BYTES = 4_096


class Host(Protocol):
    """What is visited: `asr_server.api.client.Client`."""

    def stream(self, audio: AsyncIterator[bytes | Control], options: StreamOptions | None = None) -> AsyncGenerator[Heard, None]: ...

    async def recognize(self, data: bytes, options: StreamOptions | None = None) -> list[Result]: ...


@dataclass(frozen=True, slots=True)
class Visit:
    kind: Kind
    wrong: str = ""
    """What the server did that it should not have; "" when it behaved."""


async def visit(
    host: Host,
    parts: Sequence[Part],
    *,
    every_s: float,
    seed: int,
    visited: Callable[[Visit], None],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Without end: one kind after the other, `every_s` between two visits."""
    generator = np.random.default_rng(seed)
    for paid in cycle(VISITS):
        await sleep(every_s)
        part = parts[int(generator.integers(len(parts)))]
        visited(await paid(host, part, generator))


async def cancelled(host: Host, part: Part, _: np.random.Generator) -> Visit:
    """Speaks for a second, then drops the call."""
    try:
        async with aclosing(host.stream(Microphone(part.audio).chunks(), _options(part))) as stream:
            async with asyncio.timeout(CUT_S):
                async for _heard in stream:
                    pass
    except TimeoutError:
        return Visit("cancelled")
    except SpeechError as error:
        return Visit("cancelled", str(error))
    return Visit("cancelled", "the server ended the stream before it was cancelled")


async def garbage(host: Host, part: Part, generator: np.random.Generator) -> Visit:
    """Calls random bytes FLAC, which the server has to refuse as a mistake of the caller's."""

    async def noise() -> AsyncGenerator[bytes, None]:
        yield generator.bytes(GARBAGE_BYTES)

    try:
        async with aclosing(host.stream(noise(), StreamOptions(language_code=part.clip.language, encoding="FLAC"))) as stream:
            async for _heard in stream:
                pass
    except RequestRefused:
        return Visit("garbage")
    except SpeechError as error:
        return Visit("garbage", f"{error.status} {error}")
    return Visit("garbage", "random bytes were taken for FLAC")


async def half_closed(host: Host, part: Part, _: np.random.Generator) -> Visit:
    """Hangs up after a second of speech, in the middle of a word: what was said has to be finalized, and the stream to end well."""
    microphone = Microphone(part.audio)

    async def beginning() -> AsyncGenerator[bytes, None]:
        async with aclosing(microphone.chunks()) as chunks:
            async for chunk in chunks:
                yield chunk
                if microphone.sent_s >= CUT_S:
                    return

    try:
        async with aclosing(host.stream(beginning(), _options(part))) as stream:
            async for _heard in stream:
                pass
    except SpeechError as error:
        return Visit("half_closed", str(error))
    return Visit("half_closed")


async def unary(host: Host, part: Part, _: np.random.Generator) -> Visit:
    """The clip in one call."""
    try:
        await host.recognize(part.audio.pcm, _options(part))
    except SpeechError as error:
        return Visit("unary", str(error))
    return Visit("unary")


VISITS: tuple[Callable[[Host, Part, np.random.Generator], Awaitable[Visit]], ...] = (cancelled, garbage, half_closed, unary)


def _options(part: Part) -> StreamOptions:
    return StreamOptions(language_code=part.clip.language).for_clip(part.audio)
