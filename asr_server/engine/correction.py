"""How far predictions are off, learnt from what decodes took. Pure values.

A calibrated cost model tells what a decode takes alone on an idle machine. Decodes share caches and memory with those beside them, and
the machine with whatever else runs on it: what they took by what was predicted is followed for each number of decodes at a time.
"""

import math
from dataclasses import dataclass, replace

BESIDE_OTHERS = 1.25
"""How much longer a decode takes beside others, until that was seen."""

_LOWEST, _HIGHEST = 0.5, 4.0
_NINE_IN_TEN = 1.6
"""Of a normal distribution, what 90 % are below by the mean distance from its middle: 1.28 / 0.80."""
_WIDEST = 2.0
_NO_TIME_MS = 0.001
_WEIGHT = 1 - 0.5 ** (1 / 20)
"""Of one decode among those before it: after 20 half of what had been learnt is forgotten."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What has been learnt so far. A prediction of the calibrated model times `factor` is what a decode should take."""

    factors: tuple[float, ...]
    """By the number of decodes that run when one starts, itself included; the first is for one alone. Exponentially weighted geometric
    means of actual by calibrated, 0.5 to 4."""
    count: int = 0
    """Decodes learnt from."""
    error: float = 1.0
    """By how much corrected predictions were off, either way: 1.15 is 15 %. Exponentially weighted, geometric."""

    @property
    def spread(self) -> float:
        """Nine decodes in ten take less than this times what is predicted for them. At most 2, also after one that stood still."""
        return min(math.pow(self.error, _NINE_IN_TEN), _WIDEST)

    @classmethod
    def unlearnt(cls, threads: int) -> "Prediction":
        return cls((1.0, *(BESIDE_OTHERS for _ in range(threads - 1))))

    def factor(self, running: int) -> float:
        """For a decode that starts as one of `running`."""
        return self.factors[self._place(running)]

    def after(self, running: int, factor: float, predicted_ms: float, actual_ms: float) -> "Prediction":
        """With a decode learnt from that started as one of `running`. `predicted_ms` was made with `factor`, which may be an older one.

        A decode that took no time, or was to take none, teaches nothing.
        """
        if min(predicted_ms, actual_ms) < _NO_TIME_MS:
            return self
        off = actual_ms / predicted_ms
        place, seen = self._place(running), min(max(off * factor, _LOWEST), _HIGHEST)
        factors = list(self.factors)
        factors[place] = _blend(factors[place], seen, _WEIGHT)
        # The first errors are averaged: there is nothing before them to be forgotten.
        error = _blend(self.error, max(off, 1 / off), max(_WEIGHT, 1 / (self.count + 1)))
        return replace(self, factors=tuple(factors), count=self.count + 1, error=error)

    def _place(self, running: int) -> int:
        return min(max(running, 1), len(self.factors)) - 1


def _blend(mean: float, value: float, weight: float) -> float:
    """A geometric mean with one more value of `weight`."""
    return math.exp((1 - weight) * math.log(mean) + weight * math.log(value))
