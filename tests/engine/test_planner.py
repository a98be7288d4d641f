from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_server.engine.cost import CostModel
from asr_server.engine.engine import DecodeOptions
from asr_server.engine.planner import Plan, Workload, plan, plans_by_accuracy
from asr_server.events import Purpose, Said, Tier, WordPlaces
from audio_norm import Span
from tests.engine.worker.jobs import RATE_HZ, condition, window

# 4 s of speech and 1 s of margin: 60 ms for the encoder, 18 tokens; 60 + 180 greedy, 60 + 225 with a beam of 2, 60 + 360 with one of 5;
# 30 for word times.
COST = CostModel(encode_ms=10, encode_ms_per_frame=0.1, token_ms=10, beam_factor=2.0, align_ms=30)
AUDIO_MS = 4000.0
MARGIN_MS = 1000.0


def workload(options: DecodeOptions, audio_ms: float = AUDIO_MS, new_audio_ms: float | None = None) -> Workload:
    return Workload(audio_ms, audio_ms if new_audio_ms is None else new_audio_ms, MARGIN_MS, options)


def planned(options: DecodeOptions, remaining_ms: float, purpose: Purpose = Purpose.FINAL, smaller: CostModel | None = None) -> Plan:
    return plan(workload(options), COST, remaining_ms, purpose=purpose, smaller=smaller)


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
        # The beam goes first, to 2 and then 1; word times stay.
        (BEAM, 419, 2, False, 1, 285, ("beam",)),
        (BEAM, 284, 1, False, 1, 240, ("beam",)),
        (BEAM_WORDS, 449, 2, True, 1, 315, ("beam",)),
        (BEAM_WORDS, 314, 1, True, 1, 270, ("beam",)),
        (BEAM_WORDS, 270, 1, True, 1, 270, ("beam",)),
        # Word times go when a greedy decode with them does not fit.
        (BEAM_WORDS, 269, 1, False, 1, 240, ("beam", "words")),
        (GREEDY_WORDS, 269, 1, False, 1, 240, ("words",)),
        # Alternatives keep a beam as wide as themselves, and go last.
        (EVERYTHING, 449, 3, True, 3, 360, ("beam",)),
        (EVERYTHING, 359, 3, False, 3, 330, ("beam", "words")),
        (EVERYTHING, 329, 2, True, 1, 315, ("beam", "alternatives")),
        (EVERYTHING, 314, 1, True, 1, 270, ("beam", "alternatives")),
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


def test_a_plan_must_fit_for_nine_decodes_in_ten_and_is_still_predicted_by_the_middle() -> None:
    spread = replace(COST, spread=1.5)

    assert plan(workload(BEAM), spread, 420 * 1.5).predicted_ms == 420
    assert plan(workload(BEAM), spread, 420 * 1.5 - 1).beam_size == 2
    assert plan(workload(BEAM), spread, 420).beam_size == 1


def test_word_times_alone_go_when_that_keeps_the_beam_and_a_greedy_decode_with_them_does_not_fit() -> None:
    # Half a second of speech is 4 tokens: a beam costs 4 ms more than greedy, word times 30.
    cost = CostModel(encode_ms=0, encode_ms_per_frame=0, token_ms=10, beam_factor=1.1, align_ms=30)

    chosen = plan(Workload(500, 500, 0, BEAM_WORDS), cost, 50)

    assert (chosen.beam_size, chosen.word_times, chosen.degraded) == (5, False, ("words",))


@pytest.mark.parametrize("remaining_ms", [10_000.0, 0.0])
def test_a_partial_is_greedy_and_gives_nothing_up_whatever_time_is_left(remaining_ms: float) -> None:
    chosen = planned(EVERYTHING, remaining_ms, Purpose.PARTIAL)

    assert chosen == Plan(beam_size=1, word_times=False, max_alternatives=1, predicted_ms=chosen.predicted_ms)
    assert chosen.predicted_ms == pytest.approx(240)


def test_speculative_work_is_planned_like_a_final() -> None:
    assert planned(EVERYTHING, 300, Purpose.SPECULATIVE) == planned(EVERYTHING, 300, Purpose.FINAL)


PLACED_WITH = DecodeOptions(beam_size=1, word_places=WordPlaces.WITH)


def test_words_with_the_text_cost_one_alignment_whether_or_not_word_times_are_wanted_and_are_never_given_up() -> None:
    for options in (PLACED_WITH, replace(PLACED_WITH, word_times=True)):
        for remaining_ms in (1000, 0):
            chosen = planned(options, remaining_ms)
            assert (chosen.word_times, chosen.degraded) == (options.word_times, ())
            assert chosen.predicted_ms == pytest.approx(270)
            assert chosen.applied_to(options).word_places is WordPlaces.WITH
    assert planned(PLACED_WITH, 0, Purpose.PARTIAL).predicted_ms == pytest.approx(270)


def test_words_after_the_text_cost_it_nothing_and_word_times_are_given_up_beside_them() -> None:
    after = replace(PLACED_WITH, word_places=WordPlaces.AFTER)
    assert planned(after, 0).predicted_ms == pytest.approx(240)
    assert planned(replace(after, word_times=True), 1000).predicted_ms == pytest.approx(270)
    hurried = planned(replace(after, word_times=True), 0)
    assert hurried.predicted_ms == pytest.approx(240)
    assert hurried.degraded == ("words",)


def test_what_was_said_is_read_in_one_pass_and_the_rest_is_expected_of_the_new_audio() -> None:
    options = DecodeOptions(beam_size=1, said=Said(("one", "two", "three", "four", "five"), until_sample=3 * RATE_HZ))

    # 60 ms for the encoder; 2 tokens of any text, 4 of the new second; 6 given tokens take a step and 0.24 of one.
    assert plan(workload(options, new_audio_ms=1000), COST, 1000).predicted_ms == pytest.approx(60 + 10 * (2 + 4) + 12.4)


def test_new_audio_is_what_was_kept_after_what_was_said() -> None:
    audio = replace(condition(window(4 * RATE_HZ)), kept=(Span(0, RATE_HZ), Span(2 * RATE_HZ, 5 * RATE_HZ)))

    def new_audio_ms(until_s: float) -> float:
        options = DecodeOptions(said=Said(("so",), until_sample=round(until_s * RATE_HZ)))
        return Workload.of(audio, options, MARGIN_MS).new_audio_ms

    assert [new_audio_ms(until_s) for until_s in (0, 0.5, 1.5, 3, 6)] == [4000, 3500, 3000, 2000, 0]
    assert Workload.of(audio, DecodeOptions(), MARGIN_MS) == Workload(4000, 4000, MARGIN_MS, DecodeOptions())


SMALLER = CostModel(encode_ms=5, encode_ms_per_frame=0.05, token_ms=5, beam_factor=2.0, align_ms=15)


@pytest.mark.parametrize(
    ("remaining_ms", "beam_size", "degraded"),
    [
        # Half of everything: 225 with all, 157.5 with a beam of 2, 135 greedy, 120 without word times.
        (240, 1, ("beam", "words")),
        (239, 5, ("model",)),
        (224, 2, ("beam", "model")),
        (156, 1, ("beam", "model")),
        (134, 1, ("beam", "words", "model")),
        (-100, 1, ("beam", "words", "model")),
    ],
)
def test_the_model_is_given_up_last_and_then_keeps_what_it_can(remaining_ms: float, beam_size: int, degraded: tuple[str, ...]) -> None:
    chosen = planned(BEAM_WORDS, remaining_ms, smaller=SMALLER)

    assert (chosen.beam_size, chosen.degraded, chosen.by_smaller) == (beam_size, degraded, "model" in degraded)


def test_a_smaller_model_that_is_dearer_and_does_not_fit_is_left_alone() -> None:
    assert planned(BEAM, 0, smaller=COST.scaled(2)).degraded == ("beam",)


def test_partials_are_by_the_smaller_model_which_was_not_promised_otherwise() -> None:
    for smaller in (SMALLER, COST.scaled(2)):
        chosen = planned(BEAM_WORDS, 0, Purpose.PARTIAL, smaller=smaller)
        assert (chosen.by_smaller, chosen.degraded, chosen.beam_size) == (True, (), 1)
        assert chosen.predicted_ms == workload(BEAM_WORDS).predict_ms(smaller, 1, word_times=False)
    assert not planned(BEAM_WORDS, 0, Purpose.PARTIAL).by_smaller


@pytest.mark.parametrize("purpose", [Purpose.FINAL, Purpose.SPECULATIVE])
def test_who_prefers_the_smaller_model_gives_up_no_model_with_it(purpose: Purpose) -> None:
    prefers = replace(BEAM_WORDS, tier=Tier.SMALLER)

    chosen = [planned(prefers, remaining_ms, purpose, SMALLER) for remaining_ms in (225, 224, 0)]

    assert all(one.by_smaller for one in chosen)
    assert [(one.beam_size, one.degraded) for one in chosen] == [(5, ()), (2, ("beam",)), (1, ("beam", "words"))]
    assert planned(prefers, 450, purpose) == planned(BEAM_WORDS, 450, purpose)


def test_who_wants_the_main_model_has_it_for_everything_and_late() -> None:
    wants = replace(BEAM_WORDS, tier=Tier.MAIN)
    assert planned(wants, 0, smaller=SMALLER).degraded == ("beam", "words")
    assert not planned(wants, 0, Purpose.PARTIAL, SMALLER).by_smaller


def test_the_cheapest_plan_is_taken_by_prediction_where_a_calibration_found_greedy_dearer() -> None:
    cost = CostModel(encode_ms=10, encode_ms_per_frame=0.1, token_ms=10, beam_factor=0.9, align_ms=30)

    assert plan(workload(BEAM), cost, 0).beam_size == 5


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
    spread=st.floats(min_value=1, max_value=2),
)
options = st.builds(
    DecodeOptions,
    beam_size=st.integers(1, 8),
    word_times=st.booleans(),
    word_places=st.sampled_from(WordPlaces),
    max_alternatives=st.integers(0, 5),
)


def all_plans(work: Workload, cost: CostModel) -> Sequence[Plan]:
    return tuple(plans_by_accuracy(work, cost, SMALLER))


@settings(deadline=None)
@given(
    audio_ms=st.floats(min_value=0, max_value=28_000), options=options, cost=costs, remaining_ms=st.floats(min_value=-500, max_value=3000)
)
def test_a_plan_fits_whenever_any_does_and_none_that_fits_gives_up_less(
    audio_ms: float, options: DecodeOptions, cost: CostModel, remaining_ms: float
) -> None:
    work = workload(options, audio_ms)
    chosen = plan(work, cost, remaining_ms, smaller=SMALLER)
    fitting = [candidate for candidate in all_plans(work, cost) if candidate.within_ms <= remaining_ms]

    if fitting:
        assert chosen in fitting
        assert not any(set(other.degraded) < set(chosen.degraded) for other in fitting)
    else:
        assert all(chosen.predicted_ms <= other.predicted_ms for other in all_plans(work, cost))


@settings(deadline=None)
@given(options=options, cost=costs, times_ms=st.lists(st.floats(min_value=-500, max_value=3000), min_size=2).map(sorted))
def test_more_time_never_gives_up_more(options: DecodeOptions, cost: CostModel, times_ms: list[float]) -> None:
    work = workload(options)
    order = all_plans(work, cost)
    places = [order.index(plan(work, cost, remaining_ms, smaller=SMALLER)) for remaining_ms in times_ms]
    fits = [order[place].within_ms <= remaining_ms for place, remaining_ms in zip(places, times_ms, strict=True)]

    assert all(later <= earlier for (earlier, later), fit in zip(pairwise(places), fits, strict=False) if fit)


@settings(deadline=None)
@given(audio_ms=st.floats(min_value=0, max_value=28_000), options=options, cost=costs)
def test_every_plan_has_a_beam_as_wide_as_its_alternatives_and_the_first_keeps_everything(
    audio_ms: float, options: DecodeOptions, cost: CostModel
) -> None:
    plans = all_plans(workload(options, audio_ms), cost)

    assert plans[0].degraded == ()
    assert all(1 <= candidate.max_alternatives <= candidate.beam_size for candidate in plans)
    assert len({replace(candidate, predicted_ms=0.0, within_ms=0.0) for candidate in plans}) == len(plans)
