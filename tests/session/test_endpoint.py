"""How long to wait in a silence, by how complete the text is."""

from hypothesis import given
from hypothesis import strategies as st

from asr_server.session.endpoint import EndpointRule, completeness
from asr_server.transcript import Alternative, Hypothesis

PROBABILITIES = st.floats(0, 1)
LOG_PROBABILITIES = st.floats(-1e6, 0)


def said(log_probability: float = -0.5, end_probability: float | None = 0.5, text: str = "that is all") -> Hypothesis:
    return Hypothesis((Alternative(text, 0.9),) if text else (), log_probability=log_probability, end_probability=end_probability)


HYPOTHESES = st.builds(said, LOG_PROBABILITIES, st.none() | PROBABILITIES, st.sampled_from(["", "that is all"]))


@given(HYPOTHESES, PROBABILITIES)
def test_completeness_is_a_probability(hypothesis: Hypothesis, pause_probability: float) -> None:
    assert 0 <= completeness(hypothesis, pause_probability) <= 1


@given(PROBABILITIES, PROBABILITIES, LOG_PROBABILITIES, PROBABILITIES)
def test_a_text_is_no_less_complete_when_a_sentence_is_likelier_to_end_with_it(one: float, other: float, log: float, pause: float) -> None:
    low, high = sorted([one, other])
    assert completeness(said(log, low), pause) <= completeness(said(log, high), pause)


@given(LOG_PROBABILITIES, LOG_PROBABILITIES, PROBABILITIES, PROBABILITIES)
def test_a_text_is_no_less_complete_when_the_recogniser_is_surer_of_it(one: float, other: float, end: float, pause: float) -> None:
    low, high = sorted([one, other])
    assert completeness(said(low, end), pause) <= completeness(said(high, end), pause)


@given(PROBABILITIES, PROBABILITIES, LOG_PROBABILITIES, PROBABILITIES)
def test_a_text_is_no_more_complete_when_the_pause_sounds_more_like_speech(one: float, other: float, log: float, end: float) -> None:
    low, high = sorted([one, other])
    assert completeness(said(log, end), high) <= completeness(said(log, end), low)


def test_each_cue_counts() -> None:
    middling = completeness(said(-0.5, 0.1), 0.3)
    assert completeness(said(-0.5, 0.9), 0.3) > middling
    assert completeness(said(-0.1, 0.1), 0.3) > middling
    assert completeness(said(-0.5, 0.1), 0.0) > middling


def test_nothing_said_and_nothing_asked_is_not_complete() -> None:
    assert completeness(said(text=""), 0.0) == 0.0
    assert completeness(said(end_probability=None), 0.0) == 0.0


ADAPTIVE = EndpointRule(shortest_ms=200, longest_ms=480)
COMPLETE, OPEN = said(0.0, 1.0), said(-2.0, 0.0001)


def test_complete_text_has_the_shortest_wait_and_open_text_the_longest() -> None:
    assert ADAPTIVE.stop_ms(COMPLETE, 0.0) == 200
    assert ADAPTIVE.stop_ms(OPEN, 0.0) == 480


def test_a_text_in_between_has_a_wait_in_between() -> None:
    hypothesis = said(-0.3, 0.3)
    assert ADAPTIVE.surely_open < completeness(hypothesis, 0.1) < ADAPTIVE.surely_complete
    assert 200 < ADAPTIVE.stop_ms(hypothesis, 0.1) < 480


def test_what_is_not_known_yet_has_the_longest_wait() -> None:
    assert ADAPTIVE.stop_ms(None, 0.0) == 480


def test_a_text_that_nobody_asked_the_end_of_has_the_longest_wait() -> None:
    assert ADAPTIVE.stop_ms(said(end_probability=None), 0.0) == 480


def test_noise_without_words_has_the_shortest_wait() -> None:
    assert ADAPTIVE.stop_ms(said(text=""), 1.0) == 200


@given(st.integers(100, 5_000), st.none() | HYPOTHESES, PROBABILITIES)
def test_a_fixed_rule_does_not_look_at_the_text(stop_ms: int, hypothesis: Hypothesis | None, pause_probability: float) -> None:
    rule = EndpointRule(stop_ms, stop_ms)
    assert not rule.is_adaptive
    assert rule.stop_ms(hypothesis, pause_probability) == stop_ms


@given(st.integers(20, 5_000), st.integers(0, 5_000), st.none() | HYPOTHESES, PROBABILITIES)
def test_the_wait_is_never_shorter_than_the_shortest_nor_longer_than_the_longest(
    shortest_ms: int, more_ms: int, hypothesis: Hypothesis | None, pause_probability: float
) -> None:
    rule = EndpointRule(shortest_ms, shortest_ms + more_ms)
    assert shortest_ms <= rule.stop_ms(hypothesis, pause_probability) <= shortest_ms + more_ms


@given(PROBABILITIES, PROBABILITIES, LOG_PROBABILITIES, PROBABILITIES)
def test_a_more_complete_text_never_waits_longer(one: float, other: float, log: float, pause: float) -> None:
    low, high = sorted([one, other])
    assert ADAPTIVE.stop_ms(said(log, high), pause) <= ADAPTIVE.stop_ms(said(log, low), pause)
