"""The last segments, for whoever asks how it is going right now."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from asr_server.quantiles import nearest_rank
from asr_server.watch import attributes as names
from asr_server.watch.observer import NullCallObserver, SegmentRecord
from asr_server.watch.segments import Outcome, number, outcome_of, spent_ms_of
from asr_server.watch.status import Latency, Recent

MAX_SEGMENTS = 500
MAX_AGE_S = 300.0


@dataclass(frozen=True, slots=True)
class _Seen:
    at_s: float
    outcome: Outcome
    ttfs_ms: float | None
    response_ms: float
    spent_ms: Mapping[str, float]
    planned_ms: Mapping[str, float]
    budget_ms: float
    is_degraded: bool


class RecentSegments:
    """An `Observer`. Used on the event loop."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._seen: deque[_Seen] = deque(maxlen=MAX_SEGMENTS)

    def call(self, method: str, metadata: Mapping[str, str], at_s: float) -> "_SeenCall":
        return _SeenCall(self._add)

    def recent(self) -> Recent:
        """Of the last five minutes."""
        oldest_s = self._now() - MAX_AGE_S
        seen = [one for one in self._seen if one.at_s >= oldest_s]
        answered = [one for one in seen if one.outcome in ("in_time", "late")]
        slices = dict.fromkeys(name for one in answered for name in one.spent_ms)
        planned = answered[-1] if answered else None
        return Recent(
            segments=len(seen),
            late=sum(one.outcome == "late" for one in seen),
            empty=sum(one.outcome == "empty" for one in seen),
            failed=sum(one.outcome == "failed" for one in seen),
            degraded=sum(one.is_degraded for one in seen),
            latency=(
                _latency("time to final text", None, (one.ttfs_ms for one in answered if one.ttfs_ms is not None)),
                _latency("response", planned.budget_ms if planned else None, (one.response_ms for one in answered)),
                *(
                    _latency(name, planned.planned_ms.get(name) if planned else None, [one.spent_ms.get(name, 0.0) for one in answered])
                    for name in slices
                ),
            ),
        )

    def _add(self, record: SegmentRecord) -> None:
        told = record.attributes

        def amount(name: str) -> float:
            return float(number(told.get(name, 0.0)))

        response_ms, waited_ms = amount(names.RESPONSE_MS), amount(names.ENDPOINT_WAIT_MS)
        self._seen.append(
            _Seen(
                self._now(),
                outcome_of(record),
                waited_ms + response_ms if waited_ms else None,
                response_ms,
                spent_ms_of(record),
                {stage.name: float(number(stage.attributes.get(names.SLICE_PLANNED_MS, 0.0))) for stage in record.stages},
                amount(names.BUDGET_MS),
                bool(told.get(names.DEGRADED)),
            )
        )


def _latency(name: str, planned_ms: float | None, values: Iterable[float]) -> Latency:
    ordered = sorted(values)
    return Latency(name, planned_ms, *(nearest_rank(ordered, share) for share in (0.5, 0.95, 0.99)))


class _SeenCall(NullCallObserver):
    def __init__(self, add: Callable[[SegmentRecord], None]) -> None:
        self._add = add

    def segment(self, record: SegmentRecord) -> None:
        self._add(record)
