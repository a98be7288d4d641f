from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.compare.significance import holm, sign_flip_p_value

CHANGES = st.lists(st.integers(-4, 4), max_size=7)
P_VALUES = st.lists(st.floats(0.0, 1.0), max_size=12)


@given(CHANGES)
def test_flipped_signs_are_counted_exactly(changes: list[int]) -> None:
    sums = [sum(sign * change for sign, change in zip(signs, changes, strict=True)) for signs in product((-1, 1), repeat=len(changes))]
    expected = sum(abs(one) >= abs(sum(changes)) for one in sums) / len(sums)
    assert sign_flip_p_value(changes) == pytest.approx(expected)


def test_a_handful_of_clips_never_proves_anything() -> None:
    assert sign_flip_p_value([]) == 1.0
    assert sign_flip_p_value([0, 0, 0]) == 1.0
    assert sign_flip_p_value([40]) == 1.0
    assert sign_flip_p_value([1, 1]) == 0.5
    assert sign_flip_p_value([1] * 10) == pytest.approx(2 / 1024)


def test_the_sign_of_all_changes_does_not_matter_and_unchanged_clips_neither() -> None:
    assert sign_flip_p_value([3, 1, -2]) == sign_flip_p_value([-3, -1, 2]) == sign_flip_p_value([3, 0, 1, 0, -2])


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
