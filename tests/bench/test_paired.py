import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.paired import Shift, share, tail, typical
from bench.quantiles import quantiles

TENTHS = st.integers(-10_000, 10_000).map(lambda tenths: tenths / 10)
RUNS = st.lists(st.tuples(TENTHS, TENTHS), min_size=1, max_size=40)


def test_what_every_clip_lost_is_the_shift_and_its_whole_interval() -> None:
    before = [100.0, 250.0, 700.0]
    assert typical(before, [ms + 30 for ms in before]) == Shift(30, 30, 30)
    assert share([0, 1, 0], [1, 2, 1]) == Shift(1, 1, 1)


def test_a_few_clips_that_moved_far_are_seen_in_the_tail_and_not_in_the_typical_clip() -> None:
    before = [100.0] * 100
    after = [100.0] * 80 + [600.0] * 20
    assert typical(before, after).ms == 0
    assert tail(before, after) == Shift(500, 500, 500)


def test_one_clip_in_twenty_that_was_held_up_proves_nothing() -> None:
    before = [100.0] * 20
    assert tail(before, [*before[:19], 900.0]).low_ms == 0


@given(RUNS)
def test_the_shift_lies_in_its_interval_and_turns_with_the_runs(runs: list[tuple[float, float]]) -> None:
    before, after = zip(*runs, strict=True)
    there, back = typical(before, after), typical(after, before)
    assert there.low_ms <= there.ms <= there.high_ms
    assert there.ms == -back.ms
    assert there == typical(before, after)


@given(RUNS)
def test_the_tail_is_of_the_percentiles_that_are_reported(runs: list[tuple[float, float]]) -> None:
    before, after = zip(*runs, strict=True)
    one, other = quantiles(before)["p95"], quantiles(after)["p95"]
    assert one is not None
    assert other is not None
    assert tail(before, after).ms == pytest.approx(other - one)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    """Nominally 95 of 100; the bootstrap of a median over 20 clips comes out between 90 and 98."""
    generator = np.random.default_rng(1)
    held = 0
    for _ in range(300):
        before = generator.normal(200, 60, 20)
        shift = typical(list(before), list(before + generator.normal(50, 30, 20)))
        held += shift.low_ms <= 50 <= shift.high_ms
    assert 0.90 <= held / 300 <= 0.98


@pytest.mark.parametrize("shift", [typical, tail, share])
def test_runs_of_other_clips_are_a_mistake_of_the_caller(shift) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match="the same clips twice, got 1 and 2"):
        shift([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="got 0 and 0"):
        shift([], [])
