"""The quantiles a bench reports. Nearest rank: each is a time that was really measured."""

from collections.abc import Iterable, Sequence

from asr_server.quantiles import nearest_rank

Quantiles = dict[str, float | None]
"""p50, p95, p99 and max; all None when nothing was measured."""

_SHARES = {"p50": 0.50, "p95": 0.95, "p99": 0.99, "max": 1.0}


def quantiles(values_ms: Iterable[float]) -> Quantiles:
    ordered = sorted(values_ms)
    found = {name: nearest_rank(ordered, share) for name, share in _SHARES.items()}
    return {name: None if value is None else round(value, 1) for name, value in found.items()}


def percentile(values_ms: Sequence[float], percent: int) -> float | None:
    """The smallest value that so many percent of all (1 to 100) do not pass; None of nothing."""
    if not values_ms:
        return None
    # In whole numbers: 0.07 * 100 is a little more than 7.
    rank = -(-percent * len(values_ms) // 100)
    return sorted(values_ms)[rank - 1]
