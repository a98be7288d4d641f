"""Tests of a difference that stay honest with few clips, and with many questions asked at once. Pure."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from eval.speakers import owners


def sign_flip_p_value(changes: Sequence[int], speakers: Sequence[str | None]) -> float:
    """Two-sided chance of a sum at least as far from 0, were each speaker's change as likely to be of the other sign.

    Exact: two changed speakers can never give less than 0.5, ten not less than 0.002. A bootstrap of a handful of clips is not so: it knows
    no clips but these, and calls any change certain that all of them share (the paired randomisation test; Noreen, "Computer-intensive
    methods for testing hypotheses", 1989). `changes` are of clips, `speakers` whose they are; a clip without a speaker counts as a speaker
    of its own. Clips of one speaker change sign together, since what one voice gains or loses all its clips do.

    Simulated for the gate of sets (4 sets of 8 speakers with 10 clips of 20 words; error rate 10 %, each speaker's by chance up to another
    one in the run after; 400 comparisons a row): the share in which a set fails though none is worse.

        standard deviation of the speakers' changes    by speaker    were clips flipped one by one
        0 points                                       0.8 %         2.2 %
        2 points                                       0.8 %         6.5 %
        4 points                                       1.2 %         16.0 %
        8 points                                       0.8 %         43.8 %
    """
    together: Counter[str | int] = Counter()
    for change, owner in zip(changes, owners(speakers), strict=True):
        together[owner] += change
    reach = sum(abs(change) for change in together.values())
    size = 2 * reach + 1
    # The chances of a sum of independent changes: the product of their spectra, each a cosine, turned back.
    angles = 2 * np.pi / size * np.arange(size)
    spectrum = np.ones(size)
    for change, times in sorted(Counter(abs(change) for change in together.values()).items()):
        spectrum *= np.cos(change * angles) ** times
    chances = np.fft.ifft(spectrum).real
    steps = np.arange(size)
    beyond = chances[np.minimum(steps, size - steps) >= abs(sum(changes))].sum()
    return round(min(max(float(beyond), 0.0), 1.0), 12)  # what rounding adds is below that


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
