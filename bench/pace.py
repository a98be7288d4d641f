"""A microphone: a clip in chunks at the pace of speech, and after it silence until it is closed. Knows how late it was, and why."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from asr_server.api.clip import SAMPLE_BYTES, Clip, SentTimes

CHUNK_MS = 20


@dataclass(frozen=True, slots=True)
class Lag:
    """How late one chunk went."""

    own_ms: float
    """This process woke late: the bench's fault."""
    taken_late_ms: float
    """The chunk was asked for only after it was due: transport or server had not taken the one before."""

    @property
    def ms(self) -> float:
        return self.own_ms + self.taken_late_ms


@dataclass(slots=True)
class Microphone:
    """One clip's. Each chunk is handed over when a microphone would have it whole, by times counted from the first chunk: being late once
    does not make the rest late."""

    clip: Clip
    max_silence_s: float = 5.0
    """How long it stays open after the clip when nobody closes it."""
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    sent: SentTimes = field(init=False)
    """When each position of the audio went."""
    lags: list[Lag] = field(init=False, default_factory=list)
    """Of each chunk that went."""
    closed: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self.sent = SentTimes(self.clip.bytes_per_second)

    def close(self) -> None:
        """No chunk comes after this."""
        self.closed = True

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        start_s = self.now()
        for number, chunk in enumerate(self._audio(), start=1):
            due_s = start_s + number * CHUNK_MS / 1000
            asked_s = self.now()
            await self.sleep(max(due_s - asked_s, 0.0))
            if self.closed:
                return
            handed_over_s = self.now()
            own_s, taken_late_s = handed_over_s - max(asked_s, due_s), asked_s - due_s
            self.lags.append(Lag(max(own_s, 0.0) * 1000, max(taken_late_s, 0.0) * 1000))
            self.sent.note(len(chunk), handed_over_s)
            yield chunk

    def _audio(self) -> Iterator[bytes]:
        """Whole chunks: the clip's last one is filled up with silence."""
        chunk_bytes = self.clip.rate_hz * CHUNK_MS // 1000 * self.clip.channels * SAMPLE_BYTES
        silence = dither(chunk_bytes)
        for start in range(0, len(self.clip.pcm), chunk_bytes):
            chunk = self.clip.pcm[start : start + chunk_bytes]
            yield chunk + silence[len(chunk) :]
        for _ in range(round(self.max_silence_s * 1000 / CHUNK_MS)):
            yield silence


def dither(size_bytes: int) -> bytes:
    """Silence as a converter gives it: steps of -1, 0 and 1 (about -92 dBFS), the same every time. No microphone gives digital zeros."""
    return np.random.default_rng(0).integers(-1, 2, size_bytes // SAMPLE_BYTES).astype("<i2").tobytes()
