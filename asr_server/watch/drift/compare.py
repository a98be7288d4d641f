"""One profile held against another: of last week against the reference, of all replicas together. Pure.

Each feature of the one is looked up in the other as the detectors do it, by ranks, and tested by Kolmogorov-Smirnov; over all features
the tests are corrected by Holm's method (Scandinavian Journal of Statistics 6, 1979), so that one in a hundred comparisons of what is alike
tells of a difference, however many features there are. What is surely different, but little, is not called drift.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from asr_server.watch.drift.detector import DetectorOptions, ks_p, psi, wasserstein
from asr_server.watch.drift.reference import Reference

SIGNIFICANT = 0.01
POINTS = 1_000
"""Quantiles by which a distribution is known."""
_SHARES = [(number + 0.5) / POINTS for number in range(POINTS)]


@dataclass(frozen=True, slots=True)
class FeatureDifference:
    feature: str
    before: tuple[float, float, float]
    """Of the reference: a tenth, a half and nine tenths of its segments are below these."""
    now: tuple[float, float, float]
    segments: int
    """In which it was measured now."""
    shift: float
    """Mean, in spreads of the reference; up is above 0."""
    distance: float
    """Wasserstein's, in the same unit."""
    psi: float
    p: float
    """Corrected for the number of features."""
    is_drift: bool

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def compare(reference: Reference, now: Reference, options: DetectorOptions | None = None) -> list[FeatureDifference]:
    """Of the features that both have, the furthest apart first."""
    wanted = options or DetectorOptions()
    shared = [name for name in reference.features if name in now.features]
    ranks = {name: _ranks(reference, now, name) for name in shared}
    corrected = holm([ks_p(ranks[name], reference.count(name), now.count(name)) for name in shared])

    def difference(name: str, p: float) -> FeatureDifference:
        least = 0.5 / max(reference.count(name), 1)
        deviates = ndtri(np.clip(ranks[name], least, 1 - least))
        shift, distance, index = float(deviates.mean()), wasserstein(deviates), psi(ranks[name])
        is_drift = p < SIGNIFICANT and index >= wanted.least_psi and max(abs(shift), distance) >= wanted.least_shift
        return FeatureDifference(name, _tenths(reference, name), _tenths(now, name), now.count(name), shift, distance, index, p, is_drift)

    return sorted((difference(name, p) for name, p in zip(shared, corrected, strict=True)), key=lambda one: -one.distance)


def _tenths(profile: Reference, name: str) -> tuple[float, float, float]:
    low, middle, high = profile.quantiles(name, (0.1, 0.5, 0.9))
    return low, middle, high


def _ranks(reference: Reference, now: Reference, name: str) -> NDArray[np.float64]:
    """Of even quantiles of `now` in the reference. Equal ones are spread over the segments of the reference that have the same value."""
    found: list[float] = []
    for value, same in groupby(now.quantiles(name, _SHARES)):
        count = len(list(same))
        below, not_above = reference.ranks(name, value)
        found += [below + (number + 0.5) / count * max(not_above - below, 0.0) for number in range(count)]
    return np.array(found)


def holm(ps: Sequence[float]) -> list[float]:
    """Each corrected for there being so many: the smallest times their number, the next times one less, never falling, 1 at most."""
    order = sorted(range(len(ps)), key=lambda place: ps[place])
    corrected = [0.0] * len(ps)
    for place, value in zip(order, _never_falling(ps[place] * (len(ps) - number) for number, place in enumerate(order)), strict=True):
        corrected[place] = min(value, 1.0)
    return corrected


def _never_falling(values: Iterator[float]) -> Iterator[float]:
    most = 0.0
    for value in values:
        most = max(most, value)
        yield most
