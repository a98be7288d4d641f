"""One feature against its reference: ranks as they would come."""

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr
from scipy.stats import ks_2samp, kstest

from asr_server.watch.drift.detector import Departure, DetectorOptions, FeatureWatch, Return, ks_p, psi, wasserstein

REFERENCE_SEGMENTS = 5_000
OPTIONS = DetectorOptions()


def watch(seed: int = 0) -> FeatureWatch:
    return FeatureWatch(REFERENCE_SEGMENTS, OPTIONS, seed)


def pushed(one: FeatureWatch, deviates: Iterable[float]) -> list[tuple[int, Departure | Return]]:
    """What was said, and after how many."""
    said = []
    for number, deviate in enumerate(deviates, 1):
        rank = float(ndtr(deviate))
        if (found := one.push(rank, rank)) is not None:
            said.append((number, found))
    return said


def draws(count: int, mean: float = 0.0, spread: float = 1.0, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, spread, count)


def test_as_long_as_nothing_changes_nothing_is_said() -> None:
    for seed in range(20):
        assert pushed(watch(seed), draws(2_000, seed=seed)) == []


@pytest.mark.parametrize(("shift", "within"), [(1.0, 60), (-1.0, 60), (2.0, 20), (-3.0, 15)])
def test_a_sudden_shift_is_seen_soon_with_its_direction_and_where_it_began(shift: float, within: int) -> None:
    one = watch()
    assert pushed(one, draws(500)) == []
    ((after, found),) = pushed(one, draws(100, mean=shift, seed=2))[:1]
    assert isinstance(found, Departure)
    assert (found.kind, np.sign(found.shift)) == ("sudden", np.sign(shift))
    assert after <= within
    assert abs(found.since - after) <= 15


def test_a_spread_that_grows_without_a_shift_is_seen_too() -> None:
    one = watch()
    said = pushed(one, np.concatenate([draws(500), draws(400, spread=2.5, seed=3)]))
    assert isinstance(said[0][1], Departure)
    assert 500 < said[0][0] <= 800


def test_a_slow_shift_is_seen_before_it_is_over() -> None:
    ramp = draws(500, seed=4) + np.linspace(0, 2, 500)
    said = pushed(watch(), np.concatenate([draws(500), ramp]))
    assert isinstance(said[0][1], Departure)
    assert 500 < said[0][0] < 950


def test_what_drifts_is_told_once_and_when_it_is_back() -> None:
    one = watch()
    said = pushed(one, np.concatenate([draws(400), draws(600, mean=2, seed=5), draws(600, seed=6), draws(400, mean=2, seed=7)]))
    assert [type(found) for _, found in said] == [Departure, Return, Departure]
    assert one.is_drifting
    assert 1_000 < said[1][0] <= 1_400


def test_a_caller_whose_segments_are_alike_is_one_caller() -> None:
    def said(options: DetectorOptions) -> int:
        told, draw = 0, np.random.default_rng(21)
        for seed in range(10):
            one = FeatureWatch(REFERENCE_SEGMENTS, options, seed)
            for caller in draw.normal(size=500):
                for nth in range(1, 5):
                    rank = float(ndtr(math.sqrt(0.6) * caller + math.sqrt(0.4) * draw.normal()))
                    told += one.push(rank, rank, nth) is not None
        return told

    weighted, plain = said(OPTIONS), said(replace(OPTIONS, repetition=0.0))
    assert weighted <= 2, "one in 20,000 segments, and that it is over"
    assert plain >= 10, "with each segment counted as a caller"


def test_callers_who_have_all_changed_are_found_however_long_they_speak() -> None:
    one, found_after = watch(), 0
    for number in range(300):
        if one.push(*(float(ndtr(draws(1, mean=-3.0 if number >= 150 else 0.0, seed=number // 3)[0])),) * 2, number % 3 + 1):
            found_after = found_after or number - 150
    assert 0 < found_after <= 30


def test_one_wild_segment_is_no_drift() -> None:
    deviates = draws(1_000)
    deviates[::100] = 6
    assert pushed(watch(), deviates) == []


def test_a_feature_that_is_nearly_always_the_same_is_quiet_until_it_is_not() -> None:
    """Such as clipping: none in 95 of 100 segments of the reference."""
    one, draw = watch(), np.random.default_rng(8)
    for _ in range(2_000):
        ranks = (0.0, 0.95) if draw.random() < 0.95 else (0.97, 0.97)
        assert one.push(*ranks) is None
    said = [found for _ in range(40) if (found := one.push(0.99, 0.99)) is not None]
    assert isinstance(said[0], Departure)


@pytest.mark.parametrize(("distance", "severity"), [(0.5, "slight"), (1.0, "marked"), (2.0, "severe")])
def test_severity_is_by_how_far_it_went(distance: float, severity: str) -> None:
    assert Departure("sudden", 10, distance, distance, 0.3).severity == severity


@settings(deadline=None)
@given(st.integers(20, 500), st.integers(0, 2**32 - 1))
def test_the_test_of_one_even_sample_is_the_librarys(count: int, seed: int) -> None:
    ranks = np.random.default_rng(seed).random(count)
    ours = ks_p(ranks, reference_segments=10**9)
    assert ours == pytest.approx(kstest(ranks, "uniform").pvalue, rel=0.02, abs=1e-6)


def test_a_small_reference_makes_the_test_less_sure() -> None:
    draw = np.random.default_rng(3)
    reference, sample = draw.normal(size=200), draw.normal(0.4, 1, 300)
    ranks = np.searchsorted(np.sort(reference), sample) / len(reference)
    assert ks_p(ranks, len(reference)) == pytest.approx(ks_2samp(sample, reference).pvalue, rel=0.7)


def test_indices_of_alike_and_of_shifted_samples() -> None:
    same, shifted = draws(2_000), draws(2_000, mean=1)
    assert psi(ndtr(same)) < 0.02
    assert psi(ndtr(shifted)) > 0.5
    assert wasserstein(same) < 0.05
    assert wasserstein(shifted) == pytest.approx(1.0, abs=0.1)
