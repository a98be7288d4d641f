"""Test signals as the bytes a sender would send, made by encoders that are not ours."""

import io
import struct
import threading
from collections.abc import Iterable

import av
import numpy as np
import soundfile
from numpy.typing import NDArray

from audio_norm.encoding import ChunkDecoder
from audio_norm.handoff import THREAD_NAME
from audio_norm.pcm import Frames


def signal(count: int, channels: int = 1, rate_hz: int = 16_000, seed: int = 0) -> Frames:
    """A tone of another pitch in each channel, with some noise; below full scale."""
    times_s = np.arange(count) / rate_hz
    noise = 0.01 * np.random.default_rng(seed).standard_normal((count, channels))
    tones = 0.3 * np.sin(2 * np.pi * np.outer(times_s, 220 * np.arange(1, channels + 1)))
    return (tones + noise).astype(np.float32)


def sndfile(frames: Frames, rate_hz: int, kind: str, subtype: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, frames, rate_hz, format=kind, subtype=subtype)
    return file.getvalue()


def flac(frames: Frames, rate_hz: int = 16_000, subtype: str = "PCM_16") -> bytes:
    return sndfile(frames, rate_hz, "FLAC", subtype)


def ffmpeg(frames: Frames, rate_hz: int, kind: str, codec: str, **options: str) -> bytes:
    """1, 2 or 8 channels through FFmpeg's encoder `codec` into the container `kind`."""
    file = io.BytesIO()
    layout = {1: "mono", 2: "stereo", 8: "7.1"}[frames.shape[1]]
    with av.open(file, "w", format=kind, options=options) as container:
        stream = container.add_stream(codec, rate=rate_hz, layout=layout)
        assert isinstance(stream, av.AudioStream)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(frames.reshape(1, -1)), format="flt", layout=layout)
        frame.sample_rate = rate_hz
        resampler = av.AudioResampler(format=stream.format, layout=layout, rate=rate_hz)
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return file.getvalue()


def ogg_opus(frames: Frames, page_ms: int = 20) -> bytes:
    """From 48 kHz frames, a page every `page_ms`."""
    return ffmpeg(frames, 48_000, "ogg", "libopus", page_duration=str(page_ms * 1000))


def webm_opus(frames: Frames) -> bytes:
    """From 48 kHz frames."""
    return ffmpeg(frames, 48_000, "webm", "libopus")


def wav(
    payload: bytes,
    *,
    tag: int = 1,
    bits: int = 16,
    channels: int = 1,
    rate_hz: int = 16_000,
    data_size: int | None = None,
    extensible: bool = False,
    before_data: bytes = b"",
) -> bytes:
    """A WAV by hand; `tag` is the format (1 PCM, 3 float, 6 A-law, 7 mu-law)."""
    frame_bytes = channels * bits // 8
    chunk = struct.pack("<HHIIHH", 0xFFFE if extensible else tag, channels, rate_hz, rate_hz * frame_bytes, frame_bytes, bits)
    if extensible:
        guid = struct.pack("<H", tag) + bytes.fromhex("000000001000800000aa00389b71")
        chunk += struct.pack("<HHI", 22, bits, 0) + guid
    body = b"WAVEfmt " + struct.pack("<I", len(chunk)) + chunk + before_data
    body += b"data" + struct.pack("<I", len(payload) if data_size is None else data_size) + payload
    return b"RIFF" + struct.pack("<I", len(body) & 0xFFFFFFFF) + body


def linear16(frames: Frames) -> bytes:
    return (frames * 32768).round().clip(-32768, 32767).astype("<i2").tobytes()


def decode_all(decoder: ChunkDecoder, pieces: Iterable[bytes]) -> Frames:
    """Everything, and the decoder closed."""
    try:
        parts = [decoder.feed(piece) for piece in pieces] + [decoder.flush()]
        return np.concatenate([part for part in parts if len(part)] or parts[-1:])
    finally:
        decoder.close()


def same(a: NDArray[np.float32], b: NDArray[np.float32]) -> bool:
    """Equal to the last bit, and of equal shape."""
    return a.dtype == b.dtype and a.shape == b.shape and bool((a == b).all())


def decode_threads() -> int:
    """Decoder threads alive in this process."""
    return sum(thread.name == THREAD_NAME for thread in threading.enumerate())
