"""The rules that hold while audio arrives: no DC, a speech probability for each frame. Takes the 16 kHz mono audio of `intake`.

Feeding a stream in chunks of any size gives bit for bit the samples and probabilities of feeding it whole. Rules that need the whole
segment (trimming, loudness, rejection) are `DataDefinition.finish`, on a window cut from what comes out here.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from audio_norm.pcm import Samples
from audio_norm.vad import Vad


@dataclass(frozen=True, slots=True, eq=False)
class Conditioned:
    """What came out of one `feed` or `flush`; the concatenation over a stream does not depend on its chunks."""

    samples: Samples
    """New samples, as many as were fed."""
    speech: tuple[float, ...]
    """One probability for each VAD frame that these samples completed."""


class Conditioner:
    """One stream of 16 kHz mono audio. Not for two threads at once. Throw it away after `flush`."""

    def __init__(self, *, high_pass_hz: float, rate_hz: int, vad: Vad) -> None:
        self._high_pass = HighPass(high_pass_hz, rate_hz)
        self._vad = vad
        self._vad_rest = np.empty(0, np.float32)
        self._flushed = False

    @property
    def frame_samples(self) -> int:
        """Length of a VAD frame."""
        return self._vad.frame_samples

    def feed(self, samples: Samples) -> Conditioned:
        """`samples` of shape (n,), any n."""
        if self._flushed:
            raise ValueError("Conditioner was flushed: it takes no more audio")
        passed = self._high_pass.feed(samples)
        return Conditioned(passed, self._probabilities(passed))

    def flush(self) -> Conditioned:
        """The end of the stream: the last VAD frame, filled up with zeros for the VAD only."""
        if self._flushed:
            raise ValueError("Conditioner was flushed already")
        self._flushed = True
        rest = self._vad_rest
        last = np.pad(rest, (0, -len(rest) % self.frame_samples)).reshape(-1, self.frame_samples)
        return Conditioned(np.empty(0, np.float32), self._vad.probabilities(last))

    def _probabilities(self, samples: Samples) -> tuple[float, ...]:
        waiting = np.concatenate([self._vad_rest, samples])
        whole = len(waiting) // self.frame_samples * self.frame_samples
        self._vad_rest = waiting[whole:]
        return self._vad.probabilities(waiting[:whole].reshape(-1, self.frame_samples))


class HighPass:
    """First-order high-pass, -3 dB at `corner_hz`: takes out DC and rumble below speech, keeps its state between chunks."""

    def __init__(self, corner_hz: float, rate_hz: int) -> None:
        # Bilinear transform of s / (s + w), pre-warped: the corner is exact, DC is exactly zero.
        warped = math.tan(math.pi * corner_hz / rate_hz)
        self._b = np.array([1.0, -1.0]) / (1.0 + warped)
        self._a = np.array([1.0, (warped - 1.0) / (warped + 1.0)])
        self._state = np.zeros(1)

    def feed(self, samples: Samples) -> Samples:
        if not len(samples):
            return samples
        filtered, self._state = lfilter(self._b, self._a, samples, zi=self._state)
        return filtered.astype(np.float32)  # type: ignore[no-any-return]
