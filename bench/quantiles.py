"""The quantiles a bench reports. Nearest rank: each is a time that was really measured."""

import math
from collections.abc import Iterable

Quantiles = dict[str, float | None]
"""p50, p95, p99 and max; all None when nothing was measured."""

_SHARES = {"p50": 0.50, "p95": 0.95, "p99": 0.99, "max": 1.0}


def quantiles(values_ms: Iterable[float]) -> Quantiles:
    ordered = sorted(values_ms)
    if not ordered:
        return dict.fromkeys(_SHARES)
    return {name: round(ordered[math.ceil(share * len(ordered)) - 1], 1) for name, share in _SHARES.items()}
