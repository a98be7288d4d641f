"""What callers send who stay on the line with nothing to say, or in the middle of saying something: without end, in real time."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from typing import Protocol

from asr_server.api.client import Control
from asr_server.api.clip import SAMPLE_BYTES, Clip
from bench.pace import Lag, Microphone
from bench.streams import Part

RATE_HZ = 16_000
KEEP_ALIVE_EVERY_S = 5.0
FOR_EVER_S = 24 * 3_600.0
"""No caller stays longer."""


class Quiet(StrEnum):
    """How a caller waits."""

    SILENCE = "silence"
    """With an open microphone."""
    KEEP_ALIVE = "keep_alive"
    """Without audio, with a message now and then that it is still there."""


class Source(Protocol):
    """What a caller sends, from the moment it is made."""

    @property
    def lags(self) -> list[Lag]:
        """Of each message that went."""

    def chunks(self) -> AsyncGenerator[bytes | Control, None]: ...


@dataclass(slots=True)
class KeepAlives:
    """One every KEEP_ALIVE_EVERY_S, by absolute times."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    lags: list[Lag] = field(init=False, default_factory=list)

    async def chunks(self) -> AsyncGenerator[bytes | Control, None]:
        start_s = self.now()
        for number in count(1):
            due_s, asked_s = start_s + number * KEEP_ALIVE_EVERY_S, self.now()
            await self.sleep(max(due_s - asked_s, 0.0))
            own_s, taken_late_s = self.now() - max(asked_s, due_s), asked_s - due_s
            self.lags.append(Lag(max(own_s, 0.0) * 1000, max(taken_late_s, 0.0) * 1000))
            yield Control.KEEP_ALIVE


def waiting(quiet: Quiet, chunk_ms: int) -> Source:
    """`chunk_ms`: of silence in one message."""
    return KeepAlives() if quiet is Quiet.KEEP_ALIVE else Microphone(SILENT, FOR_EVER_S, chunk_ms=chunk_ms)


SILENT = Clip(b"", RATE_HZ, 1)
"""A microphone has its silence after the clip: here at once."""


def in_mid_speech(part: Part, seconds: float) -> Clip:
    """The clip's speech, from its first to its last sample, over and over, for at least so many seconds."""
    clip = part.audio
    frame_bytes = clip.channels * SAMPLE_BYTES
    first, last = (round(at_s * clip.rate_hz) * frame_bytes for at_s in (part.speech_start_s, part.end.at_s))
    said = clip.pcm[first:last] or clip.pcm
    times = -(-round(seconds * clip.bytes_per_second) // len(said))
    return Clip(said * times, clip.rate_hz, clip.channels)
