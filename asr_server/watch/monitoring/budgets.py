"""The same objectives as Prometheus' rules, counted by the server itself: for whoever asks it, and where there is no Prometheus.

Events are counted by the minute, for as long as the longest window; a restart forgets them.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from asr_server.watch import attributes as names
from asr_server.watch.monitoring.slo import BURNS, OBJECTIVES, OUR_FAULT, RECOGNITION_MS, Burn, Objective
from asr_server.watch.observer import NullCallObserver, SegmentRecord
from asr_server.watch.segments import outcome_of, spent_ms_of
from asr_server.watch.status import ObjectiveState, WindowState

MINUTE_S = 60.0


@dataclass(slots=True)
class _Minute:
    number: int
    counts: dict[str, list[int]] = field(default_factory=dict)
    """By objective: events, and the bad ones among them."""


class ErrorBudgets:
    """An `Observer`. Used on the event loop."""

    def __init__(
        self, now: Callable[[], float] = time.monotonic, objectives: Sequence[Objective] = OBJECTIVES, burns: Sequence[Burn] = BURNS
    ) -> None:
        self._now = now
        self._objectives = objectives
        self._burns = burns
        self._minutes: deque[_Minute] = deque(maxlen=round(max(burn.long_s for burn in burns) / MINUTE_S) + 1)

    def call(self, method: str, metadata: Mapping[str, str], at_s: float) -> "_CountedCall":
        return _CountedCall(self._count)

    def states(self) -> tuple[ObjectiveState, ...]:
        """In the order of the objectives."""
        return tuple(self._state(objective) for objective in self._objectives)

    def _state(self, objective: Objective) -> ObjectiveState:
        lengths_s = sorted({seconds for burn in self._burns for seconds in (burn.long_s, burn.short_s)})
        windows = {length_s: self._window(objective, length_s) for length_s in lengths_s}
        firing = next(
            (burn.severity for burn in self._burns if min(windows[burn.long_s].burn_rate, windows[burn.short_s].burn_rate) > burn.rate),
            "",
        )
        return ObjectiveState(objective.name, objective.share, tuple(windows.values()), firing)

    def _window(self, objective: Objective, length_s: float) -> WindowState:
        after = (self._now() - length_s) / MINUTE_S
        counts = [minute.counts[objective.name] for minute in self._minutes if minute.number > after and objective.name in minute.counts]
        events, bad = sum(count[0] for count in counts), sum(count[1] for count in counts)
        return WindowState(length_s, events, bad, bad / events / (1 - objective.share) if events else 0.0)

    def _count(self, objective: str, *, bad: bool) -> None:
        number = int(self._now() // MINUTE_S)
        if not self._minutes or self._minutes[-1].number != number:
            self._minutes.append(_Minute(number))
        count = self._minutes[-1].counts.setdefault(objective, [0, 0])
        count[0] += 1
        count[1] += bad


class _CountedCall(NullCallObserver):
    def __init__(self, count: Callable[..., None]) -> None:
        self._count = count

    def segment(self, record: SegmentRecord) -> None:
        outcome = outcome_of(record)
        if outcome in ("in_time", "late"):
            self._count("response", bad=outcome == "late")
        spent_ms = spent_ms_of(record)
        if names.RECOGNITION in spent_ms:
            self._count("recognition", bad=spent_ms[names.RECOGNITION] > RECOGNITION_MS)

    def close(self, status: str, message: str, at_s: float) -> None:
        self._count("calls", bad=status in OUR_FAULT)
