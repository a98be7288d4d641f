"""How busy a server is, as those who let streams in want to know it: the account of its worker's time, and of its event loop's, each in a
`LoadMeter`.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from asr_server.engine.capacity import LoadMeter, LoadOptions
from asr_server.events import Purpose

_COUNTED = (Purpose.FINAL, Purpose.SPECULATIVE)
"""Partials and files are done with what is left, and would make every machine look full."""

_LOOP_SHARE, _LOOP_LIMIT = 0.004, 0.7
"""Of a core that a stream which sends 100 ms at a time keeps the event loop busy for, by hearing whether somebody speaks, and how much all
may together. Streams that say nothing cost no decode, and a thousand of them would stop everybody else."""


class WorkerLoad:
    """Used on the event loop. `busy_s` is `Worker.busy_s`."""

    def __init__(
        self,
        typical_share: float,
        threads: int,
        busy_s: Callable[[], Mapping[Purpose, float]],
        options: LoadOptions | None = None,
        loop_s: Callable[[], float] = time.thread_time,
    ) -> None:
        """`typical_share`: as `LoadMeter`. `loop_s`: processor time of the thread it is asked on, the event loop's."""
        options = options or LoadOptions()
        self._meter = LoadMeter(threads, typical_share, options)
        self._loop = LoadMeter(1, _LOOP_SHARE, replace(options, limit=_LOOP_LIMIT))
        self._loop_s = loop_s
        self._loop_seen_s = loop_s()
        self._busy_s = busy_s
        self._seen_s = 0.0

    def opened(self, now_s: float) -> None:
        self._catch_up(now_s)
        self._meter.opened(now_s)
        self._loop.opened(now_s)

    def closed(self, lasted_s: float | None, now_s: float) -> None:
        self._catch_up(now_s)
        self._meter.closed(lasted_s, now_s)
        self._loop.closed(lasted_s, now_s)

    def fits_one_more(self, now_s: float) -> bool:
        self._catch_up(now_s)
        return self._meter.fits_one_more(now_s) and self._loop.fits_one_more(now_s)

    def refused(self, now_s: float) -> float:
        self._catch_up(now_s)
        return self._meter.refused(now_s)

    def _catch_up(self, now_s: float) -> None:
        by_purpose = self._busy_s()
        busy_s = sum(by_purpose[purpose] for purpose in _COUNTED)
        self._meter.decoded((busy_s - self._seen_s) * 1000, now_s)
        self._seen_s = busy_s
        loop_s = self._loop_s()
        self._loop.decoded((loop_s - self._loop_seen_s) * 1000, now_s)
        self._loop_seen_s = loop_s
