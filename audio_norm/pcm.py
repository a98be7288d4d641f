"""Mono audio as a value, and the only place that knows how integers scale to floats."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
"""Shape (n,): mono, full scale -1.0 to 1.0."""

Frames = NDArray[np.float32]
"""Shape (n, channels): interleaved audio as it came, full scale -1.0 to 1.0."""

INT16_SCALE = 32_768


@dataclass(frozen=True, slots=True, eq=False)
class Pcm:
    """Mono samples with their rate."""

    samples: Samples
    rate_hz: int

    def __post_init__(self) -> None:
        if self.samples.ndim != 1 or self.samples.dtype != np.float32:
            raise ValueError(f"Pcm wants float32 of shape (n,), got {self.samples.dtype} of shape {self.samples.shape}")
        if self.rate_hz <= 0:
            raise ValueError(f"Pcm wants a positive rate, got {self.rate_hz} Hz")

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def duration_s(self) -> float:
        return len(self.samples) / self.rate_hz


def from_int16(samples: NDArray[np.int16]) -> NDArray[np.float32]:
    """Any shape, -32768..32767 to -1.0..1.0."""
    return samples.astype(np.float32) / np.float32(INT16_SCALE)


def to_int16(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    """Any shape, rounded to nearest, clipped to -32768..32767."""
    scaled = np.rint(samples * np.float32(INT16_SCALE))
    clipped: NDArray[np.int16] = np.clip(scaled, -INT16_SCALE, INT16_SCALE - 1).astype(np.int16)
    return clipped
