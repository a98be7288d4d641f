"""What a recording is like, and what a data definition makes of it. Measures only; changes nothing."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import welch

from audio_norm.decode import to_mono
from audio_norm.definition import DataDefinition
from audio_norm.loudness import integrated_lufs, true_peak_dbtp
from audio_norm.pcm import INT16_SCALE, Frames, Samples
from audio_norm.window import Rejection, Span

_SNR_FRAME_SAMPLES = 320
_SNR_GUARD_BEFORE_SAMPLES = 6_400
_SNR_GUARD_AFTER_SAMPLES = 1_600
"""So near to speech is neither speech nor noise: detectors hear it late, and a word fades out."""
_SNR_LEAST_REST_SAMPLES = 1_600
_QUANTISATION_POWER = 1.0 / (12.0 * INT16_SCALE**2)
"""Noise of rounding to 16 bits, -101 dBFS: no recording is quieter, so digital silence gives a finite ratio."""
_BANDWIDTH_DROP_DB = 60.0
_BANDWIDTH_SMOOTHING_HZ = 100


@dataclass(frozen=True, slots=True)
class Inspection:
    """One recording under one definition. "before" is all of it, mono at 16 kHz; "after" is what `normalize` returns."""

    duration_s: float
    rate_hz: int
    channels: int
    bandwidth_hz: int | None
    """Highest frequency whose long-term spectrum is within 60 dB of the strongest; None for digital silence."""
    loudness_before_lufs: float | None
    loudness_after_lufs: float | None
    peak_before_dbtp: float | None
    peak_after_dbtp: float | None
    gain_db: float
    snr_db: float | None
    """Power of speech (less the noise) over the median power of the rest; None without speech, without 100 ms of rest, or when the rest
    is as loud as the speech."""
    speech_ratio: float
    """Share of the duration that is speech."""
    leading_silence_s: float | None
    """Before the first speech; None without any."""
    trailing_silence_s: float | None
    """After the last speech; None without any."""
    silence_cut_s: float
    """How much shorter the result is; all of it when rejected."""
    clipped_ratio: float
    """Share of samples that arrived at full scale."""
    rejected: Rejection | None
    definition: str
    digest: str


def inspect_audio(frames: Frames, rate_hz: int, definition: DataDefinition, channel: int | None = None) -> Inspection:
    """Measures a whole recording of shape (n, channels)."""
    window = definition.whole_window(frames, rate_hz, channel)
    result = definition.finish(window)
    return Inspection(
        duration_s=len(frames) / rate_hz,
        rate_hz=rate_hz,
        channels=frames.shape[1],
        bandwidth_hz=bandwidth_hz(to_mono(frames, channel), rate_hz),
        loudness_before_lufs=integrated_lufs(window.samples, result.rate_hz),
        loudness_after_lufs=integrated_lufs(result.samples, result.rate_hz),
        peak_before_dbtp=true_peak_dbtp(window.samples),
        peak_after_dbtp=true_peak_dbtp(result.samples),
        gain_db=result.gain_db,
        snr_db=snr_db(window.samples, window.speech),
        speech_ratio=result.speech_samples / len(window.samples) if len(window.samples) else 0.0,
        leading_silence_s=window.speech[0].start_sample / result.rate_hz if window.speech else None,
        trailing_silence_s=(window.end_sample - window.speech[-1].end_sample) / result.rate_hz if window.speech else None,
        silence_cut_s=(len(window.samples) - len(result.samples)) / result.rate_hz,
        clipped_ratio=window.clipped_ratio,
        rejected=result.rejected,
        definition=definition.version,
        digest=definition.digest,
    )


def snr_db(samples: Samples, speech: tuple[Span, ...]) -> float | None:
    """Signal-to-noise ratio of 16 kHz audio whose speech is known; see Inspection."""
    frames = len(samples) // _SNR_FRAME_SAMPLES
    power = np.square(samples[: frames * _SNR_FRAME_SAMPLES], dtype=np.float64).reshape(frames, _SNR_FRAME_SAMPLES).mean(axis=1)
    in_speech = _frames_touching(speech, frames, 0, 0)
    at_rest = ~_frames_touching(speech, frames, _SNR_GUARD_BEFORE_SAMPLES, _SNR_GUARD_AFTER_SAMPLES)
    if not in_speech.any() or np.count_nonzero(at_rest) * _SNR_FRAME_SAMPLES < _SNR_LEAST_REST_SAMPLES:
        return None
    noise = max(float(np.median(power[at_rest])), _QUANTISATION_POWER)
    signal = float(power[in_speech].mean()) - noise
    return 10.0 * math.log10(signal / noise) if signal > 0.0 else None


def _frames_touching(spans: tuple[Span, ...], frames: int, before_samples: int, after_samples: int) -> NDArray[np.bool_]:
    touching = np.zeros(frames, np.bool_)
    for span in spans:
        first = max(span.start_sample - before_samples, 0) // _SNR_FRAME_SAMPLES
        last = -(-(span.end_sample + after_samples) // _SNR_FRAME_SAMPLES)
        touching[first:last] = True
    return touching


def bandwidth_hz(samples: Samples, rate_hz: int) -> int | None:
    """Effective bandwidth; see Inspection. Telephone speech in a wide-band file shows here."""
    segment = min(len(samples), 2 * rate_hz // 50)
    if segment < 2 or not samples.any():
        return None
    frequencies_hz, power = welch(samples.astype(np.float64), rate_hz, nperseg=segment)
    width = max(round(_BANDWIDTH_SMOOTHING_HZ / (rate_hz / segment)), 1)
    smooth = np.convolve(power, np.ones(width) / width, mode="same")
    audible = np.flatnonzero(smooth > smooth.max() * 10.0 ** (-_BANDWIDTH_DROP_DB / 10.0))
    return round(float(frequencies_hz[audible[-1]])) if len(audible) else None
