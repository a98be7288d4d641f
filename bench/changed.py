"""Recordings after something has changed: a microphone, a line, a client, a speaker. Pure; what is drawn is the same on every run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from audio_norm import Frames, Pcm, Samples, Span, resample
from eval.robustness.distort import add_noise, change_level, lose_packets, overdrive, telephone

CUT_INTO_SPEECH_MS = 20
SPEED = 1.2


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """A recording, with where speech is in it, in its own samples."""

    frames: Frames
    rate_hz: int
    speech: tuple[Span, ...]
    seed: int
    """Of what is drawn for it."""


Change = Callable[[Recorded], Frames]


def quieter(recorded: Recorded) -> Frames:
    return change_level(recorded.frames, -12.0)


def narrow(recorded: Recorded) -> Frames:
    return telephone(recorded.frames, recorded.rate_hz)


def noisy(recorded: Recorded) -> Frames:
    return add_noise(recorded.frames, pink_noise(len(recorded.frames), recorded.seed), recorded.speech, 10.0)


def clipped(recorded: Recorded) -> Frames:
    return overdrive(recorded.frames, recorded.speech, 0.05)


def cut_short(recorded: Recorded) -> Frames:
    """As a client that begins to send when speech has begun."""
    start = recorded.speech[0].start_sample + CUT_INTO_SPEECH_MS * recorded.rate_hz // 1000 if recorded.speech else 0
    return recorded.frames[start:]


def faster(recorded: Recorded) -> Frames:
    """Read at a rate that is too high: faster, and higher."""
    to_hz = round(recorded.rate_hz / SPEED)
    return np.stack(
        [resample(Pcm(np.ascontiguousarray(channel), recorded.rate_hz), to_hz).samples for channel in recorded.frames.T], axis=1
    )


def with_offset(recorded: Recorded) -> Frames:
    shifted: Frames = np.clip(recorded.frames + np.float32(0.02), -1.0, 1.0)
    return shifted


def with_losses(recorded: Recorded) -> Frames:
    return lose_packets(recorded.frames, recorded.rate_hz, 0.05, np.random.default_rng(recorded.seed))


CHANGES: Mapping[str, Change] = {
    "12 dB quieter": quieter,
    "8 kHz band": narrow,
    "noise at 10 dB SNR": noisy,
    "5 % clipped": clipped,
    "leading silence cut": cut_short,
    "speed 1.2": faster,
    "DC offset 0.02": with_offset,
    "5 % of packets lost": with_losses,
}


def pink_noise(length: int, seed: int) -> Samples:
    """Of unit spread, 3 dB an octave less."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(length))
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 1.0))
    noise = np.fft.irfft(spectrum, length)
    made: Samples = (noise / noise.std()).astype(np.float32)
    return made
