import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.quantiles import percentile, quantiles

TENTHS = st.lists(st.integers(-10_000, 10_000).map(lambda tenths: tenths / 10), min_size=1, max_size=300)


def test_of_one_to_a_hundred_the_quantiles_are_their_own_names() -> None:
    assert quantiles(float(ms) for ms in range(1, 101)) == {"p50": 50.0, "p95": 95.0, "p99": 99.0, "max": 100.0}


def test_of_nothing_there_are_none() -> None:
    assert quantiles([]) == {"p50": None, "p95": None, "p99": None, "max": None}


@pytest.mark.parametrize("percent", range(1, 101))
def test_any_percentile_of_one_to_a_hundred_is_its_own_name(percent: int) -> None:
    assert percentile([float(ms) for ms in range(100, 0, -1)], percent) == percent


def test_of_nothing_there_is_no_percentile() -> None:
    assert percentile([], 95) is None


@given(TENTHS)
def test_a_percentile_is_the_same_as_the_quantile_of_that_name(values: list[float]) -> None:
    found = quantiles(values)
    assert [percentile(values, percent) for percent in (50, 95, 99, 100)] == [found[name] for name in ("p50", "p95", "p99", "max")]


@pytest.mark.parametrize("count", [1, 2, 20])
def test_of_few_the_99th_percentile_is_the_largest(count: int) -> None:
    values = [float(ms) for ms in range(count)]
    assert quantiles(values)["p99"] == values[-1]


@given(TENTHS)
def test_every_quantile_was_measured_and_they_ascend(values: list[float]) -> None:
    found = [value for value in quantiles(values).values() if value is not None]
    assert set(found) <= set(values)
    assert found == sorted(found)
