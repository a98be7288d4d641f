"""The ledger of one final: what each slice of its budget planned and spent. Pure."""

from collections.abc import Sequence
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
    speculated_ms: float = 0.0
    """Of the recognition, what was done before the clock started."""

    @property
    def late(self) -> bool:
        return self.response_ms > self.budget.total_ms


def settle(
    budget: LatencyBudget,
    stages: tuple[Stage, ...],
    decoded: Decoded,
    *,
    start_s: float,
    end_s: float,
    endpoint_wait_ms: float,
    gave_up: tuple[str, ...] = (),
) -> Ledger:
    """Sum the stages by slice, as far as they lie after `start_s`, when the clock started: what was done in the silence before cost nobody.

    `gave_up`: what was given up to save time besides what the decode did.
    A stage may occur more than once (`condition` runs on the loop and in the worker).
    """
    spent: dict[SliceName, float] = dict.fromkeys(SLICE_NAMES, 0.0)
    each_ms = spent_ms(stages, start_s)
    for name in SLICE_NAMES:
        spent[name] = sum(ms for stage, ms in zip(stages, each_ms, strict=True) if stage.name == name)
    response_ms = (end_s - start_s) * 1000
    spent["reserve"] = max(response_ms - sum(spent.values()), 0.0)
    recognition: SliceName = "asr"
    speculated_ms = sum(stage.spent_ms for stage in stages if stage.name == recognition) - spent[recognition]
    return Ledger(budget, response_ms, spent, (*decoded.degraded, *gave_up), endpoint_wait_ms, decoded.plan.predicted_ms, speculated_ms)


def spent_ms(stages: Sequence[Stage], start_s: float) -> tuple[float, ...]:
    """What each stage took after `start_s`. Time in which two ran counts for the first of them only, so that all add up."""
    spent: list[float] = []
    counted_to_s = start_s
    for stage in stages:
        spent.append(max(stage.end_s - max(stage.start_s, counted_to_s), 0.0) * 1000)
        counted_to_s = max(counted_to_s, stage.end_s)
    return tuple(spent)
