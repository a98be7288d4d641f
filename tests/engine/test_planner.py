from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_server.engine.cost import CostModel
from asr_server.engine.engine import DecodeOptions
from asr_server.engine.planner import Plan, plan, plans_by_accuracy
from asr_server.events import Purpose

# 4 s of speech and 1 s of margin: 60 ms for the encoder, 18 tokens; 60 + 180 greedy, 60 + 360 with a beam of 5, 30 for word times.
COST = CostModel(encode_ms=10, encode_ms_per_frame=0.1, token_ms=10, beam_factor=2.0, align_ms=30)
AUDIO_MS = 4000.0
MARGIN_MS = 1000.0


def planned(options: DecodeOptions, remaining_ms: float, purpose: Purpose = Purpose.FINAL) -> Plan:
    return plan(AUDIO_MS, options, COST, margin_ms=MARGIN_MS, remaining_ms=remaining_ms, purpose=purpose)


BEAM = DecodeOptions(beam_size=5)
BEAM_WORDS = DecodeOptions(beam_size=5, word_times=True)
GREEDY_WORDS = DecodeOptions(beam_size=1, word_times=True)
EVERYTHING = DecodeOptions(beam_size=5, word_times=True, max_alternatives=3)
NARROW_ALTERNATIVES = DecodeOptions(beam_size=1, max_alternatives=3)


@pytest.mark.parametrize(
    ("options", "remaining_ms", "beam_size", "word_times", "max_alternatives", "predicted_ms", "degraded"),
    [
        # Everything fits, also exactly.
        (BEAM, 1000, 5, False, 1, 420, ()),
        (BEAM, 420, 5, False, 1, 420, ()),
        (EVERYTHING, 450, 5, True, 3, 450, ()),
        # The beam goes first, word times stay.
        (BEAM, 419, 1, False, 1, 240, ("beam",)),
        (BEAM_WORDS, 449, 1, True, 1, 270, ("beam",)),
        (BEAM_WORDS, 270, 1, True, 1, 270, ("beam",)),
        # Word times go when a greedy decode with them does not fit.
        (BEAM_WORDS, 269, 1, False, 1, 240, ("beam", "words")),
        (GREEDY_WORDS, 269, 1, False, 1, 240, ("words",)),
        # Alternatives keep a beam as wide as themselves, and go last.
        (EVERYTHING, 449, 3, True, 3, 360, ("beam",)),
        (EVERYTHING, 359, 3, False, 3, 330, ("beam", "words")),
        (EVERYTHING, 329, 1, True, 1, 270, ("beam", "alternatives")),
        (EVERYTHING, 269, 1, False, 1, 240, ("beam", "words", "alternatives")),
        # More alternatives than the configured beam widen it; to give them up does not give up the beam.
        (NARROW_ALTERNATIVES, 330, 3, False, 3, 330, ()),
        (NARROW_ALTERNATIVES, 329, 1, False, 1, 240, ("alternatives",)),
        # Nothing fits: the cheapest.
        (BEAM, 239, 1, False, 1, 240, ("beam",)),
        (EVERYTHING, -100, 1, False, 1, 240, ("beam", "words", "alternatives")),
        (DecodeOptions(beam_size=1), -100, 1, False, 1, 240, ()),
    ],
)
def test_a_final_gives_up_as_little_as_the_time_left_allows(
    options: DecodeOptions,
    remaining_ms: float,
    beam_size: int,
    word_times: bool,
    max_alternatives: int,
    predicted_ms: float,
    degraded: tuple[str, ...],
) -> None:
    chosen = planned(options, remaining_ms)

    assert (chosen.beam_size, chosen.word_times, chosen.max_alternatives) == (beam_size, word_times, max_alternatives)
    assert chosen.predicted_ms == pytest.approx(predicted_ms)
    assert chosen.degraded == degraded


def test_word_times_alone_go_when_that_keeps_the_beam_and_a_greedy_decode_with_them_does_not_fit() -> None:
    # Half a second of speech is 4 tokens: a beam costs 4 ms more than greedy, word times 30.
    cost = CostModel(encode_ms=0, encode_ms_per_frame=0, token_ms=10, beam_factor=1.1, align_ms=30)

    chosen = plan(500, BEAM_WORDS, cost, margin_ms=0, remaining_ms=50)

    assert (chosen.beam_size, chosen.word_times, chosen.degraded) == (5, False, ("words",))


@pytest.mark.parametrize("remaining_ms", [10_000.0, 0.0])
def test_a_partial_is_greedy_and_gives_nothing_up_whatever_time_is_left(remaining_ms: float) -> None:
    chosen = planned(EVERYTHING, remaining_ms, Purpose.PARTIAL)

    assert chosen == Plan(beam_size=1, word_times=False, max_alternatives=1, predicted_ms=chosen.predicted_ms)
    assert chosen.predicted_ms == pytest.approx(240)


def test_the_cheapest_plan_is_taken_by_prediction_where_a_calibration_found_greedy_dearer() -> None:
    cost = CostModel(encode_ms=10, encode_ms_per_frame=0.1, token_ms=10, beam_factor=0.9, align_ms=30)

    assert plan(AUDIO_MS, BEAM, cost, margin_ms=MARGIN_MS, remaining_ms=0).beam_size == 5


def test_a_plan_changes_nothing_else_of_the_options() -> None:
    options = DecodeOptions(language="de", beam_size=5, word_times=True, max_alternatives=3, phrases=("Grüß Gott",))

    applied = planned(options, 0).applied_to(options)

    assert applied == DecodeOptions(language="de", beam_size=1, word_times=False, max_alternatives=1, phrases=("Grüß Gott",))


milliseconds = st.floats(min_value=0, max_value=1000)
costs = st.builds(
    CostModel,
    encode_ms=milliseconds,
    encode_ms_per_frame=st.floats(min_value=0, max_value=1),
    token_ms=st.floats(min_value=0, max_value=50),
    beam_factor=st.floats(min_value=0.8, max_value=4),
    align_ms=milliseconds,
)
options = st.builds(DecodeOptions, beam_size=st.integers(1, 8), word_times=st.booleans(), max_alternatives=st.integers(0, 5))


def all_plans(audio_ms: float, options: DecodeOptions, cost: CostModel) -> Sequence[Plan]:
    return tuple(plans_by_accuracy(audio_ms, options, cost, margin_ms=MARGIN_MS))


@settings(deadline=None)
@given(
    audio_ms=st.floats(min_value=0, max_value=28_000), options=options, cost=costs, remaining_ms=st.floats(min_value=-500, max_value=3000)
)
def test_a_plan_fits_whenever_any_does_and_none_that_fits_gives_up_less(
    audio_ms: float, options: DecodeOptions, cost: CostModel, remaining_ms: float
) -> None:
    chosen = plan(audio_ms, options, cost, margin_ms=MARGIN_MS, remaining_ms=remaining_ms)
    fitting = [candidate for candidate in all_plans(audio_ms, options, cost) if candidate.predicted_ms <= remaining_ms]

    if fitting:
        assert chosen in fitting
        assert not any(set(other.degraded) < set(chosen.degraded) for other in fitting)
    else:
        assert all(chosen.predicted_ms <= other.predicted_ms for other in all_plans(audio_ms, options, cost))


@settings(deadline=None)
@given(options=options, cost=costs, times_ms=st.lists(st.floats(min_value=-500, max_value=3000), min_size=2).map(sorted))
def test_more_time_never_gives_up_more(options: DecodeOptions, cost: CostModel, times_ms: list[float]) -> None:
    order = all_plans(AUDIO_MS, options, cost)
    places = [order.index(plan(AUDIO_MS, options, cost, margin_ms=MARGIN_MS, remaining_ms=remaining_ms)) for remaining_ms in times_ms]
    fits = [order[place].predicted_ms <= remaining_ms for place, remaining_ms in zip(places, times_ms, strict=True)]

    assert all(later <= earlier for (earlier, later), fit in zip(pairwise(places), fits, strict=False) if fit)


@settings(deadline=None)
@given(audio_ms=st.floats(min_value=0, max_value=28_000), options=options, cost=costs)
def test_every_plan_has_a_beam_as_wide_as_its_alternatives_and_the_first_keeps_everything(
    audio_ms: float, options: DecodeOptions, cost: CostModel
) -> None:
    plans = all_plans(audio_ms, options, cost)

    assert plans[0].degraded == ()
    assert all(1 <= candidate.max_alternatives <= candidate.beam_size for candidate in plans)
    assert len({candidate.degraded for candidate in plans}) == len(plans)
