import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_server.budget import SLICE_NAMES, BudgetError, Deadline, LatencyBudget


def test_the_default_is_500_ms_of_which_recognition_has_300() -> None:
    budget = LatencyBudget()

    assert budget.total_ms == 500
    assert dict(budget.slices())["asr"] == 300
    assert sum(ms for _, ms in budget.slices()) == 500


def test_slices_come_in_the_order_in_which_they_are_spent() -> None:
    assert [name for name, _ in LatencyBudget().slices()] == list(SLICE_NAMES)


def test_slices_above_the_total_are_refused_with_both_numbers() -> None:
    with pytest.raises(BudgetError, match=r"add up to 501 ms, more than the total of 500 ms"):
        LatencyBudget(asr_ms=301)


def test_slices_below_the_total_are_accepted() -> None:
    assert LatencyBudget(asr_ms=200).asr_ms == 200


@pytest.mark.parametrize("name", ["total_ms", *(f"{name}_ms" for name in SLICE_NAMES)])
def test_nothing_negative_is_accepted(name: str) -> None:
    with pytest.raises(BudgetError, match=f"{name} is -1 ms"):
        LatencyBudget(**{name: -1.0})


@settings(deadline=None)
@given(total_ms=st.floats(min_value=200, max_value=5000))
def test_scaling_keeps_the_proportions_and_is_never_refused(total_ms: float) -> None:
    budget = LatencyBudget()
    scaled = budget.scaled_to(total_ms)

    assert scaled.total_ms == total_ms
    for (name, ms), (_, scaled_ms) in zip(budget.slices(), scaled.slices(), strict=True):
        assert scaled_ms / total_ms == pytest.approx(ms / budget.total_ms), name


def test_a_deadline_counts_down_and_goes_negative() -> None:
    deadline = Deadline.after(10.0, 500)

    assert deadline.remaining_ms(10.0) == pytest.approx(500)
    assert deadline.remaining_ms(10.4) == pytest.approx(100)
    assert deadline.remaining_ms(10.6) == pytest.approx(-100)


def test_the_earlier_deadline_sorts_first() -> None:
    assert sorted([Deadline(3.0), Deadline(1.0), Deadline(2.0)]) == [Deadline(1.0), Deadline(2.0), Deadline(3.0)]
