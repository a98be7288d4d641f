"""One conversion in two forms: equal to the last bit in any chunks, on time, and close to soxr."""

import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from audio_norm.pcm import Pcm, Samples
from audio_norm.resample import TAPS, Resampler, resample
from tests.audio_norm.encoded import same
from tests.audio_norm.samples import chunks, speech, tone

TO_HZ = 16_000
RATES_HZ = [8_000, 11_025, 22_050, 24_000, 32_000, 44_100, 48_000]
ODD_RATES_HZ = [8_001, 16_001, 47_999]


@cache
def noise(rate_hz: int) -> Samples:
    return (0.1 * np.random.default_rng(rate_hz).standard_normal(rate_hz + 37)).astype(np.float32)


@cache
def at_once(rate_hz: int) -> Samples:
    return resample(Pcm(noise(rate_hz), rate_hz), TO_HZ).samples


def streamed(samples: Samples, rate_hz: int, to_hz: int, sizes: list[int]) -> Samples:
    resampler = Resampler(rate_hz, to_hz)
    return np.concatenate([*(resampler.feed(samples[cut]) for cut in chunks(len(samples), sizes)), resampler.flush()])


@pytest.mark.parametrize("rate_hz", [TO_HZ, *RATES_HZ, *ODD_RATES_HZ])
@given(sizes=st.lists(st.integers(0, 3_000), min_size=1, max_size=8).filter(lambda sizes: sum(sizes) > 20 * len(sizes)))
@settings(max_examples=12)
def test_any_chunks_give_the_same_samples(rate_hz: int, sizes: list[int]) -> None:
    assert same(streamed(noise(rate_hz), rate_hz, TO_HZ, sizes), at_once(rate_hz))


@pytest.mark.parametrize("rate_hz", [8_000, 44_100, 47_999])
def test_single_samples_give_the_same_samples(rate_hz: int) -> None:
    samples = noise(rate_hz)[:3_000]
    assert same(streamed(samples, rate_hz, TO_HZ, [1]), resample(Pcm(samples, rate_hz), TO_HZ).samples)


@pytest.mark.parametrize("rate_hz", [8_000, 44_100, 48_000])
def test_streams_shorter_than_the_filter_do_not_depend_on_chunks_either(rate_hz: int) -> None:
    for count in range(1, 300, 13):
        samples = noise(rate_hz)[:count]
        expected = resample(Pcm(samples, rate_hz), TO_HZ).samples
        for size in (1, 5, 64):
            assert same(streamed(samples, rate_hz, TO_HZ, [size]), expected)


@pytest.mark.parametrize("rate_hz", RATES_HZ + ODD_RATES_HZ)
def test_the_duration_is_kept_rounded_up_to_a_sample(rate_hz: int) -> None:
    for count in (0, 1, 5, 100, rate_hz + 37):
        out = resample(Pcm(noise(rate_hz)[:count], rate_hz), TO_HZ)
        assert out.rate_hz == TO_HZ
        assert len(out) == math.ceil(count * TO_HZ / rate_hz)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_it_agrees_with_soxr_below_nine_tenths_of_the_band(rate_hz: int) -> None:
    """Sample by sample against tones of known phase, so a delay would show: within -60 dB of the ideal tone and of soxr."""
    top_hz = 0.88 * min(rate_hz, TO_HZ) / 2
    for hz in (100.0, 1_000.0, 3_000.0, top_hz):
        ours = resample(Pcm(tone(1.0, hz, rate_hz=rate_hz), rate_hz), TO_HZ).samples
        ideal = tone(1.0, hz, rate_hz=TO_HZ)
        theirs = soxr.resample(tone(1.0, hz, rate_hz=rate_hz), rate_hz, TO_HZ, "VHQ")
        middle = slice(1_000, 15_000)
        for reference in (ideal, theirs):
            error_db = 20 * np.log10(np.std(ours[middle] - reference[middle]) / np.std(ideal))
            assert error_db < -60, (hz, error_db)


@pytest.mark.parametrize("rate_hz", [24_000, 32_000, 44_100, 48_000])
def test_tones_above_the_band_do_not_come_back_as_aliases(rate_hz: int) -> None:
    for hz in (8_500.0, 9_000.0, 11_500.0):
        out = resample(Pcm(tone(1.0, hz, rate_hz=rate_hz), rate_hz), TO_HZ).samples
        assert 20 * np.log10(np.std(out[1_000:-1_000]) / np.std(tone(1.0, hz))) < -60


def test_telephone_speech_gets_no_mirror_image() -> None:
    """8 to 16 kHz: what is said below 3.5 kHz must not appear again above 4.5 kHz."""
    for hz in (300.0, 1_000.0, 3_500.0):
        out = resample(Pcm(tone(1.0, hz, rate_hz=8_000), 8_000), TO_HZ).samples
        spectrum = np.abs(np.fft.rfft(out[1_000:15_000] * np.hanning(14_000)))
        hz_a_bin = TO_HZ / 14_000
        assert spectrum[round(4_500 / hz_a_bin) :].max() < 1e-4 * spectrum.max()


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_a_stream_is_held_back_by_half_the_filter(rate_hz: int) -> None:
    """2 ms from 16 kHz up, 4 ms at 8 kHz, less one chunk's rounding; at the very start twice that."""
    resampler = Resampler(rate_hz, TO_HZ)
    step = rate_hz // 100
    half_filter_s = TAPS / 2 / min(rate_hz, TO_HZ)
    out = 0
    for turn in range(1, 21):
        out += len(resampler.feed(np.zeros(step, np.float32)))
        held_back_s = turn * step / rate_hz - out / TO_HZ
        assert held_back_s <= (2 if turn == 1 else 1) * half_filter_s + 2 / TO_HZ


def test_equal_rates_pass_through_untouched() -> None:
    pcm = Pcm(noise(TO_HZ), TO_HZ)
    assert resample(pcm, TO_HZ) is pcm
    assert Resampler(TO_HZ, TO_HZ).feed(pcm.samples) is pcm.samples


@pytest.mark.parametrize("rates_hz", [(0, 16_000), (16_000, -1)])
def test_rates_must_be_positive(rates_hz: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="positive rates"):
        Resampler(*rates_hz)


@pytest.mark.parametrize("rate_hz", [8_000, TO_HZ])
def test_a_flushed_resampler_takes_no_more(rate_hz: int) -> None:
    resampler = Resampler(rate_hz, TO_HZ)
    resampler.flush()
    assert len(resampler.flush()) == 0
    with pytest.raises(RuntimeError, match="flushed"):
        resampler.feed(np.zeros(1, np.float32))


def test_resamplers_start_no_threads() -> None:
    """FFmpeg's filter graphs would start one a core for each stream."""
    tasks = Path("/proc/self/task")
    if not tasks.exists():
        pytest.skip("threads of the operating system are counted in /proc")
    before = len(list(tasks.iterdir()))
    resamplers = [Resampler(48_000, TO_HZ) for _ in range(8)]
    for resampler in resamplers:
        resampler.feed(np.zeros(480, np.float32))
    assert len(list(tasks.iterdir())) == before


def test_speech_there_and_back_stays_the_same_below_7_khz() -> None:
    """16 to 48 to 16 kHz of real speech: what is left of the difference lies in the filter's slope at the top of the band."""
    samples = speech()
    back = resample(resample(Pcm(samples, TO_HZ), 48_000), TO_HZ).samples
    spectrum = np.abs(np.fft.rfft((back[: len(samples)] - samples).astype(np.float64)))
    below = spectrum[: round(7_000 / TO_HZ * len(samples))]
    assert np.sqrt(np.sum(below**2)) < 1e-3 * np.sqrt(np.sum(np.abs(np.fft.rfft(samples)) ** 2))
