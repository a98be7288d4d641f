"""Long recordings are cut where nobody speaks, and nothing is lost."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio_norm import Span, SpeechWindow
from eval.windows import cut


def window(total: int, *speech: tuple[int, int], start: int = 0) -> SpeechWindow:
    samples = np.arange(total, dtype=np.float32)
    return SpeechWindow(samples, start, tuple(Span(start + first, start + last) for first, last in speech))


def borders(parts: list[SpeechWindow]) -> list[int]:
    return [part.end_sample for part in parts[:-1]]


def test_what_fits_is_one_part() -> None:
    (part,) = cut(window(100, (10, 90)), 100)
    assert (part.start_sample, part.end_sample, part.speech) == (0, 100, (Span(10, 90),))


def test_the_cut_is_in_the_longest_pause_of_the_second_half() -> None:
    assert borders(cut(window(150, (0, 20), (45, 60), (64, 80), (90, 150)), 100)) == [85]


def test_without_a_pause_there_the_longest_of_the_first_half_serves() -> None:
    assert borders(cut(window(120, (0, 20), (30, 40), (44, 120)), 100)) == [25]


def test_speech_without_any_pause_is_cut_at_the_longest_length_and_both_parts_hold_their_speech() -> None:
    parts = cut(window(150, (0, 150)), 100)
    assert borders(parts) == [100]
    assert [part.speech for part in parts] == [(Span(0, 100),), (Span(100, 150),)]


def test_a_length_below_one_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="must be at least 1"):
        cut(window(10), 0)


@given(st.lists(st.integers(1, 60), min_size=1, max_size=12), st.integers(1, 90), st.integers(0, 1000))
def test_parts_are_the_whole_and_none_is_too_long(lengths: list[int], longest: int, start: int) -> None:
    """Lengths of speech and silence in turn."""
    ends = np.cumsum(lengths).tolist()
    speech = [(first, last) for first, last in zip([0, *ends], ends, strict=False)][::2]
    whole = window(ends[-1], *speech, start=start)
    parts = cut(whole, longest)
    assert np.array_equal(np.concatenate([part.samples for part in parts]), whole.samples)
    assert all(len(part.samples) <= longest for part in parts)
    assert sum(len(span) for part in parts for span in part.speech) == sum(len(span) for span in whole.speech)
    for part in parts:
        assert all(part.start_sample <= span.start_sample < span.end_sample <= part.end_sample for span in part.speech)
