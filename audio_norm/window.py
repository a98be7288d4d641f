"""A stretch of speech on its way through the data definition: as it was cut, and as the recogniser gets it.

Positions are samples of the 16 kHz conditioned audio, counted from the first sample of the stream (or file).
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from audio_norm.pcm import Samples

Rejection = Literal["too_short", "no_speech", "clipped"]


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Half-open: `start_sample` is in, `end_sample` is not."""

    start_sample: int
    end_sample: int

    def __post_init__(self) -> None:
        if not 0 <= self.start_sample <= self.end_sample:
            raise ValueError(f"Span wants 0 <= start <= end, got {self.start_sample}..{self.end_sample}")

    def __len__(self) -> int:
        return self.end_sample - self.start_sample


@dataclass(frozen=True, slots=True, eq=False)
class SpeechWindow:
    """Conditioned audio with what is known of the speech in it; not yet trimmed or levelled."""

    samples: Samples
    start_sample: int
    """Position of `samples[0]`."""
    speech: tuple[Span, ...]
    """Where speech is, in order, not overlapping, inside the window."""
    clipped_ratio: float = 0.0
    """Share of the window's samples that arrived at full scale."""
    dc_offset: float = 0.0
    """Mean of the stream before it was conditioned, from its beginning, full scale being 1."""
    gaps: tuple[Span, ...] = ()
    """Where it arrived as digital silence, in order, inside the window."""

    @property
    def end_sample(self) -> int:
        return self.start_sample + len(self.samples)


@dataclass(frozen=True, slots=True, eq=False)
class Normalized:
    """What the recogniser (and a training set) sees of a window, and what was done to it."""

    samples: Samples
    rate_hz: int
    kept: tuple[Span, ...]
    """The parts of the stream that `samples` consists of, in order."""
    gain_db: float
    loudness_lufs: float | None
    """BS.1770-4 loudness before the gain; None when it cannot be measured (silence)."""
    true_peak_dbfs: float | None
    """Before the gain; None for digital silence."""
    speech_samples: int
    rejected: Rejection | None
    definition: str
    """Version of the data definition, e.g. "v1"."""

    def __post_init__(self) -> None:
        if sum(len(span) for span in self.kept) != len(self.samples):
            raise ValueError("Normalized wants kept spans that add up to its samples")
        if any(before.end_sample > after.start_sample for before, after in pairwise(self.kept)):
            raise ValueError("Normalized wants kept spans in order")

    @property
    def duration_s(self) -> float:
        return len(self.samples) / self.rate_hz

    def to_stream(self, sample: int) -> int:
        """Position in the stream of position `sample` in `samples`; clamped to the kept spans."""
        if not self.kept:
            return 0
        rest = max(sample, 0)
        for span in self.kept:
            if rest < len(span):
                return span.start_sample + rest
            rest -= len(span)
        return self.kept[-1].end_sample
