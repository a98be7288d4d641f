"""Where the audio of a transcription comes from: a file, a pipe or a microphone, all brought to LINEAR16 chunks of known rate."""

import asyncio
import os
import sys
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

from asr_server.api.clip import SAMPLE_BYTES, Clip, SentTimes, decode_clip, play
from asr_server.errors import WrongCall
from asr_server.transcribe.microphone import open_microphone
from asr_server.transcribe.options import TranscribeOptions
from audio_norm import AudioError, ChunkDecoder, Encoding, Frames, WireFormat, decode_bytes, open_decoder, to_int16

CHUNK_MS = 20
"""What microphones send."""

READ_BYTES = 8192

ACCEPTED = "accepted: WAV, FLAC, Ogg, MP3 and what else libsndfile or FFmpeg reads; audio without a header with --encoding and --rate"


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    chunks: AsyncGenerator[bytes, None]
    """LINEAR16, interleaved, taken once; each is noted in `sent` as it is."""
    rate_hz: int
    channels: int
    sent: SentTimes
    realtime: bool
    """Audio goes out as it is (or would be) spoken, so the time from speech to text means something."""
    stop: Callable[[], None] | None = None
    """Ends a source that has no end of its own. On the event loop."""


@asynccontextmanager
async def open_source(options: TranscribeOptions) -> AsyncIterator[Source]:
    """Raises `WrongCall` for audio that cannot be had or is none."""
    async with AsyncExitStack() as stack:
        if options.mic:
            source = _microphone_source(options)
        elif options.file == "-":
            source = await _pipe_source(options, stack)
        else:
            source = _clip_source(await asyncio.to_thread(_read_clip, options), options)
        stack.push_async_callback(source.chunks.aclose)
        yield source


def _microphone_source(options: TranscribeOptions) -> Source:
    microphone = open_microphone(options.rate_hz)
    bytes_per_second = microphone.rate_hz * SAMPLE_BYTES
    sent = SentTimes(bytes_per_second)
    chunks = play(microphone.chunks(CHUNK_MS), bytes_per_second, sent=sent)
    return Source(chunks, microphone.rate_hz, 1, sent, realtime=True, stop=microphone.stop)


def _clip_source(clip: Clip, options: TranscribeOptions) -> Source:
    sent = SentTimes(clip.bytes_per_second)
    chunks = play(clip.chunks(CHUNK_MS), clip.bytes_per_second, realtime=options.realtime, sent=sent)
    return Source(chunks, clip.rate_hz, clip.channels, sent, realtime=options.realtime)


def _read_clip(options: TranscribeOptions) -> Clip:
    path = Path(options.file)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise WrongCall(f"{path}: there is no such file") from None
    except OSError as error:
        raise WrongCall(f"{path}: {error.strerror}") from None
    return _to_clip(data, options, str(path))


def _to_clip(data: bytes, options: TranscribeOptions, name: str) -> Clip:
    try:
        if not options.encoding:
            return decode_clip(data)
        frames, rate_hz = decode_bytes(data, _wire_format(options))
        return Clip(_linear16(frames), rate_hz, frames.shape[1])
    except AudioError as error:
        raise WrongCall(f"{name} is not audio that can be read ({error}); {ACCEPTED}") from None


def _wire_format(options: TranscribeOptions) -> WireFormat:
    return WireFormat(Encoding[options.encoding] if options.encoding else None, options.rate_hz, options.channels)


def _linear16(frames: Frames) -> bytes:
    return to_int16(frames).astype("<i2", copy=False).tobytes()


# ------------------------------------------------------------------------------------------------------------------ stdin


async def _pipe_source(options: TranscribeOptions, stack: AsyncExitStack) -> Source:
    """Audio as it comes through a pipe, decoded here. A format that cannot be decoded as it comes is read to its end first."""
    data = await stack.enter_async_context(aclosing(_read_stdin()))
    decoder = stack.enter_context(closing(open_decoder(_wire_format(options))))
    head, first = b"", decoder.feed(b"")
    try:
        while not len(first) and (piece := await anext(data, b"")):
            head += piece
            first = decoder.feed(piece)
        if not len(first):
            first = decoder.flush()
    except AudioError:
        rest = [piece async for piece in data]
        return _clip_source(await asyncio.to_thread(_to_clip, b"".join([head, *rest]), options, "stdin"), options)
    if not len(first):
        raise WrongCall(f"stdin has no audio ({len(head)} bytes); {ACCEPTED}")
    bytes_per_second = decoder.rate_hz * decoder.channels * SAMPLE_BYTES
    sent = SentTimes(bytes_per_second)
    chunks = play(_decoded(first, data, decoder), bytes_per_second, realtime=options.realtime, sent=sent)
    return Source(chunks, decoder.rate_hz, decoder.channels, sent, realtime=options.realtime)


async def _decoded(first: Frames, data: AsyncGenerator[bytes, None], decoder: ChunkDecoder) -> AsyncGenerator[bytes, None]:
    """What was decoded to learn the format, then the rest, in pieces of at most `CHUNK_MS`."""
    for chunk in _pieces(first, decoder.rate_hz):
        yield chunk
    async for piece in data:
        for chunk in _pieces(decoder.feed(piece), decoder.rate_hz):
            yield chunk
    for chunk in _pieces(decoder.flush(), decoder.rate_hz):
        yield chunk


def _pieces(frames: Frames, rate_hz: int) -> Iterator[bytes]:
    step = rate_hz * CHUNK_MS // 1000
    for start in range(0, len(frames), step):
        yield _linear16(frames[start : start + step])


async def _read_stdin() -> AsyncGenerator[bytes, None]:
    """Bytes of stdin as they come. A thread reads them, since stdin may be a file, which the event loop cannot wait for; a daemon, since
    nothing can wake it from a read, and through `os.read`, since the interpreter cannot end while a thread is inside `sys.stdin`."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[bytes | OSError] = asyncio.Queue(maxsize=8)
    descriptor = sys.stdin.fileno()

    def read() -> None:
        piece: bytes | OSError = b"not yet"
        while piece and not isinstance(piece, OSError):
            try:
                piece = os.read(descriptor, READ_BYTES)
            except OSError as error:
                piece = error
            put = queue.put(piece)
            try:
                asyncio.run_coroutine_threadsafe(put, loop).result()
            except (RuntimeError, CancelledError):  # the loop has ended: nobody wants more
                put.close()
                return

    threading.Thread(target=read, name="stdin", daemon=True).start()
    while piece := await queue.get():
        if isinstance(piece, OSError):
            raise WrongCall(f"stdin: {piece.strerror}")
        yield piece
