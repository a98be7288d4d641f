"""Streamed FLAC, Ogg/Opus and WebM/Opus: which library reads each, and how it is kept from holding audio back.

| stream | read by | held back, beyond the packet, page or frame that is not complete yet |
|---|---|---|
| FLAC | libsndfile | nothing: a frame comes out with its last byte |
| Ogg/Opus | FFmpeg | nothing: a page comes out with its last byte |
| WebM/Opus | FFmpeg | nothing: a block comes out with its last byte |

What is left is the sender's: FLAC frames are 4096 samples by default (256 ms at 16 kHz), FFmpeg's Ogg pages hold 1 s unless told otherwise,
and Opus encoders look 6.5 ms ahead: after a packet of 20 ms the last 6.5 ms spoken come with the next one.
Opus: pre-skip (RFC 7845, 4.2) and end trimming are applied, so that the first sample out is the first sample in. The time between packets
that a sender left out is not filled.
"""

import weakref
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np
import soundfile
from numpy.typing import NDArray

from audio_norm.encoding import MAX_CHANNELS, Encoding, WireFormat, check_channels
from audio_norm.errors import CorruptAudio, UnsupportedAudio
from audio_norm.handoff import Handoff
from audio_norm.pcm import Frames

MAX_VALUES_PER_FEED = 2**25
"""Samples times channels that one `feed` may decode to (134 MB; 11 minutes of 48 kHz mono). A few bytes of FLAC may be seconds of silence,
so without a limit a small message could fill the memory. `pieces` has no need of one."""

FLAC_MAGIC = b"fLaC"
_STREAMINFO_BYTES = 34

_INTEGER_SCALES = {"uint8": (128.0, 2.0**7), "int16": (0.0, 2.0**15), "int32": (0.0, 2.0**31), "int64": (0.0, 2.0**63)}
"""Of FFmpeg's integer samples: the value of silence, and full scale above it."""

_FFMPEG_FORMATS = {Encoding.OGG_OPUS: "ogg", Encoding.WEBM_OPUS: "matroska"}

# Read no more than the header before the first packet. (`fflags=nobuffer` would do so too, and lose the first packet.)
_FFMPEG_OPTIONS = {"probesize": "32", "analyzeduration": "1"}


class ContainerDecoder:
    """A `ChunkDecoder` for an encoding with a header, around a library that reads from a blocking file."""

    trailing_bytes = 0

    def __init__(self, wire: WireFormat) -> None:
        decode: Callable[[Handoff], None] = _decode_flac_as(wire) if wire.encoding is Encoding.FLAC else _decode_opus_as(wire)
        self._handoff = Handoff(decode)
        # The thread does not know this object, so a decoder that is dropped without `close` takes its thread along.
        weakref.finalize(self, self._handoff.abandon)

    @property
    def rate_hz(self) -> int:
        return self._handoff.rate_hz

    @property
    def channels(self) -> int:
        return self._handoff.channels

    def feed(self, data: bytes) -> Frames:
        return self._limited(self.pieces(data))

    def pieces(self, data: bytes) -> Iterator[Frames]:
        return self._steps(data, end=False)

    def flush(self) -> Frames:
        return self._limited(self._steps(b"", end=True))

    def close(self) -> None:
        self._handoff.close()

    def _steps(self, data: bytes, *, end: bool) -> Iterator[Frames]:
        if data or end or self._handoff.paused:
            yield self._joined(self._handoff.step(data, end=end))
        while self._handoff.paused:
            yield self._joined(self._handoff.step(b"", end=end))

    def _limited(self, pieces: Iterator[Frames]) -> Frames:
        frames: list[Frames] = []
        values = 0
        for piece in pieces:
            frames.append(piece)
            values += piece.size
            if values > MAX_VALUES_PER_FEED:
                raise CorruptAudio(f"a chunk that decodes to more than {MAX_VALUES_PER_FEED} samples; send smaller chunks")
        return self._joined(frames)

    def _joined(self, frames: list[Frames]) -> Frames:
        return np.concatenate([np.zeros((0, self.channels or 1), np.float32), *frames])


def frames_of(frame: av.AudioFrame) -> Frames:
    """FFmpeg's audio frame, of any sample format and 1 to 8 channels, as float32 of shape (n, channels)."""
    channels = frame.layout.nb_channels
    check_channels(channels)
    if channels == MAX_CHANNELS and frame.format.is_planar:
        frame = _packed(frame)
    values: NDArray[Any] = frame.to_ndarray()
    values = np.ascontiguousarray(values.T if frame.format.is_planar else values).reshape(-1, channels)
    middle, full_scale = _INTEGER_SCALES.get(values.dtype.name, (0.0, 1.0))
    return ((values - middle) / full_scale).astype(np.float32) if full_scale != 1 else values.astype(np.float32)


def _packed(frame: av.AudioFrame) -> av.AudioFrame:
    """The same samples in one plane. PyAV counts planes up to the first null pointer, of which FFmpeg keeps none after the eighth: reading
    more than seven planes reads memory that is not the frame's."""
    graph = av.filter.Graph()
    graph.threads = 1
    source = graph.add_abuffer(
        sample_rate=frame.sample_rate, format=frame.format.name, layout=frame.layout.name, time_base=Fraction(1, frame.sample_rate)
    )
    graph.link_nodes(source, graph.add("aformat", "sample_fmts=flt"), graph.add("abuffersink")).configure()
    graph.push(frame)
    packed = graph.pull()
    assert isinstance(packed, av.AudioFrame)
    return packed


# ---------------------------------------------------------------------------------------------------------------------- Opus


def _decode_opus_as(wire: WireFormat) -> Callable[[Handoff], None]:
    assert wire.encoding is not None
    name, container_format = wire.encoding.value, _FFMPEG_FORMATS[wire.encoding]

    def decode(handoff: Handoff) -> None:
        try:
            with av.open(handoff, "r", format=container_format, options=_FFMPEG_OPTIONS, metadata_errors="replace") as container:
                stream = next(iter(container.streams.audio), None)
                # There is no codec context for a codec that this build of FFmpeg does not have.
                if stream is None or stream.codec_context is None or stream.codec_context.name != "opus":
                    raise UnsupportedAudio("encoding", f"{name} without an Opus track first; only Opus is accepted in it")
                rate_hz, channels = stream.codec_context.sample_rate, stream.codec_context.channels
                wire.check_header(rate_hz, channels)
                handoff.announce(rate_hz, channels)
                for frame in container.decode(stream):
                    frames = frames_of(frame)
                    if frames.shape[1] != channels or frame.sample_rate != rate_hz:
                        raise CorruptAudio(f"{name} audio whose channels or rate change on the way")
                    handoff.emit(frames)
        except av.FFmpegError as error:
            if not (handoff.ended and handoff.channels):
                raise CorruptAudio(f"{name} audio that cannot be decoded: {error.strerror}") from error

    return decode


# ---------------------------------------------------------------------------------------------------------------------- FLAC


class _FlacFile:
    """What libsndfile reads: a header made anew in front of the frames that are still to come.

    libsndfile is opened under a lock of the whole process (soundfile's), so opening must never wait for a client: until `opened`,
    there is only the header. The header says "length unknown, very long", or else reading would stop where the sender's guess does.
    """

    def __init__(self, header: bytes, handoff: Handoff) -> None:
        self.opened = False
        self._header = header
        self._handoff = handoff
        self._position = 0

    def read(self, size: int) -> bytes:
        if self._position < len(self._header):
            data = self._header[self._position : self._position + size]
        else:
            data = self._handoff.read(size) if self.opened else b""
        self._position += len(data)
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        # Only while it opens: to the end for the length (any large number does), and back. Later (after an error) it fails by staying.
        if not self.opened:
            self._position = offset if whence == 0 else 2**40
        return self._position

    def tell(self) -> int:
        return self._position


class ForwardSoundFile(soundfile.SoundFile):  # type: ignore[misc]
    """Read to its end, not to the length in its header. soundfile also seeks after each read unless told that it cannot."""

    def seekable(self) -> bool:
        return False


def _decode_flac_as(wire: WireFormat) -> Callable[[Handoff], None]:
    def decode(handoff: Handoff) -> None:
        streaminfo = _read_flac_header(handoff)
        if streaminfo is None:
            raise CorruptAudio("FLAC audio that ends inside its header")
        packed = int.from_bytes(streaminfo[10:18], "big")
        rate_hz, channels, total = packed >> 44, (packed >> 41 & 7) + 1, packed & 2**36 - 1
        wire.check_header(rate_hz, channels)
        # Every frame but the last has at least this many samples: reading them in such pieces never waits for the next frame.
        block = int.from_bytes(streaminfo[0:2], "big")
        if block < 16:
            raise CorruptAudio(f"FLAC audio in blocks of {block} samples; 16 to 65535 are possible")
        unbounded = (packed | 2**36 - 1).to_bytes(8, "big")
        header = FLAC_MAGIC + bytes([0x80, 0, 0, _STREAMINFO_BYTES]) + streaminfo[:10] + unbounded + bytes(16)
        file = _FlacFile(header, handoff)
        done = 0
        try:
            with ForwardSoundFile(file) as sound:
                file.opened = True
                handoff.announce(rate_hz, channels)
                while True:
                    wanted = min(block, total - done) if done < total else block
                    frames = sound.read(wanted, dtype="float32", always_2d=True)
                    if len(frames):
                        handoff.emit(frames)
                    done += len(frames)
                    if len(frames) < wanted:
                        return
        except soundfile.LibsndfileError as error:
            complete = 0 < total <= done  # what follows the last frame is a tag
            if not (complete or (handoff.ended and handoff.channels)):
                raise CorruptAudio(f"FLAC audio that cannot be decoded: {error.error_string}") from error

    return decode


def _read_flac_header(handoff: Handoff) -> bytes | None:
    """The STREAMINFO block (RFC 9639, 8.2), with everything up to the first frame consumed; None when the stream ends before."""
    head = _read_exactly(handoff, len(FLAC_MAGIC) + 4 + _STREAMINFO_BYTES)
    if head is None:
        return None
    if head[:4] != FLAC_MAGIC or head[4] & 0x7F != 0 or int.from_bytes(head[5:8], "big") != _STREAMINFO_BYTES:
        raise CorruptAudio("FLAC audio that does not start with its STREAMINFO block")
    is_last = head[4] & 0x80
    while not is_last:
        block = _read_exactly(handoff, 4)
        if block is None or not _skip(handoff, int.from_bytes(block[1:], "big")):
            return None
        is_last = block[0] & 0x80
    return head[8:]


def _read_exactly(handoff: Handoff, size: int) -> bytes | None:
    """`size` bytes, or None when the stream ends before."""
    data = b""
    while len(data) < size:
        more = handoff.read(size - len(data))
        if not more:
            return None
        data += more
    return data


def _skip(handoff: Handoff, size: int) -> bool:
    """Whether the stream had `size` bytes to skip."""
    while size > 0:
        more = handoff.read(size)
        if not more:
            return False
        size -= len(more)
    return True
