"""How much slower the same clips became, and how far that could have come out otherwise: a paired bootstrap over clips.

A draw takes as many clips as there are, with replacement, and both runs are looked at on the same clips. Seeded: the same numbers give the
same interval. Two figures, because a run can become worse in two ways: `typical`, the median over clips of what each clip lost, sees that
everything moved; `tail`, the difference of the 95th percentiles, sees that a few clips moved far.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1_000
P95 = 0.95

Draws = NDArray[np.intp]
"""Which clips are in each draw; shape (RESAMPLES, clips)."""
Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Shift:
    """B less A, in ms."""

    ms: float
    low_ms: float
    high_ms: float
    """Where 95 of 100 draws fall."""


def typical(before_ms: Sequence[float], after_ms: Sequence[float]) -> Shift:
    """The median of the differences, clip by clip. Raises ValueError for no clips, or runs of different length."""
    differences = np.subtract(*_paired(after_ms, before_ms))
    drawn = np.median(differences[draws(len(differences))], axis=1)
    return _shift(float(np.median(differences)), drawn)


def tail(before_ms: Sequence[float], after_ms: Sequence[float]) -> Shift:
    """The difference of the 95th percentiles, each by nearest rank. Raises ValueError for no clips, or runs of different length."""
    after, before = _paired(after_ms, before_ms)
    drawn = draws(len(before))
    return _shift(float(_p95(after) - _p95(before)), _p95(after[drawn]) - _p95(before[drawn]))


def share(before: Sequence[float], after: Sequence[float]) -> Shift:
    """The mean of the differences, for counts of something a clip. Raises ValueError for no clips, or runs of different length."""
    differences = np.subtract(*_paired(after, before))
    return _shift(float(differences.mean()), differences[draws(len(differences))].mean(axis=1))


@lru_cache(maxsize=8)
def draws(clips: int, *, seed: int = 0) -> Draws:
    """The same for every figure of a comparison: one hundred clips that were unlucky are unlucky in all of them."""
    return np.random.default_rng(seed).integers(0, clips, (RESAMPLES, clips))


def _paired(after: Sequence[float], before: Sequence[float]) -> tuple[Values, Values]:
    if len(after) != len(before) or not len(before):
        raise ValueError(f"wanted the same clips twice, got {len(before)} and {len(after)}")
    return np.asarray(after, np.float64), np.asarray(before, np.float64)


def _p95(values: Values) -> NDArray[np.float64]:
    """Along the last axis, by nearest rank as `bench.quantiles` has it."""
    rank = int(np.ceil(P95 * values.shape[-1])) - 1
    return np.partition(values, rank, axis=-1)[..., rank]


def _shift(found: float, drawn: Values) -> Shift:
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Shift(found, float(low), float(high))
