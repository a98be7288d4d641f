"""The error rate that a recogniser's doubt tells: fitted on what is known, and believed no further than it was fitted."""

import math
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_server.accuracy.wer import ErrorCounts
from asr_server.watch.drift.expected import LEAST_RECORDINGS, ErrorModel, Judged, fit


def judged(seed: int, recordings: int, bias: float, slope: float) -> Iterator[Judged]:
    """Words are wrong just as often as such a model says."""
    draw = np.random.default_rng(seed)
    for _ in range(recordings):
        doubt = float(-draw.exponential(0.4))
        wrong = draw.binomial(30, 1 / (1 + math.exp(-(bias + slope * doubt))))
        yield Judged(doubt, ErrorCounts(int(wrong), 0, 0, 30))


def test_the_rate_that_words_were_drawn_with_is_found() -> None:
    model = fit(judged(1, 400, bias=-3.5, slope=-3.0))
    assert model is not None
    assert model.words == 12_000
    for doubt in (-0.1, -0.4, -0.8, -1.2):
        assert model.rate(doubt) == pytest.approx(1 / (1 + math.exp(3.5 + 3.0 * doubt)), abs=0.02)


def test_of_those_it_was_fitted_on_as_many_words_are_expected_to_be_wrong_as_are() -> None:
    known = list(judged(2, 100, bias=-3.0, slope=-2.0))
    model = fit(known)
    assert model is not None
    expected = sum(one.errors.words * model.rate(one.log_probability) for one in known)
    assert expected == pytest.approx(sum(one.errors.errors for one in known), abs=1.5)


def test_of_few_recordings_or_words_nothing_is_said() -> None:
    assert fit(judged(3, LEAST_RECORDINGS - 1, -3.0, -2.0)) is None
    assert fit(Judged(-0.2, ErrorCounts(1, 0, 0, 5)) for _ in range(30)) is None
    assert fit([]) is None


def test_texts_without_any_error_make_no_rate_of_zero() -> None:
    model = fit(Judged(-0.01 * number, ErrorCounts(0, 0, 0, 30)) for number in range(20))
    assert model is not None
    assert 0 < model.rate(-0.1) < 0.01


def test_where_all_is_made_up_a_rate_stays_a_share() -> None:
    model = fit(Judged(-0.5, ErrorCounts(10, 0, 50, 30)) for _ in range(20))
    assert model is not None
    assert 0.9 < model.rate(-0.5) < 1


def test_doubt_that_goes_the_wrong_way_tells_the_mean() -> None:
    model = fit(Judged(-0.1 * number, ErrorCounts(20 - number, 0, 0, 30)) for number in range(20))
    assert model is not None
    assert model.slope == pytest.approx(0.0, abs=1e-6)
    assert model.rate(-5.0) == pytest.approx(model.rate(0.0), abs=1e-4)


@given(
    st.lists(
        st.builds(Judged, st.floats(-20, 0), st.builds(ErrorCounts, st.integers(0, 30), st.just(0), st.integers(0, 30), st.just(30))),
        min_size=LEAST_RECORDINGS,
        max_size=40,
    )
)
def test_whatever_was_judged_more_doubt_never_expects_fewer_errors(known: list[Judged]) -> None:
    model = fit(known)
    assert model is not None
    rates = [model.rate(doubt) for doubt in (-1e6, -20.0, -1.0, -0.1, 0.0)]
    assert rates == sorted(rates, reverse=True)
    assert all(0 <= rate <= 1 for rate in rates)
    assert ErrorModel.of_json(model.as_json()) == model


@pytest.mark.parametrize("told", [(math.nan, -1.0, 10), (0.0, 0.5, 10), (0.0, -1.0, 0), (math.inf, -1.0, 10)])
def test_a_model_that_cannot_be_is_refused(told: tuple[float, float, int]) -> None:
    with pytest.raises(ValueError, match="a slope of 0 at most"):
        ErrorModel(*told)
