"""What a process used while something was measured: looked at now and then, told as before and at most."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Protocol

from bench.process import Usage

INTERVAL_S = 0.5
MB = 1_000_000


class Watched(Protocol):
    """A process that can be looked at: `bench.process.ProcessWatch`."""

    @property
    def has_ended(self) -> bool: ...

    def usage(self) -> Usage | None:
        """None where nothing can be seen of it, above all once it has ended."""


@dataclass(frozen=True, slots=True)
class Reading:
    at_s: float
    """By `time.monotonic`."""
    usage: Usage


@asynccontextmanager
async def readings_of(
    process: Watched | None, *, interval_s: float = INTERVAL_S, now: Callable[[], float] = time.monotonic
) -> AsyncIterator[list[Reading]]:
    """Of a process when this is entered, every `interval_s`, and when it is left; none of None, a process that is not known.

    async with readings_of(process) as readings:
        ...
    used(readings)
    """
    readings: list[Reading] = []

    def look() -> None:
        usage = process.usage() if process is not None else None
        if usage is not None:
            readings.append(Reading(now(), usage))

    async def watch() -> None:
        while True:
            await asyncio.sleep(interval_s)
            look()

    look()
    watching = asyncio.create_task(watch(), name="usage")
    try:
        yield readings
    finally:
        watching.cancel()
        await asyncio.wait([watching])
        look()


@dataclass(frozen=True, slots=True)
class BeforeAndMost:
    before: float
    """In the first reading."""
    max: float


@dataclass(frozen=True, slots=True)
class Used:
    """By one process between two readings."""

    cpu_percent: float
    """Of one core: 200 is two cores busy all the time."""
    cpu_s: float
    resident_mb: BeforeAndMost
    """Of 10^6 bytes."""
    threads: BeforeAndMost
    open_files: BeforeAndMost

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def used(readings: Sequence[Reading], from_s: float = -math.inf, to_s: float = math.inf) -> Used | None:
    """By what was read from `from_s` to `to_s`; None without two readings at different times in it."""
    inside = [reading for reading in readings if from_s <= reading.at_s <= to_s]
    if len(inside) < 2 or inside[-1].at_s <= inside[0].at_s:
        return None
    usages = [reading.usage for reading in inside]
    cpu_s = usages[-1].cpu_s - usages[0].cpu_s
    return Used(
        cpu_percent=round(100 * cpu_s / (inside[-1].at_s - inside[0].at_s), 1),
        cpu_s=round(cpu_s, 2),
        resident_mb=_before_and_most([round(usage.resident_bytes / MB, 1) for usage in usages]),
        threads=_before_and_most([usage.threads for usage in usages]),
        open_files=_before_and_most([usage.open_files for usage in usages]),
    )


def _before_and_most(values: Sequence[float]) -> BeforeAndMost:
    return BeforeAndMost(values[0], max(values))
