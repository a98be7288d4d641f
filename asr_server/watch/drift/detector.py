"""Whether one feature of one slice has left its reference. Pure; knows no clock: segments are counted.

Each value is looked up in the reference: its rank there is even between 0 and 1 for as long as nothing has changed, and the normal
deviate of that rank has mean 0 and spread 1, whatever the feature is. Where many segments have the same value its rank is drawn between
the share of those below and of those not above (the randomised probability integral transform).

Two ways to leave it are looked for. *Suddenly*: Page-Hinkley on the deviates pages within some tens of segments; ADWIN finds what is slower
and smaller. *Gradually*: the last `window` segments against the reference by the Kolmogorov-Smirnov test, the population stability index
and Wasserstein's distance. A detector alone is not believed: what came since the change must differ by `least_shift`, too.

A feature that has left is drifting until the last `window / 2` segments are like the reference again; in between it is not told once more.
"""

import math
import random
from collections import deque
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from river.drift import ADWIN, PageHinkley
from scipy.special import ndtri
from scipy.stats import kstwo

Kind = Literal["sudden", "gradual"]
Severity = Literal["slight", "marked", "severe"]

_NORMAL = NormalDist()
_LIKE_THE_REFERENCE = tuple(_NORMAL.inv_cdf((7 * number % 32 + 0.5) / 32) for number in range(32))
"""Each once, in an order without a trend."""


@dataclass(frozen=True, slots=True)
class DetectorOptions:
    """How sure, and how quick: `bench drift` measures both."""

    repetition: float = 0.7
    """The nth segment of a call counts as `n ** -repetition` of one where a change is looked for at once: what one caller sounds like is
    said again by each of the call's segments, and a call is no more than a caller, however long."""
    page_hinkley_delta: float = 0.4
    page_hinkley_threshold: float = 14.0
    adwin_delta: float = 1e-5
    window: int = 300
    """Segments that are held and compared with the reference."""
    every: int = 25
    """Segments between two comparisons."""
    least_shift: float = 0.5
    """Of the mean or of the whole distribution, in spreads of the reference."""
    most_p: float = 1e-7
    """Of the Kolmogorov-Smirnov test; small, since it is asked often, of many features and slices."""
    least_psi: float = 0.25
    """"Shifted" by the usual rule."""
    least_segments: int = 8
    """That differ; nothing is said of fewer."""
    suspicion: int = 40
    """Segments for which a detector that found something is remembered, until there is enough to believe it."""


@dataclass(frozen=True, slots=True)
class Departure:
    """A feature has left its reference."""

    kind: Kind
    since: int
    """Segments ago, at least, when it began: the most likely moment."""
    shift: float
    """Mean of what came since, in spreads of the reference; up is above 0."""
    distance: float
    """Wasserstein's, in the same unit."""
    psi: float

    @property
    def severity(self) -> Severity:
        if self.distance >= 1.5:
            return "severe"
        return "marked" if self.distance >= 0.75 else "slight"


@dataclass(frozen=True, slots=True)
class Return:
    """It is like the reference again."""


class FeatureWatch:
    """One feature of one slice. Not thread-safe."""

    def __init__(self, reference_segments: int, options: DetectorOptions, seed: int = 0) -> None:
        self._options = options
        self._reference_segments = reference_segments
        self._draw = random.Random(seed)  # noqa: S311 - no secret
        self._ranks: deque[float] = deque(maxlen=options.window)
        self._seen = seed % options.every  # not all features of a slice are compared at the same segment
        self._drifting_since: int | None = None
        self._suspected_until = 0
        self._start_over()

    @property
    def is_drifting(self) -> bool:
        return self._drifting_since is not None

    def push(self, below: float, not_above: float, nth: int = 1) -> Departure | Return | None:
        """The next segment's ranks, as `Reference.ranks` tells them. It is the `nth` of its call."""
        least = 0.5 / self._reference_segments
        rank = min(max(self._draw.uniform(below, max(not_above, below)), least), 1 - least)
        self._ranks.append(rank)
        self._seen += 1
        deviate = _NORMAL.inv_cdf(rank) * nth**-self._options.repetition
        self._page_hinkley.update(deviate)  # type: ignore[no-untyped-call]
        self._adwin.update(deviate)  # type: ignore[no-untyped-call]
        if self._drifting_since is not None:
            return self._returned(self._drifting_since) if self._seen % self._options.every == 0 else None
        if self._page_hinkley.drift_detected or self._adwin.drift_detected:
            self._suspected_until = self._seen + self._options.suspicion
            self._start_over()
        if self._seen <= self._suspected_until and (found := self._believed("sudden", self._since())) is not None:
            return found
        if self._seen % self._options.every == 0 and len(self._ranks) == self._options.window and self._has_left():
            return self._believed("gradual", self._since())
        return None

    def _start_over(self) -> None:
        options = self._options
        self._page_hinkley = PageHinkley(
            min_instances=options.least_segments,
            delta=options.page_hinkley_delta,
            threshold=options.page_hinkley_threshold,
            alpha=1.0,
            mode="both",
        )
        self._adwin = ADWIN(delta=options.adwin_delta, clock=8, grace_period=options.least_segments)  # type: ignore[no-untyped-call]
        # As if there had been segments like the reference: a slice that is unlike it from its first segment on has changed, too.
        for deviate in _LIKE_THE_REFERENCE:
            self._page_hinkley.update(deviate)  # type: ignore[no-untyped-call]
            self._adwin.update(deviate)  # type: ignore[no-untyped-call]

    def _believed(self, kind: Kind, since: int) -> Departure | None:
        if since < self._options.least_segments:
            return None
        found = _departure(kind, np.array(self._ranks)[-since:])
        if max(abs(found.shift), found.distance) < self._options.least_shift:
            return None
        self._drifting_since = self._seen
        self._suspected_until = 0
        self._start_over()
        return found

    def _has_left(self) -> bool:
        ranks = np.array(self._ranks)
        # The index first: the test takes a hundred times as long.
        return psi(ranks) >= self._options.least_psi and ks_p(ranks, self._reference_segments) < self._options.most_p

    def _returned(self, since: int) -> Return | None:
        half = self._options.window // 2
        if self._seen - since < half:
            return None
        recent = np.array(self._ranks)[-half:]
        is_alike = psi(recent) < self._options.least_psi and abs(float(ndtri(recent).mean())) < self._options.least_shift / 2
        if not is_alike:
            return None
        self._drifting_since = None
        self._ranks.clear()
        self._start_over()
        return Return()

    def _since(self) -> int:
        """How many of the last segments came after the most likely moment of a change of the mean from 0 (likelihood ratio)."""
        from_the_end = np.cumsum(ndtri(np.array(self._ranks))[::-1])
        lengths = np.arange(1, len(from_the_end) + 1)
        return int(np.argmax(np.square(from_the_end) / lengths)) + 1


def _departure(kind: Kind, ranks: NDArray[np.float64]) -> Departure:
    deviates = ndtri(ranks)
    return Departure(kind, len(ranks), float(deviates.mean()), wasserstein(deviates), psi(ranks))


def ks_p(ranks: NDArray[np.float64], reference_segments: int, segments: int | None = None) -> float:
    """How likely ranks as uneven are where nothing has changed: Kolmogorov-Smirnov, of two samples, since the reference is one, too.
    `segments`: how many there were, where `ranks` stand for others."""
    ordered = np.sort(ranks)
    steps = np.arange(len(ordered) + 1) / len(ordered)
    distance = max(float((steps[1:] - ordered).max()), float((ordered - steps[:-1]).max()))
    count = len(ordered) if segments is None else segments
    effective = round(count * reference_segments / (count + reference_segments))
    return float(kstwo.sf(distance, max(effective, 1)))


def psi(ranks: NDArray[np.float64], bins: int = 10) -> float:
    """Population stability index over tenths of the reference: 0 when alike, above 0.25 when shifted. An empty bin counts as half a one."""
    counts = np.histogram(ranks, bins=bins, range=(0.0, 1.0))[0]
    shares = np.maximum(counts, 0.5) / len(ranks)
    return float(((shares - 1 / bins) * np.log(shares * bins)).sum())


def wasserstein(deviates: NDArray[np.float64]) -> float:
    """First distance to the standard normal, less what a sample of that size has by chance."""
    count = len(deviates)
    normal = ndtri((np.arange(count) + 0.5) / count)
    return max(float(np.abs(np.sort(deviates) - normal).mean()) - 0.8 / math.sqrt(count), 0.0)
