"""WAV as a stream: the header chunk by chunk, then raw samples until the data chunk or the stream ends."""

import struct
from collections.abc import Iterator

import numpy as np

from audio_norm.encoding import Encoding, WireFormat
from audio_norm.errors import CorruptAudio, UnsupportedAudio
from audio_norm.pcm import Frames
from audio_norm.raw import RawDecoder

RIFF_HEADER_BYTES = 12
MAX_HEADER_BYTES = 16 * 1024 * 1024
"""Chunks before the samples (names, pictures) may be this long together."""

_UNTIL_THE_END = {0, 0xFFFFFFFF}
"""Data sizes written by programs that do not know the length yet."""

_EXTENSIBLE = 0xFFFE
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")
"""A WAVE_FORMAT_EXTENSIBLE sub-format is a plain format tag followed by this."""

_ENCODINGS = {(1, 16): Encoding.LINEAR16, (3, 32): Encoding.FLOAT32, (6, 8): Encoding.ALAW, (7, 8): Encoding.MULAW}
"""By format tag and bits per sample."""


def is_wav(head: bytes) -> bool:
    """Whether `head`, whole or cut short, is the beginning of a RIFF/WAVE header."""
    return b"RIFF".startswith(head[:4]) and b"WAVE".startswith(head[8:RIFF_HEADER_BYTES])


def with_open_length(data: bytes) -> bytes:
    """`data`, with a data size of 0 as other programs understand it: 0xFFFFFFFF, until the end. What is no WAV stays as it is."""
    if not is_wav(data[:RIFF_HEADER_BYTES]):
        return data
    at = RIFF_HEADER_BYTES
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        if name == b"data":
            return data if size else data[: at + 4] + b"\xff\xff\xff\xff" + data[at + 8 :]
        at += 8 + size + size % 2
    return data


class WavDecoder:
    """A `ChunkDecoder`; holds back the header and then only the bytes of an incomplete frame. What follows the data chunk is ignored."""

    def __init__(self, wire: WireFormat) -> None:
        self._wire = wire
        self._head = bytearray()
        self._skip_bytes = RIFF_HEADER_BYTES
        self._header_bytes = 0
        self._payload: RawDecoder | None = None
        self._payload_left: int | None = None
        self._in_data = False

    @property
    def rate_hz(self) -> int:
        return self._payload.rate_hz if self._payload else 0

    @property
    def channels(self) -> int:
        return self._payload.channels if self._payload else 0

    @property
    def trailing_bytes(self) -> int:
        return self._payload.trailing_bytes if self._payload else 0

    def feed(self, data: bytes) -> Frames:
        if not self._in_data:
            self._header_bytes += len(data)
            self._head += data
            self._read_header()
            if not self._in_data:
                if self._header_bytes > MAX_HEADER_BYTES:
                    raise CorruptAudio(f"WAV without samples in its first {MAX_HEADER_BYTES} bytes")
                return np.zeros((0, self.channels or 1), np.float32)
            data = bytes(self._head)
            self._head.clear()
        assert self._payload is not None
        if self._payload_left is not None:
            data = data[: self._payload_left]
            self._payload_left -= len(data)
        return self._payload.feed(data)

    def pieces(self, data: bytes) -> Iterator[Frames]:
        yield self.feed(data)

    def flush(self) -> Frames:
        if not self._in_data or self._payload is None:
            raise CorruptAudio("WAV that ends inside its header")
        return self._payload.flush()

    def close(self) -> None:
        self._head.clear()

    def _read_header(self) -> None:
        """Consume whole chunks from `_head` up to the first byte of the samples."""
        while True:
            skipped = min(self._skip_bytes, len(self._head))
            del self._head[:skipped]
            self._skip_bytes -= skipped
            if len(self._head) < 8:
                return
            name, size = struct.unpack_from("<4sI", self._head)
            if name == b"data":
                self._start_data(size)
                return
            if name == b"fmt ":
                if not 16 <= size <= 1024:
                    raise CorruptAudio(f"WAV with a format chunk of {size} bytes; 16 to 1024 are accepted")
                if len(self._head) < 8 + size:
                    return
                self._payload = self._open_payload(bytes(self._head[8 : 8 + size]))
            del self._head[:8]
            self._skip_bytes = size + size % 2  # chunks start at even positions

    def _start_data(self, size: int) -> None:
        if self._payload is None:
            raise CorruptAudio("WAV whose samples come before their format chunk")
        del self._head[:8]
        self._payload_left = None if size in _UNTIL_THE_END else size
        self._in_data = True

    def _open_payload(self, chunk: bytes) -> RawDecoder:
        tag, channels, rate_hz, _, block_bytes, bits = struct.unpack_from("<HHIIHH", chunk)
        if tag == _EXTENSIBLE and len(chunk) >= 40 and chunk[26:40] == _GUID_TAIL:
            (tag,) = struct.unpack_from("<H", chunk, 24)
        encoding = _ENCODINGS.get((tag, bits))
        if encoding is None:
            raise UnsupportedAudio(
                "encoding",
                f"WAV with format {tag} at {bits} bits; a stream may be 16-bit PCM (1), 32-bit float (3), A-law (6) or mu-law (7)",
            )
        if self._wire.encoding not in {None, encoding}:
            raise UnsupportedAudio("encoding", f"the encoding given is not the WAV header's; give {encoding.value} or leave it unset")
        self._wire.check_header(rate_hz, channels)
        if block_bytes * 8 != channels * bits:
            raise CorruptAudio(
                f"WAV with {block_bytes} bytes a frame, where {channels} channels of {bits} bits need {channels * bits // 8}"
            )
        return RawDecoder(encoding, rate_hz, channels)
