"""Audio for the tests: short recorded speech of an installed package, and noise and tones made here."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import soundfile

from audio_norm import Samples

RATE_HZ = 16_000


def speech(name: str = "counting", language: str = "en") -> Samples:
    """A few seconds of clean speech at 16 kHz."""
    spec = find_spec("pytest_audioeval")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    folder = Path(next(iter(spec.submodule_search_locations))) / "samples" / "audio"
    samples, rate_hz = soundfile.read(folder / language / f"{name}.wav", dtype="float32")
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
