"""How well what a server knows without any label tells how many words are wrong: held against the real error rate. Pure.

`predictors` tells what moves with the error rate, `expected` whether the rate itself is told: by an error model fitted on recordings as
they are, of others and under changes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from asr_server.accuracy.wer import ErrorCounts, total
from asr_server.watch.drift.expected import ErrorModel, fit
from asr_server.watch.drift.expected import Judged as DoubtedRecording

PREDICTORS = ("log_probability", "no_speech_probability", "empty", "second_opinion")
"""Features of segments, and the share of words that a second opinion has otherwise."""
LEAST = 5


@dataclass(frozen=True, slots=True)
class Judged:
    """A recording under a condition: the real errors, and the means of what its segments told."""

    condition: str
    clip: str
    errors: ErrorCounts
    told: Mapping[str, float]
    doubts: ErrorCounts
    """Of second opinions."""

    def value(self, name: str) -> float | None:
        return self.doubts.rate if name == "second_opinion" else self.told.get(name)


def means_of(segments: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of each feature over the segments that have it."""
    names = dict.fromkeys(name for segment in segments for name in segment)
    return {name: float(np.mean([segment[name] for segment in segments if name in segment])) for name in names}


def predictors(judged: Sequence[Judged]) -> dict[str, Any]:
    """Of each predictor the rank correlation (Spearman) with the error rate: over recordings, and over conditions as wholes."""
    by_condition: dict[str, list[Judged]] = {}
    for one in judged:
        by_condition.setdefault(one.condition, []).append(one)
    return {
        name: {
            "recordings": _correlation([(one.value(name), one.errors.rate) for one in judged]),
            "conditions": _correlation([(_mean(of_it, name), total(one.errors for one in of_it).rate) for of_it in by_condition.values()]),
        }
        for name in PREDICTORS
    }


def expected(judged: Sequence[Judged], fitted_on: Sequence[Judged]) -> dict[str, dict[str, float | None]]:
    """By condition: the error rate, and the one that the model expects, each of all words together. Nothing where too little is known for a
    model."""
    model = fit(DoubtedRecording(one.told["log_probability"], one.errors) for one in fitted_on if "log_probability" in one.told)
    if model is None:
        return {}
    by_condition: dict[str, list[Judged]] = {}
    for one in judged:
        if "log_probability" in one.told:
            by_condition.setdefault(one.condition, []).append(one)
    return {
        name: {"wer": _rounded(total(one.errors for one in of_it).rate), "expected": _rounded(_expected(model, of_it))}
        for name, of_it in by_condition.items()
    }


def _expected(model: ErrorModel, judged: Sequence[Judged]) -> float | None:
    words = sum(one.errors.words for one in judged)
    return sum(one.errors.words * model.rate(one.told["log_probability"]) for one in judged) / words if words else None


def _rounded(rate: float | None) -> float | None:
    return None if rate is None else round(rate, 4)


def _mean(judged: Sequence[Judged], name: str) -> float | None:
    if name == "second_opinion":
        return total(one.doubts for one in judged).rate
    values = [value for one in judged if (value := one.value(name)) is not None]
    return float(np.mean(values)) if values else None


def _correlation(pairs: Sequence[tuple[float | None, float | None]]) -> float | None:
    """None of too few, and where all are the same."""
    known = [(one, other) for one, other in pairs if one is not None and other is not None]
    if len(known) < LEAST or len({one for one, _ in known}) < 2 or len({other for _, other in known}) < 2:
        return None
    return round(float(spearmanr([one for one, _ in known], [other for _, other in known]).statistic), 3)
