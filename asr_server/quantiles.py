"""Quantiles by nearest rank: each is a value that was really measured."""

import math
from collections.abc import Sequence


def nearest_rank(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that `share` of all (above 0, up to 1) do not pass; None of nothing."""
    return ordered[math.ceil(share * len(ordered)) - 1] if ordered else None
