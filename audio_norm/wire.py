"""Audio as it comes over the wire: which decoder a stream gets, from what its sender says and what its first bytes are."""

from collections.abc import Iterator

import numpy as np

from audio_norm.containers import FLAC_MAGIC, ContainerDecoder
from audio_norm.encoding import RAW, ChunkDecoder, Encoding, WireFormat
from audio_norm.errors import AudioError, CorruptAudio, UnsupportedAudio
from audio_norm.pcm import Frames
from audio_norm.raw import RawDecoder
from audio_norm.wav import RIFF_HEADER_BYTES, WavDecoder, is_wav

__all__ = ["ChunkDecoder", "Encoding", "WireFormat", "open_decoder"]

_MAGIC = {Encoding.FLAC: FLAC_MAGIC, Encoding.OGG_OPUS: b"OggS", Encoding.WEBM_OPUS: b"\x1a\x45\xdf\xa3"}
_MAGIC_BYTES = 4

_SLICE_BYTES = 16_384  # 2 s of the smallest samples there are: 8 kHz, 8 bits


def open_decoder(format: WireFormat) -> ChunkDecoder:  # noqa: A002 - the word of the wire
    """A decoder for one stream. It takes no thread and reads nothing before the first byte."""
    return _WireDecoder(format)


class _WireDecoder:
    """Waits for enough bytes to choose a decoder, then is that decoder; the one place that knows "failed" and "closed"."""

    def __init__(self, wire: WireFormat) -> None:
        self._wire = wire
        self._head = b""
        self._chosen: ChunkDecoder | None = None
        self._failure: AudioError | None = None
        self._closed = False

    @property
    def rate_hz(self) -> int:
        return self._chosen.rate_hz if self._chosen else 0

    @property
    def channels(self) -> int:
        return self._chosen.channels if self._chosen else 0

    @property
    def trailing_bytes(self) -> int:
        return self._chosen.trailing_bytes if self._chosen else 0

    def feed(self, data: bytes) -> Frames:
        self._check_open()
        try:
            chosen, data = self._choose(data)
            return chosen.feed(data) if chosen else self._nothing()
        except AudioError as error:
            self._fail(error)
            raise

    def pieces(self, data: bytes) -> Iterator[Frames]:
        self._check_open()
        try:
            chosen, data = self._choose(data)
            for start in range(0, max(len(data), 1), _SLICE_BYTES):
                if chosen:
                    yield from chosen.pieces(data[start : start + _SLICE_BYTES])
        except AudioError as error:
            self._fail(error)
            raise

    def flush(self) -> Frames:
        self._check_open()
        try:
            if self._chosen is not None:
                return self._chosen.flush()
            if not self._head:
                return self._nothing()
            if self._wire.encoding not in RAW:
                raise CorruptAudio(f"{len(self._head)} bytes of audio are too few for any header")
            self._chosen = _raw(self._wire)
            return np.concatenate([self._chosen.feed(self._head), self._chosen.flush()])
        except AudioError as error:
            self._fail(error)
            raise

    def close(self) -> None:
        self._closed = True
        if self._chosen is not None:
            self._chosen.close()

    def _choose(self, data: bytes) -> tuple[ChunkDecoder | None, bytes]:
        """The decoder, and what it is to be fed."""
        if self._chosen is None:
            self._head += data
            self._chosen = _choose(self._head, self._wire)
            if self._chosen is None:
                return None, b""
            data, self._head = self._head, b""
        return self._chosen, data

    def _nothing(self) -> Frames:
        return np.zeros((0, self.channels or 1), np.float32)

    def _check_open(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._closed:
            raise RuntimeError("the decoder is closed")

    def _fail(self, error: AudioError) -> None:
        self._failure = error
        self.close()


def _choose(head: bytes, wire: WireFormat) -> ChunkDecoder | None:
    """The decoder for a stream that starts with `head`; None: not yet, more bytes are needed."""
    if wire.encoding in RAW:
        # Senders read a WAV file and forget its header: it is understood, not played as noise.
        if not is_wav(head):
            return _raw(wire)
        return WavDecoder(wire) if len(head) >= RIFF_HEADER_BYTES else None
    if wire.encoding is not None:
        magic = _MAGIC[wire.encoding]
        if not magic.startswith(head[:_MAGIC_BYTES]):
            raise UnsupportedAudio(
                "encoding", f"the audio does not start as {wire.encoding.value} does; name its encoding, or none to detect it"
            )
        return ContainerDecoder(wire) if len(head) >= _MAGIC_BYTES else None
    return _detect(head, wire)


def _detect(head: bytes, wire: WireFormat) -> ChunkDecoder | None:
    for encoding, magic in _MAGIC.items():
        if head.startswith(magic):
            # Opus decodes at 48 kHz whatever was given, and FLAC's own header decides.
            return ContainerDecoder(WireFormat(encoding, wire.rate_hz, wire.channels))
    if is_wav(head):
        return WavDecoder(wire) if len(head) >= RIFF_HEADER_BYTES else None
    if len(head) >= _MAGIC_BYTES or not any(magic.startswith(head) for magic in _MAGIC.values()):
        raise UnsupportedAudio("encoding", "audio without a header that is known (WAV, FLAC, Ogg/Opus, WebM/Opus); name its encoding")
    return None


def _raw(wire: WireFormat) -> RawDecoder:
    assert wire.encoding is not None
    return RawDecoder(wire.encoding, wire.rate_hz, wire.channels or 1)
