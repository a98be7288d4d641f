"""A stretch of time in which so many streams speak, or none: what was heard, and how server and bench fared."""

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

from asr_server.watch.stall import LoopStallMonitor
from bench.capacity import Heard, heard_of
from bench.footprint import resident_mb
from bench.load import Load, Span, Turn, steady_load
from bench.pace import Lag
from bench.process import ProcessWatch
from bench.streams import Part, Server
from bench.usage import Used, Watched, readings_of, used
from bench.validity import Bench


@dataclass(frozen=True, slots=True)
class Stretch:
    span: Span
    heard: Heard
    """Clips that began and ended in it."""
    server: Used | None
    """None when the server's process is not known."""
    resident_mb: float | None
    """Of the server, the median."""
    bench: Used | None
    lags: tuple[Lag, ...] = ()
    """Of each chunk of the clips that count."""
    own_stall_ms: float = 0.0
    """Longest of this process's event loop."""

    @property
    def itself(self) -> Bench:
        return Bench(self.bench, self.own_stall_ms)


async def stretch(server: Server, process: Watched | None, parts: Sequence[Part], load: Load) -> Stretch:
    """As long as `load` has it; without streams nobody speaks for so many seconds."""
    turns: list[Turn] = []
    async with readings_of(process) as of_server, readings_of(ProcessWatch(os.getpid())) as of_bench, LoopStallMonitor() as stalls:
        if load.streams:
            span = await steady_load(server, parts, load, ended=turns.append)
        else:
            begun_s = time.monotonic()
            await asyncio.sleep(load.seconds)
            span = Span(begun_s, time.monotonic())
    return Stretch(
        span,
        heard_of(turns),
        used(of_server, from_s=span.begun_s),
        resident_mb(of_server, span.begun_s, span.ended_s),
        used(of_bench, from_s=span.begun_s),
        tuple(lag for turn in turns for lag in turn.spoken.lags),
        stalls.longest_ms,
    )
