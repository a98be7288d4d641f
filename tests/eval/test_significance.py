from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.significance import holm, sign_flip_p_value

CHANGES = st.lists(st.integers(-4, 4), max_size=7)
P_VALUES = st.lists(st.floats(0.0, 1.0), max_size=12)


def flipped(changes: Sequence[int]) -> float:
    """Each clip by a speaker of its own."""
    return sign_flip_p_value(changes, [None] * len(changes))


@given(CHANGES)
def test_flipped_signs_are_counted_exactly(changes: list[int]) -> None:
    sums = [sum(sign * change for sign, change in zip(signs, changes, strict=True)) for signs in product((-1, 1), repeat=len(changes))]
    expected = sum(abs(one) >= abs(sum(changes)) for one in sums) / len(sums)
    assert flipped(changes) == pytest.approx(expected)


def test_a_handful_of_clips_never_proves_anything() -> None:
    assert flipped([]) == 1.0
    assert flipped([0, 0, 0]) == 1.0
    assert flipped([40]) == 1.0
    assert flipped([1, 1]) == 0.5
    assert flipped([1] * 10) == pytest.approx(2 / 1024)


def test_the_sign_of_all_changes_does_not_matter_and_unchanged_clips_neither() -> None:
    assert flipped([3, 1, -2]) == flipped([-3, -1, 2]) == flipped([3, 0, 1, 0, -2])


def test_many_clips_are_counted_exactly_too() -> None:
    """Against the normal distribution, which a sum of 20 000 signs follows: two standard deviations and more are 4.55 %."""
    changes = [1] * 10_142 + [-1] * 9_858
    assert flipped(changes) == pytest.approx(0.0455, abs=0.001)


def test_clips_of_one_speaker_change_sign_together() -> None:
    assert sign_flip_p_value([1] * 10, ["anna"] * 10) == 1.0
    assert sign_flip_p_value([1] * 10, ["anna"] * 5 + ["bert"] * 5) == 0.5
    assert sign_flip_p_value([2, 1, -1, 3], ["anna", "bert", "anna", None]) == flipped([1, 1, 3])


def test_what_each_speaker_gains_or_loses_by_chance_is_seldom_significant() -> None:
    """Speakers whose clips all change alike, in either direction: by clip it is significant in most draws, by speaker in one of twenty."""
    random = np.random.default_rng(0)
    speakers = [f"{number // 10}" for number in range(120)]
    draws = [np.repeat(random.integers(-3, 4, 12), 10).tolist() for _ in range(300)]
    by_speaker = sum(sign_flip_p_value(changes, speakers) < 0.05 for changes in draws) / len(draws)
    by_clip = sum(flipped(changes) < 0.05 for changes in draws) / len(draws)
    assert by_speaker < 0.08
    assert by_clip > 0.4


def test_holm_corrects_as_in_the_textbook() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(P_VALUES)
def test_corrected_values_are_no_smaller_at_most_one_and_in_the_same_order(p_values: list[float]) -> None:
    corrected = holm(p_values)
    assert all(before <= after <= 1.0 for before, after in zip(p_values, corrected, strict=True))
    ranked = sorted(zip(p_values, corrected, strict=True))
    assert [after for _, after in ranked] == sorted(corrected)


def test_one_value_needs_no_correction() -> None:
    assert holm([0.2]) == [0.2]
    assert holm([]) == []
