"""The latency budget and deadlines, as values. Acts on nothing: only `engine.worker` does.

The response time of a final starts when the server *may* answer (VAD stop reached, finalize, half-close) and ends when the final
has been handed to the transport. The budget divides that time into named slices.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from math import isfinite
from typing import Literal, get_args

SliceName = Literal["ingest", "condition", "queue", "asr", "post", "send", "reserve"]
SLICE_NAMES: tuple[SliceName, ...] = get_args(SliceName)


class BudgetError(ValueError):
    """A budget whose slices do not fit its total."""


@dataclass(frozen=True, slots=True)
class LatencyBudget:
    """Named slices, in ms, of one final's response time. Raises `BudgetError` when they are negative or exceed `total_ms`."""

    total_ms: float = 500.0
    ingest_ms: float = 10.0
    condition_ms: float = 20.0
    queue_ms: float = 60.0
    asr_ms: float = 300.0
    post_ms: float = 10.0
    send_ms: float = 20.0
    reserve_ms: float = 80.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value_ms = getattr(self, field.name)
            if not (isfinite(value_ms) and value_ms >= 0):
                raise BudgetError(f"budget slice {field.name} is {value_ms:g} ms, must be a number that is not negative")
        planned_ms = sum(ms for _, ms in self.slices())
        if planned_ms > self.total_ms + 1e-6:
            raise BudgetError(f"budget slices add up to {planned_ms:g} ms, more than the total of {self.total_ms:g} ms")

    def slices(self) -> Iterator[tuple[SliceName, float]]:
        """Each slice with its planned ms, in the order they are spent."""
        for name in SLICE_NAMES:
            yield name, float(getattr(self, f"{name}_ms"))

    def scaled_to(self, total_ms: float) -> "LatencyBudget":
        """The same proportions in another total."""
        factor = total_ms / self.total_ms
        return replace(self, total_ms=total_ms, **{f"{name}_ms": ms * factor for name, ms in self.slices()})


@dataclass(frozen=True, slots=True, order=True)
class Deadline:
    """A fixed point in monotonic time, made once and carried. Times in seconds of `time.monotonic()`, always passed in."""

    at_s: float

    @classmethod
    def after(cls, start_s: float, ms: float) -> "Deadline":
        return cls(start_s + ms / 1000)

    def remaining_ms(self, now_s: float) -> float:
        """Time left in ms; negative when it has passed."""
        return (self.at_s - now_s) * 1000
