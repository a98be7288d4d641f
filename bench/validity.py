"""Whether a bench measured the server or itself. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.pace import Lag
from bench.quantiles import quantiles
from bench.usage import Used

OWN_LAG_P99_MS = 10.0
"""Half a chunk: chunks later than this would measure this process's scheduling."""
LONGEST_MS = 100.0
"""A fifth of the budget: once this late, a single final is off by as much."""
CPU_PERCENT = 80.0
"""Of one core, which is all that an event loop has: close to it, what is ready waits."""
OWN_LAG_P50_MS = 2.5
"""A chunk takes about four turns of the event loop. Four turns of this are half of a chunk's 20 ms: the loop keeps up, with room."""


@dataclass(frozen=True, slots=True)
class Bench:
    """This process while it measured. `lags`: of each chunk that it sent meanwhile."""

    used: Used | None
    own_stall_ms: float
    """Longest of its event loop."""

    def invalid_because(self, lags: Sequence[Lag]) -> list[str]:
        return invalid_because(
            [lag.own_ms for lag in lags],
            self.own_stall_ms,
            taken_late_ms=[lag.taken_late_ms for lag in lags],
            cpu_percent=self._cpu_percent,
        )

    def as_json(self, lags: Sequence[Lag]) -> dict[str, object]:
        return {
            "cpu_percent": self._cpu_percent,
            "longest_loop_stall_ms": round(self.own_stall_ms, 1),
            "own_lag_ms": quantiles(lag.own_ms for lag in lags),
            "taken_late_ms": quantiles(lag.taken_late_ms for lag in lags),
        }

    @property
    def _cpu_percent(self) -> float | None:
        return None if self.used is None else self.used.cpu_percent


def invalid_because(
    own_lags_ms: Sequence[float], longest_stall_ms: float, *, taken_late_ms: Sequence[float] = (), cpu_percent: float | None = None
) -> list[str]:
    """Why the times of a run are not the server's; empty for a valid run. Without any chunk sent there is nothing that came late.

    `own_lags_ms`: how late this process woke for each chunk (`bench.pace.Lag.own_ms`). `longest_stall_ms`: of its event loop
    while it measured. `taken_late_ms`: how late each chunk was asked for (`bench.pace.Lag.taken_late_ms`). `cpu_percent`: what this process
    used meanwhile, 100 is one core; None when it is not known.

    A chunk asked for too late does not tell by whose doing: a slow server holds up the write before it, and so does an event loop that is
    slow to come round to it, a little at every turn, without ever stalling. The time inside a write would not tell either, as its end
    waits for that loop too. So chunks taken late are the server's doing only where the bench is shown to have had time: it had processor
    to spare, and of its wake-ups, which wait for the loop alone, half or more were prompt.
    """
    reasons = []
    lag_ms = quantiles(own_lags_ms)
    if lag_ms["p99"] is not None and lag_ms["p99"] > OWN_LAG_P99_MS:
        reasons.append(f"the bench woke late for its chunks: p99 {lag_ms['p99']:.1f} ms, allowed {OWN_LAG_P99_MS:g}")
    if lag_ms["max"] is not None and lag_ms["max"] > LONGEST_MS:
        reasons.append(f"the bench woke {lag_ms['max']:.0f} ms late for a chunk, allowed {LONGEST_MS:g}")
    if longest_stall_ms > LONGEST_MS:
        reasons.append(f"the bench's event loop stalled for {longest_stall_ms:.0f} ms, allowed {LONGEST_MS:g}")
    if cpu_percent is not None and cpu_percent > CPU_PERCENT:
        reasons.append(f"the bench used {cpu_percent:.0f} % of a core, allowed {CPU_PERCENT:g}")
    late_ms = quantiles(taken_late_ms)["p99"]
    if late_ms is not None and late_ms > LONGEST_MS and (doubt := _doubt(lag_ms["p50"], cpu_percent)):
        reasons.append(f"chunks were taken late, p99 {late_ms:.0f} ms, and whether by server or bench cannot be told: {doubt}")
    return reasons


def _doubt(own_lag_p50_ms: float | None, cpu_percent: float | None) -> str:
    """Why late chunks may be the bench's own doing; "" when they are not, or its processor time already says so."""
    if cpu_percent is None:
        return "the bench's processor time is not known"
    if own_lag_p50_ms is not None and own_lag_p50_ms > OWN_LAG_P50_MS:
        return f"half of its chunks the bench woke for {own_lag_p50_ms:.1f} ms late or more, allowed {OWN_LAG_P50_MS:g}"
    return ""
