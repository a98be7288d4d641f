"""A blocking library driven in lockstep: it reads from a pipe on a thread of its own and is never more than one step ahead.

Knows no format. `step` hands bytes over and returns when the library wants more than it was given (or is through), so what it returns
depends on the bytes alone and never on timing.
"""

import threading
from collections.abc import Callable

from audio_norm.errors import CorruptAudio
from audio_norm.pcm import Frames

MAX_VALUES_PER_STEP = 2**25
"""Samples times channels that one step may decode to (134 MB; 11 minutes of 48 kHz mono). Opus and FLAC spend a few bytes on
seconds of silence, so without a limit a small message could fill the memory."""

MAX_BARREN_BYTES = 16 * 1024 * 1024
"""Bytes that may pass without any audio coming of them (pictures in a header, other tracks)."""

THREAD_NAME = "audio-decode"


class _Closed(Exception):
    pass


class Handoff:
    """One run of `decode(handoff)` on its own thread. `decode` uses `read`, `announce` and `emit`; everything else belongs to the caller.

    The thread starts with the first byte and ends with `decode`, at the latest in `close`.
    """

    def __init__(self, decode: Callable[["Handoff"], None]) -> None:
        self.rate_hz = 0
        self.channels = 0
        self._decode = decode
        self._turn = threading.Condition()
        self._library_waits = True
        self._bytes = bytearray()
        self._frames: list[Frames] = []
        self._values = 0
        self._barren_bytes = 0
        self._ended = False
        self._closed = False
        self._failure: Exception | None = None
        self._thread: threading.Thread | None = None
        self._finished = False

    # ------------------------------------------------------------------------------------------------------- the caller's side

    def step(self, data: bytes, *, end: bool = False) -> list[Frames]:
        """Hand over `data`, let the library run until it wants more, and take the frames it made. Raises what `decode` raised."""
        with self._turn:
            if self._finished or self._closed:
                return []
            self._bytes += data
            self._ended = end
            self._values = 0
            self._barren_bytes += len(data)
            self._library_waits = False
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=THREAD_NAME, daemon=True)
                self._thread.start()
            self._turn.notify_all()
            self._turn.wait_for(lambda: self._library_waits or self._finished)
            frames, self._frames = self._frames, []
        if self._finished:
            self._thread.join()
        if self._failure is not None:
            raise self._failure
        if self._barren_bytes > MAX_BARREN_BYTES:
            raise CorruptAudio(f"no audio in {MAX_BARREN_BYTES} bytes of the stream")
        return frames

    def close(self) -> None:
        """End the thread, wherever it is, and wait for it."""
        self.abandon()
        if self._thread is not None:
            self._thread.join()

    def abandon(self) -> None:
        """End the thread without waiting for it."""
        with self._turn:
            self._closed = True
            self._bytes.clear()
            self._turn.notify_all()

    # ------------------------------------------------------------------------------------------------------ the library's side

    @property
    def ended(self) -> bool:
        """Whether no more bytes will come."""
        return self._ended or self._closed

    def read(self, size: int = -1) -> bytes:
        """At least one and at most `size` bytes; none only at the end of the stream."""
        with self._turn:
            while not self._bytes and not self.ended:
                self._library_waits = True
                self._turn.notify_all()
                self._turn.wait_for(lambda: not self._library_waits or self._closed)
            if self._closed:
                return b""
            data = bytes(self._bytes[:size] if size >= 0 else self._bytes)
            del self._bytes[: len(data)]
            return data

    def announce(self, rate_hz: int, channels: int) -> None:
        """The header has been read."""
        self.rate_hz = rate_hz
        self.channels = channels

    def emit(self, frames: Frames) -> None:
        if self._closed:
            raise _Closed
        self._values += frames.size
        if self._values > MAX_VALUES_PER_STEP:
            raise CorruptAudio(f"a chunk that decodes to more than {MAX_VALUES_PER_STEP} samples; send smaller chunks")
        self._barren_bytes = 0
        self._frames.append(frames)

    def _run(self) -> None:
        try:
            self._decode(self)
        except _Closed:
            pass
        except Exception as error:  # noqa: BLE001 - a thread has no caller; `step` raises it where there is one
            self._failure = error
        with self._turn:
            self._finished = True
            self._turn.notify_all()
