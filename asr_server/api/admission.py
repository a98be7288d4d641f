"""Who may come in: whether the server takes new sessions at all, how many, and whether the recogniser keeps its promise to those inside.

Whole files have places of their own: however many are sent, they take none from those who speak.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Protocol

from asr_server.api.limits import Limits
from asr_server.errors import NotServing, Overloaded
from asr_server.fading import FadingMean

_MAX_RETRY_AFTER_S = 30.0


class Load(Protocol):
    """How busy the recogniser is, and whether it has time for one more. Times are seconds of the admission's clock."""

    def opened(self, now_s: float) -> None: ...

    def closed(self, lasted_s: float | None, now_s: float) -> None:
        """`lasted_s`: None for one that ended before it had begun."""

    def fits_one_more(self, now_s: float) -> bool: ...

    def refused(self, now_s: float) -> float:
        """One was sent away: after how many seconds a place is likely to be free for it."""


class Admission:
    """Used on the event loop only. Every session that enters leaves, however it ends."""

    def __init__(self, limits: Limits, now: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._now = now
        self._numbers = count(1)
        self._begun: set[int] = set()
        self._live = 0
        self._files = 0
        self._file_lasts_s = FadingMean()
        self._load: Load | None = None
        self._closed_because = "the server is loading its model"

    @property
    def active(self) -> int:
        """Sessions inside."""
        return self._live + self._files

    def open(self, load: Load | None = None) -> None:
        """Let sessions in; without a `load` their number alone decides."""
        self._load = load
        self._closed_because = ""

    def close(self, because: str) -> None:
        """Let nobody in any more; those inside are left alone."""
        self._closed_because = because

    @contextmanager
    def enter(self) -> Iterator[int]:
        """A number for a new session in which somebody speaks and waits for answers in time. Raises `NotServing` or `Overloaded`. How long
        it lasts teaches nothing unless it is `begun`."""
        self._must_be_open()
        came_s, load = self._now(), self._load
        if self._live >= self._limits.max_sessions:
            raise Overloaded(f"all {self._limits.max_sessions} sessions are taken", self._retry_after_s(came_s))
        if load is not None and not load.fits_one_more(came_s):
            raise Overloaded(f"the recogniser has no time for more than the {self._live} sessions inside", self._retry_after_s(came_s))
        self._live += 1
        if load is not None:
            load.opened(came_s)
        number = next(self._numbers)
        try:
            yield number
        finally:
            self._live -= 1
            has_begun = number in self._begun
            self._begun.discard(number)
            if load is not None:
                left_s = self._now()
                load.closed(left_s - came_s if has_begun else None, left_s)

    @contextmanager
    def enter_file(self) -> Iterator[int]:
        """The same for a whole file. It has no time promised, so only their number is limited."""
        self._must_be_open()
        if self._files >= self._limits.max_files:
            raise Overloaded(f"{self._files} files are being recognised, the most accepted", self._file_retry_after_s)
        came_s, number = self._now(), next(self._numbers)
        self._files += 1
        try:
            yield number
        finally:
            self._files -= 1
            if number in self._begun:
                self._file_lasts_s.add(self._now() - came_s)
            self._begun.discard(number)

    def number(self) -> int:
        """For a session of the server's own, which takes no place."""
        return next(self._numbers)

    def begun(self, number: int) -> None:
        """The session's caller has asked for something that is accepted: it is no probe, and no mistake."""
        self._begun.add(number)

    def _must_be_open(self) -> None:
        if self._closed_because:
            raise NotServing(self._closed_because)

    def _retry_after_s(self, now_s: float) -> float:
        return round(self._load.refused(now_s), 1) if self._load is not None else self._limits.retry_after_s

    @property
    def _file_retry_after_s(self) -> float:
        """Files end one after the other: the next is likely to after an equal part of what one takes."""
        if not self._file_lasts_s:
            return self._limits.retry_after_s
        return round(min(max(self._file_lasts_s.value / self._files, self._limits.retry_after_s), _MAX_RETRY_AFTER_S), 1)
