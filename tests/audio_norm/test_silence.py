import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio_norm import GateRule, SilenceRule, Span, SpeechGate, speech_spans, trim
from audio_norm.silence import join
from tests.audio_norm.samples import noise, tone

FRAME = 320
RULE = GateRule(on_threshold=0.6, off_threshold=0.4, start_ms=60, start_gap_ms=40, hang_ms=100)


def gate_after(probabilities: list[float], rule: GateRule = RULE) -> SpeechGate:
    gate = SpeechGate(rule, FRAME)
    for probability in probabilities:
        gate.push(probability)
    return gate


def test_speech_is_pending_until_it_has_lasted_long_enough() -> None:
    gate = gate_after([0.0, 0.9, 0.9])
    assert (gate.pending, gate.active) == (True, False)
    gate.push(0.9)
    assert (gate.pending, gate.active) == (False, True)


def test_a_confirmed_start_lies_at_the_first_speech_frame() -> None:
    gate = gate_after([0.0, 0.0, 0.9, 0.9, 0.9])
    assert gate.start_sample == 2 * FRAME
    assert gate.position_sample == 5 * FRAME


def test_beginning_takes_more_than_going_on() -> None:
    assert not gate_after([0.5] * 50).pending
    assert gate_after([0.9] * 3 + [0.5] * 50).last_speech_sample == 53 * FRAME


def test_a_short_gap_does_not_drop_a_pending_start() -> None:
    gate = gate_after([0.9, 0.0, 0.0, 0.9, 0.9])
    assert gate.active
    assert gate.start_sample == 0


def test_a_blip_is_dropped_and_the_end_of_speech_goes_back_to_what_was_confirmed() -> None:
    gate = gate_after([0.9] * 5 + [0.0] * 10 + [0.9])
    assert gate.pending
    assert gate.last_speech_sample == 16 * FRAME
    for _ in range(3):
        gate.push(0.0)
    assert not gate.pending
    assert gate.last_speech_sample == 5 * FRAME


def test_speech_stays_active_for_the_hang_time() -> None:
    gate = gate_after([0.9] * 5 + [0.0] * 5)
    assert gate.active
    gate.push(0.0)
    assert not gate.active
    assert gate.last_speech_sample == 5 * FRAME


def test_nothing_heard_yet_is_position_zero() -> None:
    gate = gate_after([0.0] * 3)
    assert (gate.start_sample, gate.last_speech_sample, gate.spans()) == (0, 0, ())


def test_spans_are_cut_to_what_is_asked_for() -> None:
    gate = gate_after([0.9] * 5 + [0.0] * 10 + [0.9] * 5)
    assert gate.spans() == (Span(0, 5 * FRAME), Span(15 * FRAME, 20 * FRAME))
    assert gate.spans(2 * FRAME, 16 * FRAME) == (Span(2 * FRAME, 5 * FRAME), Span(15 * FRAME, 16 * FRAME))
    assert gate.spans(5 * FRAME, 15 * FRAME) == ()


def test_forgotten_speech_is_not_told_again_and_current_speech_is_kept() -> None:
    gate = gate_after([0.9] * 5 + [0.0] * 10 + [0.9] * 5)
    gate.forget(10 * FRAME)
    assert gate.spans() == (Span(15 * FRAME, 20 * FRAME),)


@given(st.lists(st.floats(0.0, 1.0), max_size=200))
def test_spans_are_in_order_apart_and_inside(probabilities: list[float]) -> None:
    spans = speech_spans(probabilities, RULE, FRAME)
    borders = [border for span in spans for border in (span.start_sample, span.end_sample)]
    assert borders == sorted(set(borders))
    assert not borders or borders[-1] <= len(probabilities) * FRAME
    assert all(len(span) >= RULE.start_ms * 16 for span in spans)


@given(st.lists(st.floats(0.0, 1.0), max_size=100))
def test_the_last_speech_sample_never_lies_ahead_of_the_position(probabilities: list[float]) -> None:
    gate = SpeechGate(RULE, FRAME)
    for probability in probabilities:
        gate.push(probability)
        assert 0 <= gate.start_sample <= gate.last_speech_sample <= gate.position_sample


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"on_threshold": 0.3, "off_threshold": 0.4}, "off_threshold <= on_threshold"),
        ({"off_threshold": 0.0}, "0 < off_threshold"),
        ({"on_threshold": float("nan")}, "on_threshold"),
        ({"start_ms": -1}, "start_ms from 0 to 2000, got -1"),
        ({"hang_ms": 5_000}, "hang_ms from 0 to 2000, got 5000"),
    ],
)
def test_a_gate_rule_out_of_range_is_refused(changed: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GateRule(**changed)  # type: ignore[arg-type]


def test_a_silence_rule_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="longest_pause_ms from 0 to 60000, got -5"):
        SilenceRule(longest_pause_ms=-5)


KEEP = SilenceRule(keep_before_ms=100, keep_after_ms=200, longest_pause_ms=500)


def test_silence_around_speech_is_cut_to_what_is_kept() -> None:
    assert trim(Span(0, 160_000), (Span(32_000, 48_000),), KEEP) == (Span(32_000 - 1_600, 48_000 + 3_200),)


def test_no_more_silence_is_kept_than_there_is() -> None:
    assert trim(Span(1_000, 5_000), (Span(1_500, 4_900),), KEEP) == (Span(1_000, 5_000),)


def test_a_long_pause_keeps_half_the_longest_on_each_side() -> None:
    kept = trim(Span(0, 100_000), (Span(1_600, 20_000), Span(60_000, 80_000)), KEEP)
    assert kept == (Span(0, 20_000 + 4_000), Span(60_000 - 4_000, 83_200))


def test_a_pause_of_just_the_longest_is_left_alone() -> None:
    assert trim(Span(0, 50_000), (Span(1_600, 20_000), Span(28_000, 40_000)), KEEP) == (Span(0, 43_200),)


def test_without_speech_nothing_is_kept() -> None:
    assert trim(Span(0, 50_000), (), KEEP) == ()


def test_joining_keeps_every_sample_but_the_faded_ones() -> None:
    samples = noise(1.0)
    joined = join(samples, 500, (Span(600, 4_000), Span(9_000, 12_000)))
    assert np.array_equal(joined[: 3_400 - 80], samples[100 : 3_500 - 80])
    assert np.array_equal(joined[3_400 + 80 :], samples[8_500 + 80 : 11_500])


def test_a_cut_does_not_click() -> None:
    low = tone(1.0, 50.0)
    joined = join(low, 0, (Span(0, 4_080), Span(8_400, 16_000)))
    step = np.abs(np.diff(low)).max()
    assert np.abs(np.diff(low[[4_079, 8_400]])).item() > 10 * step
    assert np.abs(np.diff(joined)).max() < 3 * step


def test_joining_does_not_change_what_it_is_given() -> None:
    samples = noise(1.0)
    before = samples.copy()
    join(samples, 0, (Span(0, 4_000), Span(9_000, 12_000)))
    join(samples, 0, (Span(0, 4_000),))[:] = 0
    assert np.array_equal(samples, before)
