"""How busy a worker is, as those who let streams in want to know it: its own account of its time, in a `LoadMeter`."""

from collections.abc import Callable, Mapping

from asr_server.engine.capacity import LoadMeter, LoadOptions
from asr_server.events import Purpose

_COUNTED = (Purpose.FINAL, Purpose.SPECULATIVE)
"""Partials and files are done with what is left, and would make every machine look full."""


class WorkerLoad:
    """Used on the event loop. `busy_s` is `Worker.busy_s`."""

    def __init__(
        self,
        typical_share: float,
        threads: int,
        busy_s: Callable[[], Mapping[Purpose, float]],
        options: LoadOptions | None = None,
    ) -> None:
        """`typical_share`: as `LoadMeter`."""
        self._meter = LoadMeter(threads, typical_share, options)
        self._busy_s = busy_s
        self._seen_s = 0.0

    def opened(self, now_s: float) -> None:
        self._catch_up(now_s)
        self._meter.opened(now_s)

    def closed(self, lasted_s: float | None, now_s: float) -> None:
        self._catch_up(now_s)
        self._meter.closed(lasted_s, now_s)

    def fits_one_more(self, now_s: float) -> bool:
        self._catch_up(now_s)
        return self._meter.fits_one_more(now_s)

    def refused(self, now_s: float) -> float:
        self._catch_up(now_s)
        return self._meter.refused(now_s)

    def _catch_up(self, now_s: float) -> None:
        by_purpose = self._busy_s()
        busy_s = sum(by_purpose[purpose] for purpose in _COUNTED)
        self._meter.decoded((busy_s - self._seen_s) * 1000, now_s)
        self._seen_s = busy_s
