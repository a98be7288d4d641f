"""The presets, and what a caller may change about one."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_server.engine.cost import FULL_BEAM
from asr_server.presets import PRESET_NAMES, PRESETS, Preset, with_longest_segment, with_stop
from asr_server.session import SessionOptions

ALL = st.sampled_from(list(PRESETS.values()))
STOPS_MS = st.integers(100, 5_000)
LONGEST_SEGMENTS_MS = st.integers(2_000, 28_000)


def waits_ms(preset: Preset) -> tuple[int, int]:
    """For sure text and for unsure text."""
    return preset.session.sure_stop_ms or preset.session.vad_stop_ms, preset.session.vad_stop_ms


def test_every_name_has_its_preset() -> None:
    assert tuple(PRESETS) == tuple(preset.name for preset in PRESETS.values()) == PRESET_NAMES


def test_a_more_accurate_preset_waits_no_less_and_searches_no_less_with_the_same_model() -> None:
    fast, balanced, accurate = PRESETS["fast"], PRESETS["balanced"], PRESETS["accurate"]
    for ours, theirs in ((fast, balanced), (balanced, accurate)):
        assert all(one <= other for one, other in zip(waits_ms(ours), waits_ms(theirs), strict=True))
        assert ours.tier is not theirs.tier or ours.beam_size <= theirs.beam_size
        assert 1 <= theirs.beam_size <= FULL_BEAM
        assert ours.session.context_ms <= theirs.session.context_ms


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_every_preset_begins_its_decodes_in_the_silence_and_goes_on_from_what_was_said(preset: Preset) -> None:
    shortest_ms, _ = waits_ms(preset)
    assert 0 < preset.session.speculate_after_ms < shortest_ms
    assert preset.session.context_ms > 0


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_without_waiting_nothing_is_begun_early_or_closed_early(preset: Preset) -> None:
    patient = preset.without_waiting
    assert (patient.session.speculate_after_ms, patient.session.sure_stop_ms) == (0, 0)
    assert patient.session.vad_stop_ms >= max(preset.session.vad_stop_ms, 900)
    assert patient.session.context_ms == preset.session.context_ms
    assert (patient.name, patient.beam_size) == (preset.name, preset.beam_size)


@given(ALL, st.integers(440, 10_000))
def test_without_waiting_the_end_of_the_utterance_waits_as_long_as_that_of_a_segment(preset: Preset, end_ms: int) -> None:
    """An operator may end utterances sooner than a file's segments end."""
    hurried = replace(preset, session=replace(preset.session, end_of_utterance_ms=max(end_ms, preset.session.vad_stop_ms)))
    assert hurried.without_waiting.session.end_of_utterance_ms >= hurried.without_waiting.session.vad_stop_ms


@given(ALL, STOPS_MS, LONGEST_SEGMENTS_MS)
def test_any_preset_takes_any_accepted_wait_and_longest_segment(preset: Preset, stop_ms: int, longest_ms: int) -> None:
    """Options that are not valid cannot be made."""
    for session in (preset.session, preset.without_waiting.session):
        one = with_stop(with_longest_segment(session, longest_ms), stop_ms)
        assert one == with_longest_segment(with_stop(session, stop_ms), longest_ms)
        assert (one.vad_stop_ms, one.max_segment_ms) == (stop_ms, longest_ms)


@given(ALL, STOPS_MS)
def test_one_wait_for_all_is_the_same_whatever_the_text_and_no_longer_than_the_utterance(preset: Preset, stop_ms: int) -> None:
    session = with_stop(preset.session, stop_ms)
    assert session.sure_stop_ms == 0
    assert session.end_of_utterance_ms >= session.vad_stop_ms
    assert session.context_ms == preset.session.context_ms


def test_a_segment_is_never_soft_beyond_its_longest() -> None:
    session = with_longest_segment(SessionOptions(soft_segment_ms=10_000, max_segment_ms=15_000), 4_000)
    assert (session.soft_segment_ms, session.max_segment_ms) == (4_000, 4_000)
    assert with_longest_segment(SessionOptions(), 4_000).soft_segment_ms == 0
