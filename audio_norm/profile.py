"""What a segment's audio is like: some numbers that change when a microphone, a line or a room does. Pure.

From what is there anyway, the window that is recognised and what the data definition made of it, in about half a millisecond: the
spectrum is that of at most `_FRAMES` frames of the speech, evenly chosen.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audio_norm.pcm import Samples
from audio_norm.window import Normalized, Span, SpeechWindow

_FRAME = 512
"""32 ms at 16 kHz: bins of 31 Hz."""
_FRAMES = 64
_WINDOW = np.hanning(_FRAME).astype(np.float32)
_LEAST_POWER = 1e-12
_BAND_DB = 45.0
"""Below the strongest third of an octave. What lies further down on both sides of a band edge is noise of the line: speech at 16 kHz has
-30 to -40 dB at 6 kHz, a telephone -60 dB and less beyond 3.6 kHz."""
_TILT_HZ = (200.0, 4_000.0)


@dataclass(frozen=True, slots=True)
class AudioProfile:
    """Of the audio as it came in, at 16 kHz and without DC, unless it says otherwise. None: cannot be measured, for lack of speech, of
    silence or of any signal."""

    duration_s: float
    speech_ratio: float
    """Share that is speech."""
    leading_silence_s: float
    trailing_silence_s: float
    loudness_lufs: float | None
    """ITU-R BS.1770-4, of what was kept."""
    peak_dbfs: float | None
    """True peak of what was kept."""
    clipped_ratio: float
    dc_offset: float
    """Mean of the stream as it came, full scale being 1; of that alone nothing else here knows."""
    gap_ratio: float | None
    """Share of the time from the first to the last sample of speech that came as digital silence of 10 ms or more: packets that were lost,
    a microphone that was muted."""
    noise_dbfs: float | None
    """Level of the tenth of frames without speech that is lowest."""
    snr_db: float | None
    """Level of the speech above that, the noise's own power taken out."""
    bandwidth_hz: float | None
    """The highest third of an octave that is less than 45 dB below the strongest."""
    tilt_db_per_octave: float | None
    """Slope of the spectrum of speech from 200 to 4000 Hz (least squares over thirds of an octave)."""
    gain_db: float
    """That the data definition applied."""
    kept_ratio: float
    """Share of the audio that it kept."""
    loudness_after_lufs: float | None
    peak_after_dbfs: float | None


def audio_profile(window: SpeechWindow, normalized: Normalized, *, from_sample: int | None = None) -> AudioProfile:
    """Of `window`, or of its part from position `from_sample` on where what lies before was told before."""
    start = window.start_sample if from_sample is None else min(max(from_sample, window.start_sample), window.end_sample)
    samples = window.samples[start - window.start_sample :]
    rate_hz = normalized.rate_hz
    speech = np.zeros(len(samples), np.bool_)
    for span in window.speech:
        speech[max(span.start_sample - start, 0) : max(span.end_sample - start, 0)] = True
    spoken = np.flatnonzero(speech)
    leading = int(spoken[0]) if len(spoken) else len(samples)
    trailing = len(samples) - 1 - int(spoken[-1]) if len(spoken) else len(samples)
    kept = sum(max(0, span.end_sample - max(span.start_sample, start)) for span in normalized.kept)
    said = _frames(samples, speech)
    noise_dbfs, snr_db = _noise(_frames(samples, ~speech), said)
    bandwidth_hz, tilt = _spectrum(said, rate_hz)
    return AudioProfile(
        duration_s=len(samples) / rate_hz,
        speech_ratio=len(spoken) / len(samples) if len(samples) else 0.0,
        leading_silence_s=leading / rate_hz,
        trailing_silence_s=trailing / rate_hz,
        loudness_lufs=normalized.loudness_lufs,
        peak_dbfs=normalized.true_peak_dbfs,
        clipped_ratio=window.clipped_ratio,
        dc_offset=window.dc_offset,
        gap_ratio=_gap_ratio(window.gaps, start + int(spoken[0]), start + int(spoken[-1])) if len(spoken) else None,
        noise_dbfs=noise_dbfs,
        snr_db=snr_db,
        bandwidth_hz=bandwidth_hz,
        tilt_db_per_octave=tilt,
        gain_db=normalized.gain_db,
        kept_ratio=kept / len(samples) if len(samples) else 0.0,
        loudness_after_lufs=_plus(normalized.loudness_lufs, normalized.gain_db),
        peak_after_dbfs=_plus(normalized.true_peak_dbfs, normalized.gain_db),
    )


def _plus(level: float | None, gain_db: float) -> float | None:
    return None if level is None else level + gain_db


def _frames(samples: Samples, chosen: NDArray[np.bool_]) -> Samples:
    """Frames that lie in `chosen` as a whole, shape (n, `_FRAME`), at most `_FRAMES` of them."""
    whole = len(samples) // _FRAME
    cut = slice(0, whole * _FRAME)
    inside = chosen[cut].reshape(whole, _FRAME).all(axis=1)
    numbers = np.flatnonzero(inside)
    if len(numbers) > _FRAMES:
        numbers = numbers[np.linspace(0, len(numbers) - 1, _FRAMES).astype(np.intp)]
    return samples[cut].reshape(whole, _FRAME)[numbers]


def _db(power: float) -> float:
    return 10 * math.log10(max(power, _LEAST_POWER))


def _gap_ratio(gaps: Sequence[Span], first_sample: int, last_sample: int) -> float | None:
    """Of what lies between the first and the last sample of speech."""
    length = last_sample + 1 - first_sample
    missing = sum(max(0, min(gap.end_sample, last_sample + 1) - max(gap.start_sample, first_sample)) for gap in gaps)
    return missing / length


def _powers(frames: Samples) -> NDArray[np.float64]:
    powers: NDArray[np.float64] = np.square(frames, dtype=np.float64).mean(axis=1)
    return powers


def _noise(quiet: Samples, said: Samples) -> tuple[float | None, float | None]:
    """Frames without speech and with it: level of the noise, and of the speech above it."""
    if not len(quiet):
        return None, None
    noise = float(np.percentile(_powers(quiet), 10))
    if not len(said):
        return _db(noise), None
    return _db(noise), _db(max(float(_powers(said).mean()) - noise, _LEAST_POWER)) - _db(noise)


def _spectrum(said: Samples, rate_hz: int) -> tuple[float | None, float | None]:
    """Frames of speech: bandwidth and tilt."""
    if not len(said):
        return None, None
    spectrum = np.fft.rfft(said * _WINDOW, axis=1)
    power = np.square(np.abs(spectrum)).mean(axis=0)
    if float(power.max()) <= _LEAST_POWER:
        return None, None
    centres_hz, levels_db = _thirds(power, rate_hz)
    audible = centres_hz[levels_db >= levels_db.max() - _BAND_DB]
    within = (centres_hz >= _TILT_HZ[0]) & (centres_hz <= _TILT_HZ[1])
    octaves = np.log2(centres_hz[within])
    tilt = float(np.polyfit(octaves, levels_db[within], 1)[0])
    return float(audible.max()), tilt


def _thirds(power: NDArray[np.floating], rate_hz: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centres in Hz and density in dB of thirds of an octave (IEC 61260, base 2) from 125 Hz to half the rate."""
    centres_hz = 1_000 * 2 ** (np.arange(-9, 9) / 3)
    centres_hz = centres_hz[centres_hz * 2 ** (1 / 6) <= rate_hz / 2 * 1.01]
    bins = np.arange(len(power)) * rate_hz / _FRAME
    levels = [
        _band_db(power[(bins >= low) & (bins < high)])
        for low, high in zip(centres_hz / 2 ** (1 / 6), centres_hz * 2 ** (1 / 6), strict=True)
    ]
    return centres_hz, np.array(levels)


def _band_db(power: NDArray[np.floating]) -> float:
    return _db(float(power.mean())) if len(power) else _db(0.0)
