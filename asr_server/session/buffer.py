"""The audio of a stream that may still be needed, addressed by position in the stream.

Appending costs the chunk, cutting costs what is cut, forgetting costs the chunks forgotten: nothing is ever copied twice, so ten
minutes in 20 ms chunks cost ten minutes of samples once.
"""

from collections import deque

import numpy as np

from audio_norm import Samples


class SampleBuffer:
    """Positions are samples from the first sample of the stream. Forgotten audio cannot be cut any more."""

    def __init__(self) -> None:
        self._chunks: deque[Samples] = deque()
        self._first_sample = 0  # of the oldest chunk
        self._start_sample = 0
        self._end_sample = 0

    @property
    def start_sample(self) -> int:
        """Oldest position that can be cut, whatever the size of the chunks it came in."""
        return self._start_sample

    @property
    def end_sample(self) -> int:
        return self._end_sample

    def append(self, samples: Samples) -> None:
        if len(samples):
            self._chunks.append(samples)
            self._end_sample += len(samples)

    def forget(self, before_sample: int) -> None:
        """What lies before the position is not cut any more. The memory of a chunk is let go of when all of it does."""
        self._start_sample = min(max(self._start_sample, before_sample), self._end_sample)
        while self._chunks and self._first_sample + len(self._chunks[0]) <= self._start_sample:
            self._first_sample += len(self._chunks.popleft())

    def cut(self, start_sample: int, end_sample: int) -> Samples:
        """A copy of [start, end). Raises IndexError when a part of it is not held."""
        if not self._start_sample <= start_sample <= end_sample <= self._end_sample:
            raise IndexError(f"cut {start_sample}..{end_sample} of a buffer that holds {self._start_sample}..{self._end_sample}")
        pieces: list[Samples] = []
        position = self._first_sample
        for chunk in self._chunks:
            if position >= end_sample:
                break
            if position + len(chunk) > start_sample:
                pieces.append(chunk[max(start_sample - position, 0) : end_sample - position])
            position += len(chunk)
        return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)
