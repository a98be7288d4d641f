"""Who may come in: a count of sessions, and whether the server takes new ones at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from asr_server.api.limits import Limits
from asr_server.errors import NotServing, Overloaded


class Admission:
    """Used on the event loop only. Every session that enters leaves, however it ends."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._numbers = count(1)
        self._active = 0
        self._closed_because = "the server is loading its model"

    @property
    def active(self) -> int:
        """Sessions inside."""
        return self._active

    def open(self) -> None:
        self._closed_because = ""

    def close(self, because: str) -> None:
        """Let nobody in any more; those inside are left alone."""
        self._closed_because = because

    @contextmanager
    def enter(self) -> Iterator[int]:
        """A number for a new session. Raises `NotServing` or `Overloaded`."""
        if self._closed_because:
            raise NotServing(self._closed_because)
        if self._active >= self._limits.max_sessions:
            raise Overloaded(f"all {self._limits.max_sessions} sessions are taken", self._limits.retry_after_s)
        self._active += 1
        try:
            yield next(self._numbers)
        finally:
            self._active -= 1
