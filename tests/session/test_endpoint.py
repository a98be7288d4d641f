"""How long to wait in a silence, by how sure the text is."""

from hypothesis import given
from hypothesis import strategies as st

from asr_server.session.endpoint import EAGER_CERTAINTY, EndpointRule, certainty
from asr_server.transcript import Alternative, Hypothesis

LOG_PROBABILITIES = st.floats(-1e6, 0)


def said(log_probability: float = -0.3, text: str = "that is all") -> Hypothesis:
    return Hypothesis((Alternative(text, 0.9),) if text else (), log_probability=log_probability)


HYPOTHESES = st.builds(said, LOG_PROBABILITIES) | st.just(said(text=""))


@given(HYPOTHESES)
def test_certainty_is_a_probability(hypothesis: Hypothesis) -> None:
    assert 0 <= certainty(hypothesis) <= 1


@given(LOG_PROBABILITIES, LOG_PROBABILITIES)
def test_a_text_is_no_less_sure_when_the_recogniser_is(one: float, other: float) -> None:
    low, high = sorted([one, other])
    assert certainty(said(low)) <= certainty(said(high))


def test_how_sure_the_recogniser_is_counts() -> None:
    assert certainty(said(-0.1)) > certainty(said(-0.3)) > certainty(said(-0.8))


def test_nothing_said_is_not_sure() -> None:
    assert certainty(said(text="")) == 0.0


def test_what_is_told_early_need_not_be_sure_enough_to_close_sooner() -> None:
    assert EndpointRule(200, 480).unsure > EAGER_CERTAINTY


ADAPTIVE = EndpointRule(shortest_ms=200, longest_ms=480)
SURE, UNSURE = said(0.0), said(-2.0)


def test_sure_text_has_the_shortest_wait_and_unsure_text_the_longest() -> None:
    assert ADAPTIVE.stop_ms(SURE) == 200
    assert ADAPTIVE.stop_ms(UNSURE) == 480


def test_a_text_in_between_has_a_wait_in_between() -> None:
    hypothesis = said(-0.3)
    assert ADAPTIVE.unsure < certainty(hypothesis) < ADAPTIVE.sure
    assert 200 < ADAPTIVE.stop_ms(hypothesis) < 480


def test_what_is_not_known_yet_has_the_longest_wait() -> None:
    assert ADAPTIVE.stop_ms(None) == 480


def test_noise_without_words_has_the_shortest_wait() -> None:
    assert ADAPTIVE.stop_ms(said(text="")) == 200


@given(st.integers(100, 5_000), st.none() | HYPOTHESES)
def test_a_fixed_rule_does_not_look_at_the_text(stop_ms: int, hypothesis: Hypothesis | None) -> None:
    rule = EndpointRule(stop_ms, stop_ms)
    assert not rule.is_adaptive
    assert rule.stop_ms(hypothesis) == stop_ms


@given(st.integers(20, 5_000), st.integers(0, 5_000), st.none() | HYPOTHESES)
def test_the_wait_is_never_shorter_than_the_shortest_nor_longer_than_the_longest(
    shortest_ms: int, more_ms: int, hypothesis: Hypothesis | None
) -> None:
    rule = EndpointRule(shortest_ms, shortest_ms + more_ms)
    assert shortest_ms <= rule.stop_ms(hypothesis) <= shortest_ms + more_ms


@given(LOG_PROBABILITIES, LOG_PROBABILITIES)
def test_a_surer_text_never_waits_longer(one: float, other: float) -> None:
    low, high = sorted([one, other])
    assert ADAPTIVE.stop_ms(said(high)) <= ADAPTIVE.stop_ms(said(low))
