"""How far a rate could have come out otherwise: bootstrap over speakers, then over their clips.

Errors of one speaker, and of one clip, go together, so words are not independent draws (Bisani and Ney, "Bootstrap estimates for confidence
intervals in ASR performance evaluation", ICASSP 2004; for speakers as blocks: Liu et al., "Statistical testing on ASR performance via
blockwise bootstrap", Interspeech 2020). A draw takes as many speakers as there are, with replacement, and from each speaker drawn as many
clips as that speaker has, with replacement. A clip without a speaker counts as a speaker of its own. Seeded: the same clips give the same
interval, and two systems are compared on the same draws.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from asr_server.accuracy.wer import ErrorCounts
from eval.significance import sign_flip_p_value
from eval.speakers import owners

RESAMPLES = 2_000
FALSE_ALARMS = 0.05
"""Share of collections without any difference in which one is found for sure."""


@dataclass(frozen=True, slots=True)
class Sampled:
    """The errors of one clip, and whose clip it is."""

    counts: ErrorCounts
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """B less A, as shares of the reference words: 0.01 is one point of WER more."""

    rate: float
    ci95: tuple[float, float] | None
    """Where 95 of 100 draws fall. None of a single clip, which does not tell how others would differ."""
    p_value: float
    """Two-sided, of the signs of the speakers' changes: draws of a handful of clips would be certain of anything that these share."""


def ci95(clips: Sequence[Sampled], *, seed: int = 0) -> tuple[float, float] | None:
    """Where the corpus rate falls in 95 of 100 draws. None when there are no reference words, and of a single clip, which does not tell
    how others would differ."""
    if len(clips) < 2 or not sum(clip.counts.words for clip in clips):
        return None
    drawn = draws([clip.speaker for clip in clips], seed=seed)
    rates = _rates(drawn, [clip.counts for clip in clips])
    low, high = np.nanquantile(rates, [0.025, 0.975])
    return float(low), float(high)


def difference(
    before: Sequence[ErrorCounts],
    after: Sequence[ErrorCounts],
    speakers: Sequence[str | None],
    *,
    seed: int = 0,
) -> Difference | None:
    """`after` less `before`, clip by clip the same recordings (a paired bootstrap). None when there are no reference words."""
    total_words = sum(counts.words for counts in before)
    if not total_words:
        return None
    changes = [two.errors - one.errors for one, two in zip(before, after, strict=True)]
    return Difference(sum(changes) / total_words, _difference_ci95(before, after, speakers, seed), sign_flip_p_value(changes, speakers))


def _difference_ci95(
    before: Sequence[ErrorCounts], after: Sequence[ErrorCounts], speakers: Sequence[str | None], seed: int
) -> tuple[float, float] | None:
    if len(before) < 2:
        return None
    drawn = draws(speakers, seed=seed)
    low, high = np.nanquantile(_rates(drawn, after) - _rates(drawn, before), [0.025, 0.975])
    return float(low), float(high)


def least_difference(
    drawn: NDArray[np.int64], inside: Sequence[ErrorCounts], rest: Sequence[ErrorCounts], *, units: int, asked: int
) -> float | None:
    """By how much the rate of `inside` is surely above that of `rest`; below 0 when it is not sure to be above at all. None when either
    has no reference words.

    `inside` and `rest` hold what each clip has of the one and of the other, one each for every clip of `drawn`; `units`: how many
    independent ones, speakers as a rule, the side that has fewer of them is of, two or more. The lower bound of a one-sided interval
    that fails in 5 % of the collections for *any* of the `asked` differences together (Bonferroni). So far out 2000 draws have nothing
    to count (of 60 differences: less than two draws), and a few speakers that happen to be alike spread too little: the bound is that
    of Student's t, with one degree of freedom fewer than `units`, at the standard error that the draws give. Errors are skewed to the
    right, which makes a lower bound so far out the safer.
    """
    words = [sum(counts.words for counts in side) for side in (inside, rest)]
    if not all(words):
        return None
    errors = [sum(counts.errors for counts in side) for side in (inside, rest)]
    # A bootstrap of n values has (n - 1) / n of their variance.
    error = float(np.nanstd(_rates(drawn, inside) - _rates(drawn, rest))) * math.sqrt(units / (units - 1))
    return errors[0] / words[0] - errors[1] / words[1] - float(stdtrit(units - 1, 1.0 - FALSE_ALARMS / asked)) * error


def draws(speakers: Sequence[str | None], *, seed: int) -> NDArray[np.int64]:
    """How often each clip is in each draw; shape (RESAMPLES, clips)."""
    clips_of: dict[str | int, list[int]] = {}
    for index, owner in enumerate(owners(speakers)):
        clips_of.setdefault(owner, []).append(index)
    generator = np.random.default_rng(seed)
    often = generator.multinomial(len(clips_of), np.full(len(clips_of), 1 / len(clips_of)), size=RESAMPLES)
    drawn = np.zeros((RESAMPLES, len(speakers)), np.int64)
    for column, clips in enumerate(clips_of.values()):
        drawn[:, clips] = generator.multinomial(often[:, column] * len(clips), np.full(len(clips), 1 / len(clips)))
    return drawn


def _rates(drawn: NDArray[np.int64], counts: Sequence[ErrorCounts]) -> NDArray[np.float64]:
    """Of each draw; NaN where a draw has no reference words."""
    errors = drawn @ np.array([one.errors for one in counts], np.int64)
    words = drawn @ np.array([one.words for one in counts], np.int64)
    rates = np.full(len(words), np.nan)
    np.divide(errors, words, out=rates, where=words > 0)
    return rates
