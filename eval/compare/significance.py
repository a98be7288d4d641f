"""Tests of a difference that stay honest with few clips, and with many questions asked at once. Pure."""

from collections.abc import Sequence

import numpy as np


def sign_flip_p_value(changes: Sequence[int]) -> float:
    """Two-sided chance of a sum at least as far from 0, were each clip's change as likely to be of the other sign.

    Exact: two changed clips can never give less than 0.5, ten not less than 0.002. A bootstrap of a handful of clips is not so: it knows no
    clips but these, and calls any change certain that all of them share (the paired randomisation test; Noreen, "Computer-intensive methods
    for testing hypotheses", 1989).
    """
    reach = sum(abs(change) for change in changes)
    chances = np.zeros(2 * reach + 1)
    chances[reach] = 1.0
    for change in filter(None, changes):
        chances = (np.roll(chances, change) + np.roll(chances, -change)) / 2  # what is rolled over the edge is 0
    sums = np.arange(-reach, reach + 1)
    return min(float(chances[np.abs(sums) >= abs(sum(changes))].sum()), 1.0)


def holm(p_values: Sequence[float]) -> list[float]:
    """The same p-values, corrected for their number: with these, one false finding in any of them is as rare as it was in one.

    Holm, "A simple sequentially rejective multiple test procedure", 1979.
    """
    corrected = [1.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda index: p_values[index])):
        highest = max(highest, min((len(p_values) - rank) * p_values[index], 1.0))
        corrected[index] = highest
    return corrected
