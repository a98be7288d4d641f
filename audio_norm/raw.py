"""Samples without a header, and G.711: bytes that are samples already, only scaled or companded."""

from collections.abc import Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray

from audio_norm.encoding import Encoding
from audio_norm.errors import CorruptAudio
from audio_norm.pcm import INT16_SCALE, Frames, from_int16

_WIDTH_BYTES = {Encoding.LINEAR16: 2, Encoding.FLOAT32: 4, Encoding.MULAW: 1, Encoding.ALAW: 1}


@cache
def mulaw_table() -> NDArray[np.float32]:
    """All 256 mu-law codes as samples (ITU-T G.711, 14-bit values shifted to 16)."""
    code = ~np.arange(256) & 0xFF
    # 0x84 is the bias of 33 in 14 bits: it makes every segment start at a power of two.
    magnitude = (((code & 0x0F) << 3) + 0x84 << ((code & 0x70) >> 4)) - 0x84
    return (np.where(code & 0x80, -magnitude, magnitude) / INT16_SCALE).astype(np.float32)


@cache
def alaw_table() -> NDArray[np.float32]:
    """All 256 A-law codes as samples (ITU-T G.711, 13-bit values shifted to 16)."""
    code = np.arange(256) ^ 0x55  # even bits are inverted on the line
    segment = (code & 0x70) >> 4
    step = ((code & 0x0F) << 4) + 8  # the middle of the interval
    magnitude = np.where(segment == 0, step, step + 0x100 << np.maximum(segment - 1, 0))
    return (np.where(code & 0x80, magnitude, -magnitude) / INT16_SCALE).astype(np.float32)


class RawDecoder:
    """A `ChunkDecoder`; holds back only the bytes of an incomplete frame."""

    def __init__(self, encoding: Encoding, rate_hz: int, channels: int) -> None:
        self.rate_hz = rate_hz
        self.channels = channels
        self.trailing_bytes = 0
        self._encoding = encoding
        self._frame_bytes = _WIDTH_BYTES[encoding] * channels
        self._rest = b""

    def feed(self, data: bytes) -> Frames:
        data = self._rest + data
        whole = len(data) - len(data) % self._frame_bytes
        self._rest = data[whole:]
        return self._samples(data[:whole]).reshape(-1, self.channels)

    def pieces(self, data: bytes) -> Iterator[Frames]:
        yield self.feed(data)

    def flush(self) -> Frames:
        self.trailing_bytes += len(self._rest)
        self._rest = b""
        return np.zeros((0, self.channels), np.float32)

    def close(self) -> None:
        self._rest = b""

    def _samples(self, data: bytes) -> NDArray[np.float32]:
        match self._encoding:
            case Encoding.LINEAR16:
                return from_int16(np.frombuffer(data, "<i2"))
            case Encoding.MULAW:
                return mulaw_table()[np.frombuffer(data, np.uint8)]
            case Encoding.ALAW:
                return alaw_table()[np.frombuffer(data, np.uint8)]
            case _:
                samples = np.frombuffer(data, "<f4").astype(np.float32)
                if not np.isfinite(samples).all():
                    raise CorruptAudio("FLOAT32 audio with NaN or infinity in it; only finite samples are accepted")
                return samples
