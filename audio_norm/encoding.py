"""Names of the encodings a stream may come in, what a sender says about them, and what every decoder of them offers.

Decodes nothing itself: `wire` chooses the decoder.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from audio_norm.errors import UnsupportedAudio
from audio_norm.pcm import Frames

MIN_RATE_HZ = 8_000
MAX_RATE_HZ = 48_000
MAX_CHANNELS = 8


class Encoding(Enum):
    LINEAR16 = "LINEAR16"
    """Signed 16-bit little-endian samples, interleaved."""
    FLOAT32 = "FLOAT32"
    """32-bit little-endian IEEE floats, interleaved; NaN and infinity are refused, values beyond full scale are not."""
    MULAW = "MULAW"
    """8-bit G.711 mu-law, interleaved."""
    ALAW = "ALAW"
    """8-bit G.711 A-law, interleaved."""
    FLAC = "FLAC"
    """FLAC with its stream header (RFC 9639)."""
    OGG_OPUS = "OGG_OPUS"
    """Opus packets in Ogg pages (RFC 7845)."""
    WEBM_OPUS = "WEBM_OPUS"
    """Opus packets in WebM, as browsers' MediaRecorder makes it."""


RAW = frozenset({Encoding.LINEAR16, Encoding.FLOAT32, Encoding.MULAW, Encoding.ALAW})
"""Encodings without a header: the sender has to say the rate."""

OPUS = frozenset({Encoding.OGG_OPUS, Encoding.WEBM_OPUS})
"""Always decoded at 48 kHz, whatever rate the sender gives."""


@dataclass(frozen=True)
class WireFormat:
    """What a sender says of its audio. Raises `UnsupportedAudio` when that cannot be."""

    encoding: Encoding | None
    """None: detect from the header."""
    rate_hz: int = 0
    """8000 to 48000. 0: the header's. Required for raw encodings, ignored for Opus."""
    channels: int = 0
    """1 to 8. 0: the header's; 1 for raw encodings."""

    def __post_init__(self) -> None:
        if self.encoding in RAW and self.rate_hz == 0:
            raise UnsupportedAudio("sample_rate_hertz", f"{self.encoding.value} needs a rate, {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz")
        if self.encoding not in OPUS and self.rate_hz != 0:
            check_rate(self.rate_hz)
        if self.channels != 0:
            check_channels(self.channels)

    def check_header(self, rate_hz: int, channels: int) -> None:
        """Raise `UnsupportedAudio` when the header's values are not accepted or are not what the sender said."""
        check_rate(rate_hz)
        check_channels(channels)
        if self.encoding not in OPUS and self.rate_hz not in {0, rate_hz}:
            raise UnsupportedAudio("sample_rate_hertz", f"{self.rate_hz} Hz was given but the header says {rate_hz} Hz; give that or 0")
        if self.channels not in {0, channels}:
            raise UnsupportedAudio(
                "audio_channel_count", f"{self.channels} channels were given but the header says {channels}; give that or 0"
            )


def check_rate(rate_hz: int) -> None:
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise UnsupportedAudio("sample_rate_hertz", f"{rate_hz} Hz is not accepted, {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz is")


def check_channels(channels: int) -> None:
    if not 1 <= channels <= MAX_CHANNELS:
        raise UnsupportedAudio("audio_channel_count", f"{channels} channels are not accepted, 1 to {MAX_CHANNELS} are")


class ChunkDecoder(Protocol):
    """Encoded bytes in chunks, frames out; the same frames whatever the chunks. One thread at a time, `close` from any.

    An `AudioError` from `feed` or `flush` ends the decoder: it frees what it holds, and every later call raises the same error.
    """

    @property
    def rate_hz(self) -> int:
        """0 until it is known: until the header has been read, or the first bytes have shown that there is none."""

    @property
    def channels(self) -> int:
        """0 until it is known."""

    @property
    def trailing_bytes(self) -> int:
        """Bytes of an incomplete last sample that `flush` dropped."""

    def feed(self, data: bytes) -> Frames:
        """All frames that became decodable; shape (n, channels), n may be 0. (0, 1) while the channels are not known. Raises `CorruptAudio`
        for a chunk of compressed audio that decodes to more than 2**25 values."""

    def pieces(self, data: bytes) -> Iterator[Frames]:
        """What `feed` gives, in order, about 10 s of audio at most at a time, each decoded when it is asked for: for who has to do other
        things in between. Take all of them, or close the decoder, before the next call."""

    def flush(self) -> Frames:
        """End of the stream: the rest. A stream cut off in the middle gives what could be decoded of it."""

    def close(self) -> None:
        """Free threads and buffers. May be called twice, and at any time."""
