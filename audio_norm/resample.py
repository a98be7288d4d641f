"""One rate conversion in two forms, streamed and at once, with identical samples whatever the chunks.

FFmpeg's swresample, as a polyphase filter: every output sample is one dot product of a fixed filter with the input around it, so chunk
borders cannot show. Two of its defaults are not used: interpolation between phases (for ratios of large numbers its last bit depends on the
chunks) and its 32 taps (8 to 16 kHz mirrors a tone at 3.6 kHz to 4.4 kHz at -24 dB; with 64 below -90 dB, for 2 ms more).
"""

from fractions import Fraction
from math import gcd

import av
import numpy as np

from audio_norm.pcm import Pcm, Samples

TAPS = 64
"""Filter length in samples of the lower rate. Half of it is what a stream is held back: 2 ms from 16 kHz up, 4 ms at 8 kHz."""


class Resampler:
    """Mono samples at `from_hz` in, at `to_hz` out, without delay: output sample k lies at k / `to_hz`. Equal rates pass through untouched.

    Flat to 0.9 of the lower Nyquist frequency. n samples fed give exactly ceil(n * to_hz / from_hz) in all.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        if from_hz <= 0 or to_hz <= 0:
            raise ValueError(f"Resampler wants positive rates, got {from_hz} to {to_hz} Hz")
        self._from_hz = from_hz
        self._to_hz = to_hz
        self._fed = 0
        self._given = 0
        self._flushed = False
        self._graph = None if from_hz == to_hz else _open_graph(from_hz, to_hz)

    def feed(self, samples: Samples) -> Samples:
        """What became known of the output; may be empty."""
        if self._flushed:
            raise RuntimeError("the resampler is flushed")
        if self._graph is None or len(samples) == 0:
            return samples
        self._fed += len(samples)
        given = self._convert(self._graph, samples)
        self._given += len(given)
        return given

    def flush(self) -> Samples:
        """End of the stream: the rest."""
        if self._flushed or self._graph is None:
            self._flushed = True
            return np.zeros(0, np.float32)
        self._flushed = True
        total = -(-self._fed * self._to_hz // self._from_hz)
        # Silence follows. FFmpeg's own end is the signal mirrored, and nothing at all when the stream is shorter than the filter.
        silence = np.zeros(2 * TAPS * -(-self._from_hz // min(self._from_hz, self._to_hz)), np.float32)
        return self._convert(self._graph, silence)[: total - self._given]

    def _convert(self, graph: av.filter.Graph, samples: Samples) -> Samples:
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples, np.float32)[np.newaxis], format="flt", layout="mono")
        frame.sample_rate = self._from_hz
        graph.push(frame)
        parts = [np.zeros(0, np.float32)]
        while True:
            try:
                parts.append(graph.pull().to_ndarray()[0])
            except av.BlockingIOError:  # wants more
                return np.concatenate(parts)


def resample(pcm: Pcm, to_hz: int) -> Pcm:
    """`pcm` at `to_hz`: the same samples as a stream of it would give."""
    if pcm.rate_hz == to_hz:
        return pcm
    resampler = Resampler(pcm.rate_hz, to_hz)
    return Pcm(np.concatenate([resampler.feed(pcm.samples), resampler.flush()]), to_hz)


def _open_graph(from_hz: int, to_hz: int) -> av.filter.Graph:
    # As many phases as the ratio has: none is interpolated, and none is computed in vain. 48000 to 16000 has one, 44100 to 16000 has 160.
    phases = to_hz // gcd(from_hz, to_hz)
    graph = av.filter.Graph()
    graph.threads = 1  # 0 would start a pool of idle threads for every stream
    graph.link_nodes(
        graph.add_abuffer(sample_rate=from_hz, format="flt", layout="mono", time_base=Fraction(1, from_hz)),
        graph.add("aresample", f"{to_hz}:filter_size={TAPS}:phase_shift={(phases - 1).bit_length()}:linear_interp=0:exact_rational=1"),
        graph.add("aformat", "sample_fmts=flt:channel_layouts=mono"),
        graph.add("abuffersink"),
    ).configure()
    return graph
