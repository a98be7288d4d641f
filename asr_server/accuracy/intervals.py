"""How far a rate could have come out otherwise. Of segments that were drawn by chance, each by itself: of clips by some speakers
`eval.intervals` knows more."""

import math
from collections.abc import Sequence

import numpy as np

from asr_server.accuracy.wer import ErrorCounts

RESAMPLES = 1_000
_Z = 1.959964
"""Of 95 % of a normal distribution."""


def share_ci95(found: int, asked: int) -> tuple[float, float] | None:
    """Of a share: Wilson's interval (JASA 22, 1927), which stays inside 0 to 1 and says something of 0 in 20. None of nothing."""
    if not asked:
        return None
    share, spread = found / asked, _Z * _Z / asked
    middle = (share + spread / 2) / (1 + spread)
    half = _Z * math.sqrt(share * (1 - share) / asked + spread / (4 * asked)) / (1 + spread)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def rate_ci95(segments: Sequence[ErrorCounts]) -> tuple[float, float] | None:
    """Of an error rate: 95 of 100 draws of as many segments, with replacement, fall inside; seeded. None of fewer than two, and without
    words."""
    words = np.array([one.words for one in segments], np.int64)
    if len(segments) < 2 or not words.sum():
        return None
    errors = np.array([one.errors for one in segments], np.int64)
    often = np.random.default_rng(0).multinomial(len(segments), np.full(len(segments), 1 / len(segments)), size=RESAMPLES)
    drawn_words = often @ words
    rates = (often @ errors)[drawn_words > 0] / drawn_words[drawn_words > 0]
    low, high = np.quantile(rates, [0.025, 0.975])
    return float(low), float(high)
