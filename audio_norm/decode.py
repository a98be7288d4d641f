"""Whole files and buffers to frames, and frames to mono. Streams are `wire`'s."""

import io
from dataclasses import dataclass, field

import av
import numpy as np
import soundfile

from audio_norm.containers import ForwardSoundFile, frames_of
from audio_norm.encoding import Encoding, WireFormat, check_channels
from audio_norm.errors import CorruptAudio, TooLong, UnsupportedAudio
from audio_norm.pcm import Frames, Samples
from audio_norm.wav import with_open_length
from audio_norm.wire import open_decoder

MIN_FILE_RATE_HZ = 4_000
MAX_FILE_RATE_HZ = 192_000

MAX_FILE_VALUES = 2**27
"""Samples times channels that a file may decode to, whatever its duration (512 MiB; 46 minutes of 48 kHz mono)."""

MAX_DAMAGED_SHARE = 0.1
"""Of a file's packets, this many may be left out because they cannot be decoded: tags taken for audio, a cut at the start of an MP3."""

_BLOCK_FRAMES = 65_536
_SLICE_BYTES = 65_536

# FFmpeg chooses a reader by content. Playlist readers (HLS, concat, DASH) open whatever address the content names, on our side of the
# network: only readers that look at nothing but the bytes given are allowed, and no way to open anything else.
_FFMPEG_OPTIONS = {
    "format_whitelist": "aac,ac3,aiff,amr,ape,asf,au,avi,caf,eac3,flac,flv,matroska,mov,mp3,mp4,mpegts,ogg,tta,w64,wav,webm,wv",
    "protocol_whitelist": "none",
}


@dataclass
class _Collected:
    """Frames of one file so far, within the limits."""

    rate_hz: int
    channels: int
    max_duration_s: float | None
    parts: list[Frames] = field(default_factory=list)
    count: int = 0

    def __post_init__(self) -> None:
        check_channels(self.channels)
        if not MIN_FILE_RATE_HZ <= self.rate_hz <= MAX_FILE_RATE_HZ:
            raise UnsupportedAudio(
                "sample_rate_hertz", f"a file at {self.rate_hz} Hz is not accepted, {MIN_FILE_RATE_HZ} to {MAX_FILE_RATE_HZ} Hz is"
            )

    def add(self, frames: Frames) -> None:
        self.parts.append(frames)
        self.count += len(frames)
        if self.max_duration_s is not None and self.count > self.max_duration_s * self.rate_hz:
            raise TooLong(f"the audio is longer than {self.max_duration_s:g} s; send less, or stream it")
        if self.count * self.channels > MAX_FILE_VALUES:
            raise TooLong(f"the audio decodes to more than {MAX_FILE_VALUES} samples; cut it, or stream it")

    def joined(self) -> tuple[Frames, int]:
        return np.concatenate([np.zeros((0, self.channels), np.float32), *self.parts]), self.rate_hz


def decode_file(data: bytes, *, max_duration_s: float | None = None) -> tuple[Frames, int]:
    """The first audio track of a file that libsndfile or FFmpeg reads, and its rate in Hz.

    FFmpeg reads Opus (so that a file gives the samples a stream of it gives), MPEG audio (of which libsndfile's reader complains on stderr)
    and whatever libsndfile does not know. A file that is cut off gives what could be decoded. Raises `CorruptAudio`, `UnsupportedAudio`
    (accepted: 4 to 192 kHz, 1 to 8 channels) or `TooLong`.
    """
    if not data:
        raise CorruptAudio("the audio is empty")
    if _is_opus(data) or _is_mpeg(data):
        return _decode_ffmpeg(data, max_duration_s)
    try:
        sound = ForwardSoundFile(_SeekableBytes(with_open_length(data)))
    except soundfile.LibsndfileError:
        return _decode_ffmpeg(data, max_duration_s)
    with sound:
        return _decode_soundfile(sound, max_duration_s)


def decode_bytes(data: bytes, format: WireFormat, *, max_duration_s: float | None = None) -> tuple[Frames, int]:  # noqa: A002 - the word of the wire
    """A whole buffer in the encoding its sender named, as a stream of it would decode; without a name, any file (`decode_file`)."""
    if format.encoding is None:
        frames, rate_hz = decode_file(data, max_duration_s=max_duration_s)
        said = WireFormat(Encoding.OGG_OPUS, 0, format.channels) if _is_opus(data) else format
        _check_file(said, rate_hz, frames.shape[1])
        return frames, rate_hz
    decoder = open_decoder(format)
    collected: _Collected | None = None
    try:
        for start in range(0, len(data), _SLICE_BYTES):
            for frames in decoder.pieces(data[start : start + _SLICE_BYTES]):
                if collected is None and decoder.channels:
                    collected = _Collected(decoder.rate_hz, decoder.channels, max_duration_s)
                if collected is not None:
                    collected.add(frames)
        rest = decoder.flush()
        if collected is None:
            raise CorruptAudio("the audio is empty")
        collected.add(rest)
    finally:
        decoder.close()
    return collected.joined()


def to_mono(frames: Frames, channel: int | None) -> Samples:
    """One channel, counted from 1, or None: the mean of all. Raises `UnsupportedAudio` when there is no such channel."""
    channels = frames.shape[1]
    if channel is not None:
        if not 1 <= channel <= channels:
            raise UnsupportedAudio("audio_channel", f"channel {channel} was asked for, the audio has 1 to {channels}")
        return np.ascontiguousarray(frames[:, channel - 1])
    # Added one after the other, because numpy's own order, and with it the last bit, depends on how the frames lie in memory.
    total = frames[:, 0].copy()
    for other in range(1, channels):
        total += frames[:, other]
    return total / np.float32(channels) if channels > 1 else total


class _SeekableBytes(io.BytesIO):
    """libsndfile asks for positions before the start when a header is wrong; an exception would end up on stderr, not here."""

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return super().seek(max(offset, 0) if whence == io.SEEK_SET else offset, whence)


def _decode_soundfile(sound: ForwardSoundFile, max_duration_s: float | None) -> tuple[Frames, int]:
    collected = _Collected(sound.samplerate, sound.channels, max_duration_s)
    try:
        while True:
            frames = sound.read(_BLOCK_FRAMES, dtype="float32", always_2d=True)
            collected.add(frames)
            if len(frames) < _BLOCK_FRAMES:
                return _finite(collected)
    except soundfile.LibsndfileError as error:
        raise CorruptAudio(f"{sound.format} audio that cannot be decoded: {error.error_string}") from error


def _decode_ffmpeg(data: bytes, max_duration_s: float | None) -> tuple[Frames, int]:
    try:
        with av.open(io.BytesIO(data), "r", options=_FFMPEG_OPTIONS, metadata_errors="replace") as container:
            if not container.streams.audio or container.streams.audio[0].codec_context is None:
                raise UnsupportedAudio("audio_content", "a file without an audio track that can be decoded; one is needed")
            collected, packets, damaged = None, 0, 0
            for packet in container.demux(container.streams.audio[0]):
                packets += 1
                try:
                    decoded = packet.decode()
                except av.FFmpegError:
                    damaged += 1
                    continue
                for frame in decoded:
                    frames = frames_of(frame)
                    if collected is None:
                        collected = _Collected(frame.sample_rate, frames.shape[1], max_duration_s)
                    if (frame.sample_rate, frames.shape[1]) != (collected.rate_hz, collected.channels):
                        raise CorruptAudio("a file whose rate or channels change on the way")
                    collected.add(frames)
    except av.FFmpegError as error:
        raise CorruptAudio(
            f"neither libsndfile nor FFmpeg can decode the audio ({error.strerror}); name its encoding if it has no header"
        ) from error
    if collected is None:
        raise CorruptAudio("a file without any audio in it")
    if damaged > packets * MAX_DAMAGED_SHARE:
        raise CorruptAudio(f"a file of which {damaged} of {packets} packets cannot be decoded")
    return _finite(collected)


def _finite(collected: _Collected) -> tuple[Frames, int]:
    frames, rate_hz = collected.joined()
    if not np.isfinite(frames).all():
        raise CorruptAudio("the audio has NaN or infinity in it; only finite samples are accepted")
    return frames, rate_hz


def _check_file(said: WireFormat, rate_hz: int, channels: int) -> None:
    """As `WireFormat.check_header`, for a file, whose own rate may be any."""
    if said.rate_hz not in {0, rate_hz}:
        raise UnsupportedAudio("sample_rate_hertz", f"{said.rate_hz} Hz was given but the header says {rate_hz} Hz; give that or 0")
    if said.channels not in {0, channels}:
        raise UnsupportedAudio("audio_channel_count", f"{said.channels} channels were given but the header says {channels}; give that or 0")


def _is_opus(data: bytes) -> bool:
    """Whether an Opus header (RFC 7845, 5.1) stands where Ogg and WebM have it."""
    return data.startswith((b"OggS", b"\x1a\x45\xdf\xa3")) and b"OpusHead" in data[:4096]


def _is_mpeg(data: bytes) -> bool:
    """Whether MP3 or AAC begins here: with an ID3 tag or the eleven set bits of a frame header."""
    return data.startswith(b"ID3") or (len(data) > 1 and data[0] == 0xFF and data[1] >= 0xE0)
