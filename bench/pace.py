"""A microphone: a clip in chunks at the pace of speech, and after it silence until it is closed. Knows how late they went, and why."""

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from asr_server.api.clip import SAMPLE_BYTES, Clip

CHUNK_MS = 20
ROUNDING_S = 0.0005
"""Half a millisecond past the border of a chunk still is that border."""


@dataclass(frozen=True, slots=True)
class Lag:
    """How late one chunk went."""

    own_ms: float
    """This process woke late: the bench's fault."""
    taken_late_ms: float
    """The chunk was asked for only after it was due: transport or server had not taken the one before, or not accepted the call yet."""

    @property
    def ms(self) -> float:
        return self.own_ms + self.taken_late_ms


@dataclass(slots=True)
class Microphone:
    """One clip's, which begins when this is made. Each chunk is handed over when a microphone would have it whole, by times counted from
    there: being late once does not make the rest late, and whoever listens late has missed nothing and hears it at once."""

    clip: Clip
    max_silence_s: float = 5.0
    """How long it stays open after the clip when nobody closes it."""
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chunk_ms: int = CHUNK_MS
    start_s: float = field(init=False)
    """When the clip began, by `now`."""
    lags: list[Lag] = field(init=False, default_factory=list)
    """Of each chunk that went."""
    closed: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self.start_s = self.now()

    def close(self) -> None:
        """No chunk comes after this."""
        self.closed = True

    @property
    def sent_s(self) -> float:
        """Audio that went so far."""
        return len(self.lags) * self._chunk_bytes / self.clip.bytes_per_second

    def due_at_s(self, position_s: float) -> float:
        """When a microphone has the chunk with the sample before `position_s`, by `now`; whether it went in time is in `lags`."""
        # A server's positions are rounded to its own samples.
        number = math.ceil((position_s - ROUNDING_S) * self.clip.bytes_per_second / self._chunk_bytes)
        return self._due_s(max(number, 1))

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        for number, chunk in enumerate(self._audio(), start=1):
            due_s = self._due_s(number)
            asked_s = self.now()
            await self.sleep(max(due_s - asked_s, 0.0))
            if self.closed:
                return
            handed_over_s = self.now()
            own_s, taken_late_s = handed_over_s - max(asked_s, due_s), asked_s - due_s
            self.lags.append(Lag(max(own_s, 0.0) * 1000, max(taken_late_s, 0.0) * 1000))
            yield chunk

    @property
    def _chunk_bytes(self) -> int:
        return self.clip.rate_hz * self.chunk_ms // 1000 * self.clip.channels * SAMPLE_BYTES

    def _due_s(self, number: int) -> float:
        """Chunks are counted from 1."""
        return self.start_s + number * self.chunk_ms / 1000

    def _audio(self) -> Iterator[bytes]:
        """Whole chunks: the clip's last one is filled up with silence."""
        chunk_bytes = self._chunk_bytes
        silence = dither(chunk_bytes)
        for start in range(0, len(self.clip.pcm), chunk_bytes):
            chunk = self.clip.pcm[start : start + chunk_bytes]
            yield chunk + silence[len(chunk) :]
        for _ in range(round(self.max_silence_s * 1000 / self.chunk_ms)):
            yield silence


def dither(size_bytes: int) -> bytes:
    """Silence as a converter gives it: steps of -1, 0 and 1 (about -92 dBFS), the same every time. No microphone gives digital zeros."""
    return np.random.default_rng(0).integers(-1, 2, size_bytes // SAMPLE_BYTES).astype("<i2").tobytes()
