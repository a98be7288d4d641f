"""How far a rate could have come out otherwise: bootstrap over speakers, then over their clips.

Errors of one speaker, and of one clip, go together, so words are not independent draws (Bisani and Ney, "Bootstrap estimates for confidence
intervals in ASR performance evaluation", ICASSP 2004; for speakers as blocks: Liu et al., "Statistical testing on ASR performance via
blockwise bootstrap", Interspeech 2020). A draw takes as many speakers as there are, with replacement, and from each speaker drawn as many
clips as that speaker has, with replacement. A clip without a speaker counts as a speaker of its own. Seeded: the same clips give the same
interval, and two systems are compared on the same draws.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eval.wer import ErrorCounts

RESAMPLES = 2_000


@dataclass(frozen=True, slots=True)
class Sampled:
    """The errors of one clip, and whose clip it is."""

    counts: ErrorCounts
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """B less A, as shares of the reference words: 0.01 is one point of WER more."""

    rate: float
    low: float
    high: float
    """Where 95 of 100 draws fall."""
    p_value: float
    """Two-sided: how often draws fall on the other side of no difference, doubled; from 1 / RESAMPLES to 1."""


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
    drawn = draws(speakers, seed=seed)
    found = _rates(drawn, after) - _rates(drawn, before)
    found = found[~np.isnan(found)]
    low, high = np.quantile(found, [0.025, 0.975])
    beyond = min(np.count_nonzero(found <= 0), np.count_nonzero(found >= 0)) / len(found)
    rate = (sum(counts.errors for counts in after) - sum(counts.errors for counts in before)) / total_words
    return Difference(rate, float(low), float(high), float(min(max(2 * beyond, 1 / len(found)), 1.0)))


def draws(speakers: Sequence[str | None], *, seed: int) -> NDArray[np.int64]:
    """How often each clip is in each draw; shape (RESAMPLES, clips)."""
    owners = [speaker if speaker is not None else index for index, speaker in enumerate(speakers)]
    clips_of = {owner: [index for index, one in enumerate(owners) if one == owner] for owner in dict.fromkeys(owners)}
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
