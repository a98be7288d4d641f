"""Whole files in one call each: how many a second. A closed loop: so many callers at a time, each sending its next file when it has the
answer to the last."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

import numpy as np

from asr_server.api.options import StreamOptions
from asr_server.api.results import Result
from asr_server.errors import ServerBusy, SpeechError
from bench.load import AFTER_FAILURE_S
from bench.quantiles import Quantiles, quantiles

MOST_CONCURRENCY = 32
"""More callers are not tried."""
BETTER = 1.05
"""More callers must bring so many times the requests a second to be worth it."""


class UnaryServer(Protocol):
    """What is asked: `asr_server.api.client.Client`."""

    async def recognize(self, data: bytes, options: StreamOptions | None = None) -> list[Result]: ...


@dataclass(frozen=True, slots=True)
class File:
    """A recording as it lies on disk."""

    data: bytes
    duration_s: float
    language: str


@dataclass(frozen=True, slots=True)
class Answered:
    """One call; `at_s` is when it ended, by the clock of the loop."""

    at_s: float
    latency_ms: float
    audio_s: float
    error: SpeechError | None = None


@dataclass(frozen=True, slots=True)
class OwnUse:
    """What this process took meanwhile: near one core, it is the bench that is measured."""

    cpu_percent: float | None
    longest_loop_stall_ms: float


@dataclass(frozen=True, slots=True)
class Throughput:
    """Of the calls that ended in the measured time."""

    concurrency: int
    requests: int
    """Answered with a result."""
    requests_per_s: float
    audio_s_per_s: float
    latency_ms: Quantiles
    failed: int
    refused: int
    bench: OwnUse | None = None
    """From the first call to the last."""

    @property
    def is_clean(self) -> bool:
        """No call was refused or failed."""
        return not self.refused and not self.failed

    def as_json(self) -> dict[str, object]:
        return asdict(self)


async def closed_loop(
    server: UnaryServer,
    files: Sequence[File],
    *,
    concurrency: int,
    seconds: float,
    seed: int = 0,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Throughput:
    """The time begins when every caller has its first answer, which is left out. Calls open at its end are waited for and left out too."""
    cold = set(range(concurrency))
    from_s: float | None = None
    calls: list[Answered] = []

    async def caller(number: int) -> None:
        nonlocal from_s
        generator = np.random.default_rng([seed, number])
        while from_s is None or now() - from_s < seconds:
            answered = await _call(server, files[int(generator.integers(len(files)))], now)
            if from_s is not None:
                calls.append(answered)
            cold.discard(number)
            if from_s is None and not cold:
                from_s = now()
            if answered.error is not None:
                await sleep(AFTER_FAILURE_S)

    async with asyncio.TaskGroup() as group:
        for number in range(concurrency):
            group.create_task(caller(number))
    assert from_s is not None
    return throughput([call for call in calls if call.at_s - from_s <= seconds], concurrency=concurrency, seconds=seconds)


def throughput(calls: Sequence[Answered], *, concurrency: int, seconds: float) -> Throughput:
    """Of the calls that ended within `seconds`."""
    answered = [call for call in calls if call.error is None]
    refused = sum(isinstance(call.error, ServerBusy) for call in calls)
    return Throughput(
        concurrency=concurrency,
        requests=len(answered),
        requests_per_s=round(len(answered) / seconds, 3),
        audio_s_per_s=round(sum(call.audio_s for call in answered) / seconds, 3),
        latency_ms=quantiles(call.latency_ms for call in answered),
        failed=len(calls) - len(answered) - refused,
        refused=refused,
    )


async def climb(measure: Callable[[int], Awaitable[Throughput]], *, most: int = MOST_CONCURRENCY) -> list[Throughput]:
    """All that was measured: one caller, then twice as many, up to `most`, while that brings more and no call is refused or fails."""
    tried = [await measure(1)]
    while tried[-1].is_clean and (concurrency := tried[-1].concurrency * 2) <= most:
        tried.append(await measure(concurrency))
        before, last = tried[-2:]
        if last.requests_per_s < before.requests_per_s * BETTER:
            break
    return tried


def best(tried: Sequence[Throughput]) -> Throughput:
    """The most requests a second among those where nothing was refused or failed; among all when there is no such."""
    clean = [one for one in tried if one.is_clean]
    return max(clean or tried, key=lambda one: one.requests_per_s)


async def _call(server: UnaryServer, file: File, now: Callable[[], float]) -> Answered:
    begun_s = now()
    error = None
    try:
        await server.recognize(file.data, StreamOptions(language_code=file.language))
    except SpeechError as failure:
        error = failure
    at_s = now()
    return Answered(at_s, (at_s - begun_s) * 1000, file.duration_s, error)
