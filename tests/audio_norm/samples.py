"""Audio for the tests: short recorded speech of an installed package, and noise and tones made here."""

import numpy as np
import soundfile

from audio_norm import Samples
from tests.recordings import recording

RATE_HZ = 16_000


def speech(name: str = "counting", language: str = "en") -> Samples:
    """A few seconds of clean speech at 16 kHz."""
    samples, rate_hz = soundfile.read(recording(name, language), dtype="float32")
    assert rate_hz == RATE_HZ
    return samples  # type: ignore[no-any-return]


def noise(seconds: float, rms: float = 0.01, seed: int = 1) -> Samples:
    return (rms * np.random.default_rng(seed).standard_normal(round(seconds * RATE_HZ))).astype(np.float32)


def tone(seconds: float, hz: float, peak: float = 0.5, rate_hz: int = RATE_HZ) -> Samples:
    return (peak * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz)).astype(np.float32)


def chunks(total: int, sizes: list[int]) -> list[slice]:
    """Cuts 0..total into pieces of these sizes, over and over; at least one size is above 0."""
    cuts, at, turn = [], 0, 0
    while at < total:
        size = sizes[turn % len(sizes)]
        cuts.append(slice(at, at + size))
        at += size
        turn += 1
    return cuts
