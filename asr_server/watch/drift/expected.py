"""How many words are wrong, as far as the recogniser's own doubt tells: what can be said without any label. Pure.

The share of wrong words is taken for a logistic function of the mean log probability of a segment's tokens, fitted by maximum likelihood on
recordings of which the right text is known. It belongs to the model and the data definition that it was fitted with, and so it is kept in
the profile of what is normal. `bench drift` measures how far it can be believed under changes that it was not fitted on.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize

from asr_server.accuracy.wer import ErrorCounts

LEAST_RECORDINGS = 10
LEAST_WORDS = 200
"""Of fewer nothing is said."""
_BEFOREHAND = 0.5
"""Wrong words, of as many twice, at the mean of all: no rate is 0 because none was seen."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A recording of which the right text is known."""

    log_probability: float
    """Mean a token, of all its segments."""
    errors: ErrorCounts


@dataclass(frozen=True, slots=True)
class ErrorModel:
    """`bias` and `slope` of the logistic function; never rising with the log probability."""

    bias: float
    slope: float
    words: int
    """That it was fitted on."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.bias) and math.isfinite(self.slope) and self.slope <= 0 and self.words > 0):
            raise ValueError(f"ErrorModel wants a finite bias, a slope of 0 at most and words, got {self}")

    def rate(self, log_probability: float) -> float:
        """Share of the words of such a segment that are wrong, 0 to 1."""
        return 1 / (1 + math.exp(min(-(self.bias + self.slope * log_probability), 700.0)))

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def of_json(cls, told: Any) -> "ErrorModel":  # noqa: ANN401 - whatever a file holds
        return cls(float(told["bias"]), float(told["slope"]), int(told["words"]))


def fit(judged: Iterable[Judged]) -> ErrorModel | None:
    """None of too few recordings or words. What was made up counts as an error, no recording as more wrong than it has words."""
    known = [one for one in judged if one.errors.words]
    words = np.array([one.errors.words for one in known], np.float64)
    if len(known) < LEAST_RECORDINGS or words.sum() < LEAST_WORDS:
        return None
    doubts = np.array([one.log_probability for one in known])
    wrong = np.minimum([one.errors.errors for one in known], words)
    middle = float(np.average(doubts, weights=words))
    at, of, out_of = np.append(doubts - middle, 0.0), np.append(wrong, _BEFOREHAND), np.append(words, 2 * _BEFOREHAND)

    def unlikelihood(parameters: Any) -> float:  # noqa: ANN401 - scipy has no types
        scores = parameters[0] + parameters[1] * at
        return float((out_of * np.logaddexp(0.0, scores) - of * scores).sum())

    share = float(of.sum() / out_of.sum())
    begin = [math.log(share / (1 - share)) if share < 1 else 1.0, -1.0]
    found = minimize(unlikelihood, begin, method="L-BFGS-B", bounds=[(-20.0, 20.0), (-50.0, 0.0)])
    bias, slope = (float(value) for value in found.x)
    return ErrorModel(bias - slope * middle, slope, int(words.sum()))
