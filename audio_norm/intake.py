"""Decoded audio of any rate and channels to 16 kHz mono, and where it was clipped. The first half of a way that `stream` goes on.

Feeding it in chunks of any size gives bit for bit what feeding it whole gives.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audio_norm.decode import to_mono
from audio_norm.errors import UnsupportedAudio
from audio_norm.pcm import INT16_SCALE, Frames, Samples
from audio_norm.resample import Resampler
from audio_norm.window import Span

FULL_SCALE = (INT16_SCALE - 33) / INT16_SCALE
"""A sample this far out (0.1 % below full scale) counts as clipped: converters and codecs rarely stop at the very last value."""

GAP_MS = 10
"""Shorter runs of samples that are exactly 0 happen in quiet audio of 16 bits."""

Positions = NDArray[np.int64]
"""Shape (n,), ascending: samples from the first sample of the stream."""


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """What came out of one `feed` or `flush`."""

    samples: Samples
    """New samples at the target rate."""
    clipped: Positions
    """The samples whose source was at full scale, in a channel that is used. A resampler holds back: they may lie a little ahead."""
    dc_offset: float = 0.0
    """Mean of all that has been fed, full scale being 1."""
    gaps: tuple[Span, ...] = ()
    """Where digital silence of `GAP_MS` or more is, as far as has not been told: a gap that goes on is told in parts."""


class Intake:
    """One stream on its way to mono. Not for two threads at once. Throw it away after `flush`."""

    def __init__(self, *, rate_hz: int, channels: int, channel: int | None, to_hz: int) -> None:
        """Audio of `channels` channels at `rate_hz`; `channel` picks one, counted from 1; None takes the mean of all."""
        if channels < 1:
            raise ValueError(f"Intake wants at least 1 channel, got {channels}")
        if channel is not None and not 1 <= channel <= channels:
            raise UnsupportedAudio("audio_channel", f"channel {channel} was asked for, the audio has 1 to {channels}")
        self._channels = channels
        self._channel = channel
        self._from_hz, self._to_hz = rate_hz, to_hz
        self._resampler = Resampler(rate_hz, to_hz)
        self._frames = 0
        self._sum = 0.0
        self._zeros = 0
        """Samples in a row, up to now, that are exactly 0."""
        self._told_sample = 0
        self._flushed = False

    def feed(self, frames: Frames) -> Taken:
        """`frames` of shape (n, channels), any n."""
        if self._flushed:
            raise ValueError("Intake was flushed: it takes no more audio")
        if frames.ndim != 2 or frames.shape[1] != self._channels:
            raise ValueError(f"Intake wants frames of shape (n, {self._channels}), got {frames.shape}")
        mono = to_mono(frames, self._channel)
        clipped = self._clipped(frames)  # counts the frames, too
        self._sum += float(mono.sum(dtype=np.float64))
        return Taken(self._resampler.feed(mono), clipped, self._dc_offset, self._gaps(mono))

    def flush(self) -> Taken:
        """The end of the stream: what the resampler held back."""
        if self._flushed:
            raise ValueError("Intake was flushed already")
        self._flushed = True
        return Taken(self._resampler.flush(), np.empty(0, np.int64), self._dc_offset)

    @property
    def _dc_offset(self) -> float:
        return self._sum / self._frames if self._frames else 0.0

    def _clipped(self, frames: Frames) -> Positions:
        used = frames if self._channel is None else frames[:, self._channel - 1 : self._channel]
        before = self._frames
        self._frames += len(frames)
        if not len(used) or max(used.max(), -used.min()) < FULL_SCALE:
            return np.empty(0, np.int64)
        numbers = before + np.flatnonzero((np.abs(used) >= FULL_SCALE).any(axis=1))
        # Source frame i covers the samples from i * to / from up to the next one's; going down, several share a sample.
        firsts = numbers * self._to_hz // self._from_hz
        covered = np.maximum((numbers + 1) * self._to_hz // self._from_hz - firsts, 1)
        starts_in_run = np.repeat(np.cumsum(covered) - covered, covered)
        positions = np.unique(np.repeat(firsts, covered) + np.arange(covered.sum()) - starts_in_run)
        positions = positions[positions >= self._told_sample]
        if len(positions):
            self._told_sample = int(positions[-1]) + 1
        return positions

    def _gaps(self, mono: Samples) -> tuple[Span, ...]:
        """Of the frames counted last."""
        if not len(mono):
            return ()
        before, first = self._zeros, self._frames - len(mono)
        least = GAP_MS * self._from_hz // 1000
        self._zeros = 0
        found = []
        for start, end in _runs_of_zeros(mono):
            length = end - start + (before if start == 0 else 0)
            if end == len(mono):
                self._zeros = length
            if length >= least:
                told = start if start or before >= least else -before
                found.append(Span((first + told) * self._to_hz // self._from_hz, (first + end) * self._to_hz // self._from_hz))
        return tuple(found)


def _runs_of_zeros(mono: Samples) -> list[tuple[int, int]]:
    """First sample of each and the one after its last. Most audio has none, and who is muted sends nothing else."""
    others = np.count_nonzero(mono)
    if others == len(mono):
        return []
    if not others:
        return [(0, len(mono))]
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mono == 0, [False]]))).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))
