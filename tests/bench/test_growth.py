"""Growth is told from the ups and downs of a healthy server, on series made by hand."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.growth import MIN_SAMPLES, Sample, files_level, memory_trend, thirds, threads_level

RUN_S = 3600.0
SAMPLES = 240


def series(resident_mb: Callable[[float], float], count: int = SAMPLES) -> list[Sample]:
    """A run of an hour; memory by the share of it that has passed."""
    return [Sample(index / count * RUN_S, resident_mb(index / count)) for index in range(count)]


def flat(_: float) -> float:
    return 400.0


def sawtooth(share: float) -> float:
    """A garbage collector: up by 60 MB, then down again, twelve times."""
    return 400.0 + 60.0 * (share * 12 % 1.0)


def step(share: float) -> float:
    """A second arena, taken once."""
    return 400.0 if share < 0.6 else 460.0


def filling(share: float) -> float:
    """Caches that fill in the warm-up."""
    return 400.0 + min(share / 0.25, 1.0) * 100.0


def spikes(share: float) -> float:
    """A large file now and then."""
    return 700.0 if round(share * SAMPLES) % 17 == 0 else 400.0


def shrinking(share: float) -> float:
    return 500.0 - 100.0 * share


@pytest.mark.parametrize("healthy", [flat, sawtooth, step, filling, spikes, shrinking])
def test_a_healthy_server_does_not_grow(healthy: Callable[[float], float]) -> None:
    trend = memory_trend(series(healthy))
    assert trend is not None
    assert not trend.grows


def leak(share: float) -> float:
    return 400.0 + 40.0 * share


def leak_under_a_sawtooth(share: float) -> float:
    return sawtooth(share) + 80.0 * share


def leak_in_steps(share: float) -> float:
    """Pages come in blocks."""
    return 400.0 + 10.0 * round(share * 8)


@pytest.mark.parametrize("leaking", [leak, leak_under_a_sawtooth, leak_in_steps])
def test_a_leak_is_caught(leaking: Callable[[float], float]) -> None:
    trend = memory_trend(series(leaking))
    assert trend is not None
    assert trend.grows


def test_a_leak_is_told_in_megabytes_an_hour_and_over_the_judged_three_quarters() -> None:
    trend = memory_trend(series(leak))
    assert trend is not None
    assert trend.mb_per_hour == pytest.approx(40.0)
    assert trend.over_run_mb == pytest.approx(30.0, abs=0.5)
    assert trend.low_mb_per_hour <= trend.mb_per_hour <= trend.high_mb_per_hour


def test_the_bound_is_16_mb_or_5_percent_and_says_which_leak_is_too_slow_to_be_seen() -> None:
    small, large = memory_trend(series(flat)), memory_trend(series(lambda _: 1000.0))
    assert small is not None
    assert large is not None
    assert (small.bound_mb, large.bound_mb) == (20.0, 50.0)
    assert small.smallest_seen_mb_per_hour == pytest.approx(20.0 / 0.75, rel=0.01)
    tiny = memory_trend(series(lambda _: 100.0))
    assert tiny is not None
    assert tiny.bound_mb == 16.0


@given(st.integers(0, 1000), st.floats(0, 15))
def test_noise_around_a_level_is_not_growth(seed: int, spread_mb: float) -> None:
    noise = np.random.default_rng(seed).normal(400.0, spread_mb, SAMPLES)
    trend = memory_trend([Sample(index * 15.0, float(mb)) for index, mb in enumerate(noise)])
    assert trend is not None
    assert not trend.grows


def test_too_short_a_run_and_an_unknown_process_are_not_judged() -> None:
    assert memory_trend(series(leak, count=MIN_SAMPLES)) is None
    assert memory_trend([Sample(float(at_s), sessions=2) for at_s in range(100)]) is None
    assert threads_level([Sample(float(at_s)) for at_s in range(100)]) is None
    assert memory_trend([]) is None


def threads(counts: list[int]) -> list[Sample]:
    return [Sample(float(at_s), threads=count, open_files=count) for at_s, count in enumerate(counts)]


def test_threads_that_stay_are_told_by_the_medians_of_the_second_and_the_last_quarter() -> None:
    level = threads_level(threads([5] * 25 + [10] * 25 + [40] * 25 + [13] * 25))
    assert level is not None
    assert (level.early, level.late, level.grows) == (10, 13, True)


def test_a_few_more_threads_or_files_are_let_pass() -> None:
    samples = threads([10] * 50 + [12] * 50)
    level = threads_level(samples)
    assert level is not None
    assert not level.grows
    files = files_level(threads([10] * 50 + [15] * 50))
    assert files is not None
    assert files.grows


def test_files_that_are_opened_and_closed_are_not_growth() -> None:
    level = files_level(threads([20, 20, 20, 40] * 25))
    assert level is not None
    assert not level.grows


def times(first_ms: float, last_ms: float, count: int = 90) -> list[tuple[float, float]]:
    return [(at_s, first_ms if at_s < count / 2 else last_ms) for at_s in map(float, range(count))]


@pytest.mark.parametrize(
    ("first_ms", "last_ms", "slower"),
    [(500, 740, False), (500, 760, True), (500, 300, False), (20, 60, False)],
)
def test_half_as_long_again_is_slower_and_a_few_milliseconds_are_not(first_ms: float, last_ms: float, slower: bool) -> None:
    assert thirds(times(first_ms, last_ms), 90.0).slower is slower


def test_a_third_with_too_few_clips_is_not_judged() -> None:
    found = thirds(times(500, 5000, count=57), 57.0)
    assert (found.clips, found.judged, found.slower) == ((19, 19), False, False)
    nothing = thirds([], 90.0)
    assert (nothing.judged, nothing.slower, nothing.first["p95"]) == (False, False, None)
