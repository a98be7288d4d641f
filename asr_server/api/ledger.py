"""The ledger of one final: what each slice of its budget planned and spent. Pure."""

from dataclasses import dataclass

from asr_server.budget import SLICE_NAMES, LatencyBudget, SliceName
from asr_server.engine.worker import Decoded
from asr_server.watch.observer import Stage


@dataclass(frozen=True, slots=True)
class Ledger:
    """All in ms. `spent` has every slice; `reserve` is what passed between the stages."""

    budget: LatencyBudget
    response_ms: float
    spent_ms: dict[SliceName, float]
    degraded: tuple[str, ...]
    endpoint_wait_ms: float
    predicted_ms: float

    @property
    def late(self) -> bool:
        return self.response_ms > self.budget.total_ms


def settle(budget: LatencyBudget, stages: tuple[Stage, ...], decoded: Decoded, *, response_ms: float, endpoint_wait_ms: float) -> Ledger:
    """Sum the stages by slice. A stage may occur more than once (`condition` runs on the loop and in the worker)."""
    spent: dict[SliceName, float] = dict.fromkeys(SLICE_NAMES, 0.0)
    for name in SLICE_NAMES:
        spent[name] = sum(stage.spent_ms for stage in stages if stage.name == name)
    spent["reserve"] = max(response_ms - sum(spent.values()), 0.0)
    return Ledger(budget, response_ms, spent, decoded.degraded, endpoint_wait_ms, decoded.plan.predicted_ms)
