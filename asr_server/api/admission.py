"""Who may come in: whether the server takes new sessions at all, how many, and whether the recogniser keeps its promise to those inside."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Protocol

from asr_server.api.limits import Limits
from asr_server.errors import NotServing, Overloaded


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
        self._active = 0
        self._load: Load | None = None
        self._closed_because = "the server is loading its model"

    @property
    def active(self) -> int:
        """Sessions inside."""
        return self._active

    def open(self, load: Load | None = None) -> None:
        """Let sessions in; without a `load` their number alone decides."""
        self._load = load
        self._closed_because = ""

    def close(self, because: str) -> None:
        """Let nobody in any more; those inside are left alone."""
        self._closed_because = because

    @contextmanager
    def enter(self, *, live: bool = True) -> Iterator[int]:
        """A number for a new session. Raises `NotServing` or `Overloaded`. `live`: somebody speaks and waits for answers in time; a
        session that is not has no time promised, and only their number is limited. How long it lasts teaches nothing unless it is
        `begun`."""
        if self._closed_because:
            raise NotServing(self._closed_because)
        came_s, load = self._now(), self._load if live else None
        if self._active >= self._limits.max_sessions:
            raise Overloaded(f"all {self._limits.max_sessions} sessions are taken", self._retry_after_s(load, came_s))
        if load is not None and not load.fits_one_more(came_s):
            because = f"the recogniser has no time for more than the {self._active} sessions inside"
            raise Overloaded(because, self._retry_after_s(load, came_s))
        self._active += 1
        if load is not None:
            load.opened(came_s)
        number = next(self._numbers)
        try:
            yield number
        finally:
            self._active -= 1
            has_begun = number in self._begun
            self._begun.discard(number)
            if load is not None:
                left_s = self._now()
                load.closed(left_s - came_s if has_begun else None, left_s)

    def begun(self, number: int) -> None:
        """The session's caller has asked for something that is accepted: it is no probe, and no mistake."""
        self._begun.add(number)

    def _retry_after_s(self, load: Load | None, now_s: float) -> float:
        return round(load.refused(now_s), 1) if load is not None else self._limits.retry_after_s
