import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_server.engine.correction import BESIDE_OTHERS, Prediction


def after(prediction: Prediction, running: int, calibrated_ms: float, actual_ms: float, times: int = 1) -> Prediction:
    """As the worker does it: each prediction made with what had been learnt before."""
    for _ in range(times):
        factor = prediction.factor(running)
        prediction = prediction.after(running, factor, calibrated_ms * factor, actual_ms)
    return prediction


def test_at_first_a_decode_alone_is_predicted_as_calibrated_and_one_beside_others_longer() -> None:
    assert Prediction.unlearnt(1).factors == (1.0,)
    assert Prediction.unlearnt(3) == Prediction((1.0, BESIDE_OTHERS, BESIDE_OTHERS), count=0, error=1.0)


def test_each_number_of_decodes_at_a_time_is_learnt_on_its_own() -> None:
    learnt = after(Prediction.unlearnt(3), running=2, calibrated_ms=100, actual_ms=180, times=300)

    assert learnt.factors == pytest.approx((1.0, 1.8, BESIDE_OTHERS), rel=1e-3)


def test_after_twenty_decodes_half_the_way_is_gone_on_a_scale_of_ratios() -> None:
    assert after(Prediction.unlearnt(1), 1, 100, 400, times=20).factor(1) == pytest.approx(2.0)


def test_more_decodes_at_a_time_than_threads_or_none_count_as_the_nearest() -> None:
    prediction = Prediction((1.0, 1.5))

    assert [prediction.factor(running) for running in (0, 1, 2, 9)] == [1.0, 1.0, 1.5, 1.5]


@given(st.lists(st.tuples(st.integers(1, 4), st.floats(0, 1e6), st.floats(0, 1e6)), max_size=100))
def test_factors_stay_in_their_range_whatever_is_seen(decodes: list[tuple[int, float, float]]) -> None:
    prediction = Prediction.unlearnt(4)
    for running, calibrated_ms, actual_ms in decodes:
        prediction = after(prediction, running, calibrated_ms, actual_ms)

    assert all(0.5 <= factor <= 4.0 for factor in prediction.factors)
    assert prediction.error >= 1.0


def test_one_decode_that_took_very_long_moves_little() -> None:
    assert after(Prediction.unlearnt(1), 1, 100, 100_000).factor(1) < 1.05


def test_the_error_is_by_how_much_predictions_were_off_either_way() -> None:
    once = Prediction.unlearnt(1).after(1, factor=1.0, predicted_ms=100, actual_ms=125)
    twice = once.after(1, factor=1.0, predicted_ms=125, actual_ms=100)

    assert [once.count, twice.count] == [1, 2]
    assert [once.error, twice.error] == pytest.approx([1.25, 1.25])


def test_nine_of_ten_decodes_are_within_the_spread() -> None:
    times_ms = 100 * np.exp(np.random.default_rng(7).normal(0, 0.2, 2_000))
    prediction = Prediction.unlearnt(1)
    within = 0
    for number, actual_ms in enumerate(times_ms):
        predicted_ms = 100 * prediction.factor(1)
        within += number >= 1_000 and actual_ms <= predicted_ms * prediction.spread
        prediction = prediction.after(1, prediction.factor(1), predicted_ms, float(actual_ms))

    assert 850 < within < 940


def test_a_decode_that_stood_still_does_not_make_every_plan_too_long() -> None:
    assert after(Prediction.unlearnt(1), 1, 100, 100_000).spread == 2.0


def test_old_errors_are_forgotten() -> None:
    bad = after(Prediction.unlearnt(1), 1, 100, 200, times=10)
    good = after(bad, 1, 100, 100 * bad.factor(1), times=300)

    assert bad.error > 1.5
    assert good.error < 1.05


def test_a_prediction_made_with_an_older_factor_is_seen_against_the_calibrated_model() -> None:
    learnt = Prediction((2.0,)).after(1, factor=1.0, predicted_ms=100, actual_ms=200)

    assert learnt.factor(1) == pytest.approx(2.0)


@pytest.mark.parametrize(("predicted_ms", "actual_ms"), [(0, 10), (10, 0)])
def test_a_decode_without_time_teaches_nothing(predicted_ms: float, actual_ms: float) -> None:
    prediction = Prediction.unlearnt(2)

    assert prediction.after(1, 1.0, predicted_ms, actual_ms) is prediction
