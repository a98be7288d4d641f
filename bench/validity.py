"""Whether a bench measured the server or itself. Pure."""

from collections.abc import Sequence

from bench.quantiles import quantiles

OWN_LAG_P99_MS = 10.0
"""Half a chunk: chunks later than this would measure this process's scheduling."""
LONGEST_MS = 100.0
"""A fifth of the budget: once this late, a single final is off by as much."""


def invalid_because(own_lags_ms: Sequence[float], longest_stall_ms: float) -> list[str]:
    """Why the times of a run are not the server's; empty for a valid run. Without any chunk sent there is nothing that came late.

    `own_lags_ms`: how late this process woke for each chunk (`bench.pace.Lag.own_ms`). `longest_stall_ms`: of its event loop
    while it measured.
    """
    reasons = []
    lag_ms = quantiles(own_lags_ms)
    if lag_ms["p99"] is not None and lag_ms["p99"] > OWN_LAG_P99_MS:
        reasons.append(f"the bench woke late for its chunks: p99 {lag_ms['p99']:.1f} ms, allowed {OWN_LAG_P99_MS:g}")
    if lag_ms["max"] is not None and lag_ms["max"] > LONGEST_MS:
        reasons.append(f"the bench woke {lag_ms['max']:.0f} ms late for a chunk, allowed {LONGEST_MS:g}")
    if longest_stall_ms > LONGEST_MS:
        reasons.append(f"the bench's event loop stalled for {longest_stall_ms:.0f} ms, allowed {LONGEST_MS:g}")
    return reasons
