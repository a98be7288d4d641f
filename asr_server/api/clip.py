"""Audio on its way to a server: a whole clip in chunks, at the pace of a microphone or as fast as it is taken, and when what was sent."""

import asyncio
import time
from array import array
from bisect import bisect_left
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from contextlib import aclosing
from dataclasses import dataclass

import numpy as np

from audio_norm import Pcm, decode_file, resample, to_int16
from audio_norm.encoding import MAX_RATE_HZ, MIN_RATE_HZ

SAMPLE_BYTES = 2


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A whole recording as LINEAR16: `pcm` is interleaved little-endian int16, `rate_hz` what the wire takes."""

    pcm: bytes
    rate_hz: int
    channels: int

    @property
    def bytes_per_second(self) -> int:
        return self.rate_hz * self.channels * SAMPLE_BYTES

    @property
    def duration_s(self) -> float:
        return len(self.pcm) / self.bytes_per_second

    def chunks(self, chunk_ms: int) -> Iterator[bytes]:
        """The clip in pieces of `chunk_ms`, the last one shorter. Borders fall on whole frames, also where `chunk_ms` is no whole number
        of them; they never drift."""
        frame_bytes = self.channels * SAMPLE_BYTES
        start, count = 0, 0
        while start < len(self.pcm):
            count += 1
            end = max(count * chunk_ms * self.rate_hz // 1000 * frame_bytes, start + frame_bytes)
            yield self.pcm[start:end]
            start = end


def decode_clip(data: bytes) -> Clip:
    """Any file libsndfile or FFmpeg reads; at a rate the wire does not take it is resampled to the nearest that it takes.

    Raises `audio_norm.AudioError` when it is none.
    """
    frames, rate_hz = decode_file(data)
    wire_rate_hz = min(max(rate_hz, MIN_RATE_HZ), MAX_RATE_HZ)
    if wire_rate_hz != rate_hz:
        channels = [resample(Pcm(np.ascontiguousarray(channel), rate_hz), wire_rate_hz).samples for channel in frames.T]
        frames = np.stack(channels, axis=1)
    return Clip(to_int16(frames).astype("<i2", copy=False).tobytes(), wire_rate_hz, frames.shape[1])


class SentTimes:
    """When each position of a stream was handed to the transport, to tell how long after speech a result came. One entry a chunk."""

    def __init__(self, bytes_per_second: float) -> None:
        self._bytes_per_second = bytes_per_second
        self._bytes = 0
        self._ends_s = array("d")
        self._sent_at_s = array("d")

    def note(self, chunk_bytes: int, at_s: float) -> None:
        """A chunk was handed over at `at_s`."""
        self._bytes += chunk_bytes
        self._ends_s.append(self._bytes / self._bytes_per_second)
        self._sent_at_s.append(at_s)

    @property
    def audio_s(self) -> float:
        """Audio sent so far."""
        return self._bytes / self._bytes_per_second

    def sent_at_s(self, position_s: float) -> float | None:
        """When the chunk with the sample before `position_s` went; positions past the end count as the end. None: nothing was sent."""
        if not self._ends_s:
            return None
        # A server's positions are rounded to its own samples: half a millisecond past a border still is that border.
        return self._sent_at_s[min(bisect_left(self._ends_s, position_s - 0.0005), len(self._ends_s) - 1)]


async def play(
    chunks: Iterable[bytes] | AsyncGenerator[bytes, None],
    bytes_per_second: float,
    *,
    realtime: bool = False,
    sent: SentTimes | None = None,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> AsyncGenerator[bytes, None]:
    """The chunks, and `sent` told of each. In real time each comes when a microphone would have it whole, counted from the first call, so
    that being late once does not make the rest late."""
    start_s, played_bytes = now(), 0
    async with aclosing(chunks if isinstance(chunks, AsyncGenerator) else _each(chunks)) as pieces:
        async for chunk in pieces:
            played_bytes += len(chunk)
            if realtime:
                await sleep(max(start_s + played_bytes / bytes_per_second - now(), 0.0))
            if sent is not None:
                sent.note(len(chunk), now())
            yield chunk


async def _each(chunks: Iterable[bytes]) -> AsyncGenerator[bytes, None]:
    for chunk in chunks:
        yield chunk
