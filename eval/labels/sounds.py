"""Recordings that are one recording: sample by sample, or but for level and codec. Told by their sound, whatever file they lie in."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.signal import correlate
from scipy.spatial import cKDTree

from audio_norm import Frames, Pcm, Samples, resample, to_int16, to_mono

PARTS = 24
"""The envelope is the power in so many equal parts of a recording."""
_FLOOR_DB = 40.0
"""Quieter than this below the loudest part all is floor: codecs differ most in what nobody hears."""
_ENVELOPE_DISTANCE_DB = 2.0
"""Root mean square. MP3, Vorbis and Opus at 25 to 75 kbit/s move it by up to 1.8; of pairs of different recordings one in a thousand is
within 3.0, half are within 11.5."""
_FLAT_DB = 3.0
"""An envelope that moves less than this, of steady noise, is like any other such."""
_DURATION_DISTANCE_S = 0.25
"""A codec may add this much."""
_COMPARED_AT_HZ = 8_000
LEAST_CORRELATION = 0.9
"""Of one recording at two levels it is 1.0, after such a codec 0.98 and more; of 150 pairs of different ones 0.33 at most."""

Likeness = Literal["sample by sample", "but for level or codec"]


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """By what a recording is recognised."""

    digest: str
    """sha256 of the samples, mono, rounded to 16 bits, and their rate: the same from any lossless container."""
    duration_s: float
    envelope: NDArray[np.float64]
    """Shape (PARTS,): dB around their mean, so the same at any level."""
    silent: bool
    """Digital silence: nothing to recognise it by."""


@dataclass(frozen=True, slots=True)
class Same:
    """Recordings that are one, by their places in what was searched."""

    places: tuple[int, ...]
    likeness: Likeness


def sound_of(frames: Frames, rate_hz: int) -> Sound:
    """`frames`: shape (n, channels)."""
    samples = to_mono(frames, None)
    digest = hashlib.sha256(rate_hz.to_bytes(4, "little") + to_int16(samples).tobytes()).hexdigest()
    return Sound(digest, len(samples) / rate_hz, _envelope(samples), not samples.any())


def _envelope(samples: Samples) -> NDArray[np.float64]:
    parts = np.array_split(np.square(samples, dtype=np.float64), PARTS)
    power = np.array([part.mean() if len(part) else 0.0 for part in parts])
    if not power.any():
        return np.zeros(PARTS)
    decibels = 10.0 * np.log10(np.maximum(power, power.max() * 10.0 ** (-_FLOOR_DB / 10.0)))
    centred: NDArray[np.float64] = decibels - decibels.mean()
    return centred


def same_sounds(sounds: Sequence[Sound], frames_of: Callable[[int], tuple[Frames, int]]) -> list[Same]:
    """Every group of equal recordings, then every pair that is equal but for level or codec.

    `frames_of` reads a recording again, by its place: likely pairs are compared as a whole. A group of equal ones is compared by its first.
    """
    places: dict[str, list[int]] = {}
    for place, sound in enumerate(sounds):
        if not sound.silent:
            places.setdefault(sound.digest, []).append(place)
    equal = [Same(tuple(group), "sample by sample") for group in places.values() if len(group) > 1]
    firsts = [group[0] for group in places.values()]
    alike = [pair for pair in _likely(sounds, firsts) if _correlation(*map(frames_of, pair)) >= LEAST_CORRELATION]
    return [*equal, *(Same(pair, "but for level or codec") for pair in alike)]


def _likely(sounds: Sequence[Sound], places: Sequence[int]) -> list[tuple[int, int]]:
    """Pairs with like envelopes and durations; a tree of envelopes finds them without comparing all with all."""
    places = [place for place in places if sounds[place].envelope.std() > _FLAT_DB]
    if len(places) < 2:
        return []
    tree = cKDTree(np.stack([sounds[place].envelope for place in places]))
    near = sorted(tree.query_pairs(_ENVELOPE_DISTANCE_DB * PARTS**0.5))
    pairs = ((places[one], places[two]) for one, two in near)
    return [(one, two) for one, two in pairs if abs(sounds[one].duration_s - sounds[two].duration_s) <= _DURATION_DISTANCE_S]


def _correlation(one: tuple[Frames, int], two: tuple[Frames, int]) -> float:
    """Largest over all shifts of one against the other; 0 to 1."""
    first, second = (resample(Pcm(to_mono(frames, None), rate_hz), _COMPARED_AT_HZ).samples for frames, rate_hz in (one, two))
    scale = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(np.abs(correlate(first, second, method="fft")).max()) / scale if scale else 0.0
