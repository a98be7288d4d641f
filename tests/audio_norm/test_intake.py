"""What is seen of audio before it is conditioned: its mean, and where it is digital silence."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio_norm import Samples, Span
from audio_norm.intake import GAP_MS, Intake


def intake(rate_hz: int = 16_000, channels: int = 1) -> Intake:
    return Intake(rate_hz=rate_hz, channels=channels, channel=None, to_hz=16_000)


def merged(spans: list[Span]) -> list[tuple[int, int]]:
    """Parts of one gap as one."""
    found: list[tuple[int, int]] = []
    for span in spans:
        if found and found[-1][1] == span.start_sample:
            found[-1] = (found[-1][0], span.end_sample)
        else:
            found.append((span.start_sample, span.end_sample))
    return found


def gaps(samples: Samples, sizes: list[int], rate_hz: int = 16_000) -> list[tuple[int, int]]:
    """Fed in pieces of these sizes, again and again."""
    one, found, start = intake(rate_hz), list[Span](), 0
    while start < len(samples):
        size = sizes[0]
        sizes = [*sizes[1:], size]
        found += one.feed(samples[start : start + size, np.newaxis]).gaps
        start += size
    return merged([*found, *one.flush().gaps])


def with_gaps(*where: tuple[int, int], length: int = 8_000) -> Samples:
    samples = np.full(length, 0.1, np.float32)
    for start, end in where:
        samples[start:end] = 0.0
    return samples


def test_silence_of_ten_ms_or_more_is_a_gap() -> None:
    least = GAP_MS * 16
    samples = with_gaps((500, 500 + least - 1), (2_000, 2_000 + least), (4_000, 5_000))
    assert gaps(samples, [len(samples)]) == [(2_000, 2_000 + least), (4_000, 5_000)]


@given(st.lists(st.tuples(st.integers(0, 7_000), st.integers(1, 900)), max_size=4), st.lists(st.integers(1, 700), min_size=1, max_size=6))
def test_gaps_are_the_same_in_whatever_pieces_the_audio_comes(where: list[tuple[int, int]], sizes: list[int]) -> None:
    samples = with_gaps(*((start, start + length) for start, length in where))
    assert gaps(samples, sizes) == gaps(samples, [len(samples)])


def test_positions_are_those_of_the_audio_at_its_new_rate() -> None:
    assert gaps(with_gaps((4_000, 4_800)), [100], rate_hz=8_000) == [(8_000, 9_600)]


@pytest.mark.parametrize("size", [1, 333, 16_000])
def test_the_mean_is_of_all_that_came(size: int) -> None:
    one, samples = intake(channels=2), np.random.default_rng(2).normal(0.02, 0.1, (16_000, 2)).astype(np.float32)
    told = [one.feed(samples[start : start + size]).dc_offset for start in range(0, len(samples), size)]
    assert told[-1] == pytest.approx(float(samples.mean()), abs=1e-6)
    assert one.flush().dc_offset == told[-1]


def test_nothing_has_a_mean_of_nothing() -> None:
    assert intake().feed(np.empty((0, 1), np.float32)).dc_offset == 0.0
