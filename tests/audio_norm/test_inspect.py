import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt

from audio_norm import Span, inspect_audio, load_definition
from audio_norm.inspect import bandwidth_hz, snr_db
from tests.audio_norm.samples import RATE_HZ, noise, speech, tone

V1 = load_definition("v1")


@pytest.mark.parametrize("ratio_db", [0.0, 10.0, 30.0])
def test_the_noise_ratio_is_what_was_mixed(ratio_db: float) -> None:
    """Tone in noise, its place known. The tolerance is the difference between mean and median of noise frames."""
    hiss = noise(4.0, rms=0.01)
    hiss[16_000:48_000] += tone(2.0, 440.0, peak=0.01 * np.sqrt(2.0) * 10 ** (ratio_db / 20))
    assert snr_db(hiss, (Span(16_000, 48_000),)) == pytest.approx(ratio_db, abs=0.3)


def test_digital_silence_around_speech_gives_a_finite_ratio() -> None:
    samples = np.concatenate([np.zeros(16_000, np.float32), tone(1.0, 440.0)])
    assert snr_db(samples, (Span(16_000, 32_000),)) == pytest.approx(92.1, abs=0.5)


@pytest.mark.parametrize("speech_spans", [(), (Span(0, 16_000),)])
def test_without_speech_or_without_rest_there_is_no_ratio(speech_spans: tuple[Span, ...]) -> None:
    assert snr_db(noise(1.0), speech_spans) is None


def test_where_the_rest_is_louder_than_the_speech_there_is_no_ratio() -> None:
    assert snr_db(np.concatenate([noise(1.0, rms=0.1), noise(1.0, rms=0.01)]), (Span(24_000, 32_000),)) is None


@pytest.mark.parametrize("edge_hz", [1_700, 3_400, 6_000])
def test_the_bandwidth_is_that_of_the_filter(edge_hz: int) -> None:
    low = sosfiltfilt(butter(12, edge_hz, fs=RATE_HZ, output="sos"), noise(3.0, rms=0.1)).astype(np.float32)
    assert edge_hz <= (bandwidth_hz(low, RATE_HZ) or 0) < 1.45 * edge_hz


def test_full_band_noise_reaches_to_half_the_rate() -> None:
    assert bandwidth_hz(noise(1.0), RATE_HZ) == pytest.approx(8_000, abs=100)


@pytest.mark.parametrize("samples", [np.empty(0, np.float32), np.zeros(1, np.float32), np.zeros(16_000, np.float32)])
def test_silence_has_no_bandwidth(samples: np.ndarray) -> None:
    assert bandwidth_hz(samples, RATE_HZ) is None


def test_a_recording_is_measured_before_and_after() -> None:
    padded = np.concatenate([noise(2.0, 0.0003), 0.1 * speech(), noise(2.0, 0.0003)]).astype(np.float32)
    found = inspect_audio(padded[:, np.newaxis], RATE_HZ, V1)
    assert found.rejected is None
    assert found.duration_s == len(padded) / RATE_HZ
    assert (found.rate_hz, found.channels) == (RATE_HZ, 1)
    assert found.loudness_after_lufs == pytest.approx(V1.loudness.target_lufs, abs=0.01)
    assert found.loudness_before_lufs is not None
    assert found.gain_db > 10.0
    assert found.peak_before_dbtp is not None
    assert found.peak_after_dbtp == pytest.approx(found.peak_before_dbtp + found.gain_db, abs=0.05)
    assert 3.0 < found.silence_cut_s < 4.0
    assert 1.8 < (found.leading_silence_s or 0.0) < 2.8
    assert 1.5 < (found.trailing_silence_s or 0.0) < 2.5
    assert 0.2 < found.speech_ratio < 0.5
    assert (found.snr_db or 0.0) > 20.0
    assert found.clipped_ratio == 0.0
    assert (found.definition, found.digest) == ("v1", V1.digest)


def test_a_rejected_recording_has_no_after_and_is_cut_whole() -> None:
    found = inspect_audio(np.zeros((RATE_HZ, 2), np.float32), RATE_HZ, V1)
    assert found.rejected == "no_speech"
    assert found.silence_cut_s == 1.0
    assert (found.leading_silence_s, found.trailing_silence_s) == (None, None)
    assert (found.loudness_before_lufs, found.loudness_after_lufs, found.peak_after_dbtp, found.snr_db) == (None, None, None, None)


def test_an_empty_recording_is_rejected_too() -> None:
    found = inspect_audio(np.empty((0, 1), np.float32), RATE_HZ, V1)
    assert (found.rejected, found.duration_s, found.speech_ratio) == ("no_speech", 0.0, 0.0)
