"""What a segment's audio is like, measured on made signals and against each other."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio_norm import Normalized, Samples, Span, SpeechWindow, load_definition
from audio_norm.profile import AudioProfile, audio_profile

RATE_HZ = 16_000
DEFINITION = load_definition()


def noise(seconds: float, level_dbfs: float, seed: int = 0) -> Samples:
    made = np.random.default_rng(seed).standard_normal(round(seconds * RATE_HZ))
    return (made * 10 ** (level_dbfs / 20)).astype(np.float32)


def low_passed(samples: Samples, corner_hz: float) -> Samples:
    spectrum = np.fft.rfft(samples)
    spectrum[np.fft.rfftfreq(len(samples), 1 / RATE_HZ) > corner_hz] = 0
    return np.fft.irfft(spectrum, len(samples)).astype(np.float32)


def window(
    speech_dbfs: float = -25.0, noise_dbfs: float = -65.0, before_s: float = 0.5, speech_s: float = 2.0, after_s: float = 0.3
) -> SpeechWindow:
    """Noise, louder noise for speech, noise."""
    parts = (noise(before_s, noise_dbfs, 1), noise(speech_s, speech_dbfs, 2), noise(after_s, noise_dbfs, 3))
    start = len(parts[0])
    return SpeechWindow(np.concatenate(parts), 8_000, (Span(8_000 + start, 8_000 + start + len(parts[1])),))


def profile(one: SpeechWindow, from_sample: int | None = None) -> AudioProfile:
    return audio_profile(one, DEFINITION.finish(one), from_sample=from_sample)


def test_times_are_those_of_the_speech_in_the_window() -> None:
    found = profile(window())
    assert (found.duration_s, found.leading_silence_s, found.trailing_silence_s) == pytest.approx((2.8, 0.5, 0.3))
    assert found.speech_ratio == pytest.approx(2.0 / 2.8)
    assert 0.7 < found.kept_ratio <= 1.0


def test_noise_and_the_speech_above_it_are_told_apart() -> None:
    found = profile(window(speech_dbfs=-25.0, noise_dbfs=-55.0))
    assert found.noise_dbfs == pytest.approx(-55.0, abs=1.0)
    assert found.snr_db == pytest.approx(30.0, abs=1.5)


@pytest.mark.parametrize(("corner_hz", "least_hz", "most_hz"), [(8_000, 6_000, 8_000), (3_400, 2_500, 3_500), (1_000, 800, 1_100)])
def test_a_narrower_band_is_seen(corner_hz: float, least_hz: float, most_hz: float) -> None:
    full = window()
    found = profile(replace(full, samples=low_passed(full.samples, corner_hz)))
    assert found.bandwidth_hz is not None
    assert least_hz <= found.bandwidth_hz <= most_hz


def test_white_noise_has_no_tilt_and_its_sum_falls_by_six_db_an_octave() -> None:
    full = window()
    assert profile(full).tilt_db_per_octave == pytest.approx(0.0, abs=0.7)
    summed = np.cumsum(full.samples - full.samples.mean()).astype(np.float32)
    brown = replace(full, samples=summed / np.abs(summed).max() / 2)
    assert profile(brown).tilt_db_per_octave == pytest.approx(-6.0, abs=1.5)


@settings(deadline=None, max_examples=25)
@given(gain_db=st.floats(-30.0, 10.0))
def test_a_gain_moves_levels_by_itself_and_nothing_else(gain_db: float) -> None:
    before = window()
    louder = replace(before, samples=before.samples * np.float32(10 ** (gain_db / 20)))
    ours, theirs = profile(before), profile(louder)
    for name in ("loudness_lufs", "peak_dbfs", "noise_dbfs"):
        assert getattr(theirs, name) - getattr(ours, name) == pytest.approx(gain_db, abs=0.05)
    for name in ("snr_db", "bandwidth_hz", "tilt_db_per_octave", "speech_ratio", "leading_silence_s"):
        assert getattr(theirs, name) == pytest.approx(getattr(ours, name), abs=0.01)


def test_what_the_definition_did_is_seen_apart() -> None:
    quiet = profile(window(speech_dbfs=-45.0))
    assert quiet.loudness_lufs is not None
    assert quiet.loudness_after_lufs == pytest.approx(quiet.loudness_lufs + quiet.gain_db)
    assert quiet.gain_db > 10


def test_what_was_told_before_is_left_out() -> None:
    one = window()
    whole, rest = profile(one), profile(one, from_sample=one.start_sample + RATE_HZ)
    assert rest.duration_s == pytest.approx(whole.duration_s - 1.0)
    assert rest.leading_silence_s == 0.0


@pytest.mark.parametrize(
    "one",
    [
        SpeechWindow(np.zeros(0, np.float32), 0, ()),
        SpeechWindow(np.zeros(100, np.float32), 0, (Span(0, 100),)),
        SpeechWindow(np.zeros(RATE_HZ, np.float32), 0, ()),
        SpeechWindow(np.zeros(RATE_HZ, np.float32), 0, (Span(0, RATE_HZ),)),
    ],
)
def test_nothing_silence_and_scraps_have_a_profile_too(one: SpeechWindow) -> None:
    found = profile(one)
    assert found.bandwidth_hz is None
    assert found.snr_db is None
    assert found.duration_s == len(one.samples) / RATE_HZ


def test_rejected_audio_has_a_profile_without_what_is_measured_afterwards() -> None:
    one = replace(window(), clipped_ratio=0.9)
    normalized: Normalized = DEFINITION.finish(one)
    assert normalized.rejected == "clipped"
    found = audio_profile(one, normalized)
    assert (found.loudness_lufs, found.loudness_after_lufs, found.clipped_ratio) == (None, None, 0.9)
    assert found.noise_dbfs is not None


def test_gaps_count_where_somebody_speaks() -> None:
    one = window()
    speech = one.speech[0]
    inside, before = Span(speech.start_sample + 1_600, speech.start_sample + 4_800), Span(one.start_sample, one.start_sample + 1_000)
    assert profile(one).gap_ratio == 0.0
    assert profile(replace(one, gaps=(before, inside))).gap_ratio == pytest.approx(0.1)
    assert profile(replace(one, speech=())).gap_ratio is None


def test_the_mean_of_the_stream_is_told_as_it_came() -> None:
    assert profile(replace(window(), dc_offset=0.02)).dc_offset == 0.02


def test_a_window_of_a_recording_knows_its_gaps_and_its_mean() -> None:
    samples = np.concatenate([noise(1.0, -25.0), np.zeros(3_200, np.float32), noise(1.0, -25.0, 1)]) + np.float32(0.01)
    samples[16_000:19_200] = 0.0
    told = DEFINITION.whole_window(samples[:, np.newaxis], RATE_HZ)
    assert told.gaps == (Span(16_000, 19_200),)
    assert told.dc_offset == pytest.approx(float(samples.mean()), abs=1e-6)
