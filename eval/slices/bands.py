"""Which slice of a collection a clip belongs to: by what its audio is like, and by what the manifest says of it. Pure.

Every clip is in exactly one band of each dimension; where it cannot be measured, in "unknown". A band holds its upper edge, not its lower.
The edges are fixed, so that slices of two runs can be held side by side.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from eval.result import ClipResult

UNKNOWN = "unknown"
NAMED = ("set", "language", "speaker", "condition")
"""Dimensions of what the manifest says; slices of the others say in their name what they are."""


@dataclass(frozen=True, slots=True)
class Bands:
    """One dimension of the audio, cut at rising edges."""

    dimension: str
    label: str
    """How a slice's name begins."""
    unit: str
    edges: tuple[float, ...]
    measure: Callable[[ClipResult], float | None]
    """In `unit`; None where it cannot be measured."""

    @property
    def names(self) -> list[str]:
        """Of all bands, rising."""
        between = [f"{low:g} to {high:g}" for low, high in zip(self.edges, self.edges[1:], strict=False)]
        return [f"{self.label} {part} {self.unit}" for part in (f"up to {self.edges[0]:g}", *between, f"above {self.edges[-1]:g}")]

    def place(self, clip: ClipResult) -> str:
        """The name of the band the clip is in."""
        value = self.measure(clip)
        return f"{self.label} {UNKNOWN}" if value is None or math.isnan(value) else self.names[bisect_left(self.edges, value)]


def _loudness_lufs(clip: ClipResult) -> float | None:
    return clip.audio.loudness_before_lufs if clip.audio else None


def _snr_db(clip: ClipResult) -> float | None:
    return clip.audio.snr_db if clip.audio else None


def _bandwidth_khz(clip: ClipResult) -> float | None:
    return clip.audio.bandwidth_hz / 1000 if clip.audio and clip.audio.bandwidth_hz is not None else None


def _words_per_second(clip: ClipResult) -> float | None:
    speech_s = clip.audio.duration_s * clip.audio.speech_ratio if clip.audio else 0.0
    return clip.counts.words / speech_s if speech_s > 0.0 else None


def _duration_s(clip: ClipResult) -> float | None:
    return clip.audio.duration_s if clip.audio else None


def _clipped_percent(clip: ClipResult) -> float | None:
    return clip.audio.clipped_ratio * 100 if clip.audio else None


def _leading_s(clip: ClipResult) -> float | None:
    return clip.audio.leading_silence_s if clip.audio else None


def _trailing_s(clip: ClipResult) -> float | None:
    return clip.audio.trailing_silence_s if clip.audio else None


AUDIO: Sequence[Bands] = (
    # Broadcasts aim at -23 LUFS; a far microphone lies 10 to 20 below, and above -14 a recording was compressed hard.
    Bands("loudness", "loudness", "LUFS", (-40.0, -30.0, -20.0, -14.0), _loudness_lufs),
    # Street and car below 10 dB, office below 20, quiet room below 30.
    Bands("snr", "SNR", "dB", (0.0, 10.0, 20.0, 30.0), _snr_db),
    # A telephone line ends at 4 kHz at most, a low-rate codec or a bad microphone at 7.
    Bands("bandwidth", "bandwidth", "kHz", (4.0, 7.0), _bandwidth_khz),
    # Of speech without its pauses: reading aloud is about 3, hurried talk above 4.
    Bands("speech_rate", "speech rate", "words/s", (2.0, 3.0, 4.0, 5.0), _words_per_second),
    # Single words, commands, sentences, paragraphs; past 28 s a recording is cut for the recogniser.
    Bands("duration", "duration", "s", (1.0, 3.0, 10.0, 28.0), _duration_s),
    # One sample in ten thousand is not heard, one in a hundred is.
    Bands("clipping", "clipped samples", "%", (0.01, 0.1, 1.0), _clipped_percent),
    # Speech that begins or ends within 0.1 s of the file may be cut off.
    Bands("leading_silence", "leading silence", "s", (0.1, 0.5, 2.0), _leading_s),
    Bands("trailing_silence", "trailing silence", "s", (0.1, 0.5, 2.0), _trailing_s),
)


@dataclass(frozen=True, slots=True)
class Place:
    """One slice a clip is in."""

    dimension: str
    slice: str


def places(clip: ClipResult) -> list[Place]:
    """Every slice a clip is in: one of each dimension, except conditions, of which it may have several or none."""
    named = {"set": clip.set, "language": clip.language, "speaker": clip.speaker or UNKNOWN}
    return [
        *(Place(bands.dimension, bands.place(clip)) for bands in AUDIO),
        *(Place(dimension, name) for dimension, name in named.items()),
        *(Place("condition", condition) for condition in dict.fromkeys(clip.conditions)),
    ]
