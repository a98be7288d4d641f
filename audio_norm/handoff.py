"""A blocking library driven in lockstep: it reads from a pipe on a thread of its own and is never more than one step ahead.

Knows no format. `step` hands bytes over and returns when the library wants more than it was given (or is through), or has made as much as
one step may, so what it returns depends on the bytes alone and never on timing.
"""

import threading
from collections.abc import Callable

from audio_norm.errors import CorruptAudio
from audio_norm.pcm import Frames

STEP_S = 10.0
"""Seconds of audio after which a step ends, with the library held until the next. FLAC spends a dozen bytes on a block of silence: 4 KiB
may be minutes of audio, and one call must not decode all of it."""

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
        self._made = 0
        self._barren_bytes = 0
        self._ended = False
        self._paused = False
        self._closed = False
        self._failure: Exception | None = None
        self._thread: threading.Thread | None = None
        self._finished = False

    # ------------------------------------------------------------------------------------------------------- the caller's side

    def step(self, data: bytes, *, end: bool = False) -> list[Frames]:
        """Hand over `data`, let the library run until it wants more or has made `STEP_S` of audio (a frame more at most), and take the
        frames it made. Raises what `decode` raised. `end`: no more bytes will come."""
        with self._turn:
            if self._finished or self._closed:
                return []
            self._bytes += data
            self._ended = end
            self._made = 0
            self._barren_bytes += len(data)
            self._library_waits = self._paused = False
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

    @property
    def paused(self) -> bool:
        """The last step ended with bytes left over, because it had made enough; `step(b"")` goes on."""
        return self._paused and not self._finished and not self._closed

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
        """Frames for the caller, after `announce`. Waits when the step has made enough."""
        with self._turn:
            self._made += len(frames)
            self._barren_bytes = 0
            self._frames.append(frames)
            if self._made >= STEP_S * self.rate_hz:
                self._library_waits = self._paused = True
                self._turn.notify_all()
                self._turn.wait_for(lambda: not self._library_waits or self._closed)
            if self._closed:
                raise _Closed

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
