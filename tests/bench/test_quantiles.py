import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.quantiles import quantiles

TENTHS = st.lists(st.integers(-10_000, 10_000).map(lambda tenths: tenths / 10), min_size=1, max_size=300)


def test_of_one_to_a_hundred_the_quantiles_are_their_own_names() -> None:
    assert quantiles(float(ms) for ms in range(1, 101)) == {"p50": 50.0, "p95": 95.0, "p99": 99.0, "max": 100.0}


def test_of_nothing_there_are_none() -> None:
    assert quantiles([]) == {"p50": None, "p95": None, "p99": None, "max": None}


@pytest.mark.parametrize("count", [1, 2, 20])
def test_of_few_the_99th_percentile_is_the_largest(count: int) -> None:
    values = [float(ms) for ms in range(count)]
    assert quantiles(values)["p99"] == values[-1]


@given(TENTHS)
def test_every_quantile_was_measured_and_they_ascend(values: list[float]) -> None:
    found = [value for value in quantiles(values).values() if value is not None]
    assert set(found) <= set(values)
    assert found == sorted(found)
