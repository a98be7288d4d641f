"""Places that callers who were sent away have been told to come back for. Pure: time is passed in."""

from collections import deque

EARLY_S = 0.2
"""Clocks and rounding: who comes so much before the time is taken for the one who was told it."""
KEPT_S = 1.5
"""A place is kept for so long after its time: the way here, and the patience of programs that wait a little more than they are told."""


class Promises:
    """Nobody says who he is: whoever comes at the promised time has the place. Shortly before, it is as good as taken.

    `apart_s`: between two places that become free. Where they are close together a place is kept for less.
    """

    def __init__(self) -> None:
        self._at_s: deque[float] = deque()  # in the order of time

    def add(self, at_s: float) -> None:
        """One more. In the order of time."""
        self._at_s.append(at_s)

    def last_s(self, now_s: float) -> float:
        """When the last of them is; now, when there is none to come."""
        return max(now_s, self._at_s[-1]) if self._at_s else now_s

    def is_due(self, now_s: float, apart_s: float) -> bool:
        """Whether somebody was told to come about now."""
        self._forget(now_s, apart_s)
        return bool(self._at_s) and self._at_s[0] <= now_s + min(EARLY_S, apart_s / 4)

    def is_near(self, now_s: float, apart_s: float) -> bool:
        """Whether the place that becomes free next is somebody's who is yet to come."""
        return not self.is_due(now_s, apart_s) and bool(self._at_s) and self._at_s[0] <= now_s + apart_s

    def end(self, now_s: float, apart_s: float) -> None:
        """Whoever was due has come, and was let in or told another time."""
        if self.is_due(now_s, apart_s):
            self._at_s.popleft()

    def _forget(self, now_s: float, apart_s: float) -> None:
        while self._at_s and self._at_s[0] + min(KEPT_S, apart_s / 2) < now_s:
            self._at_s.popleft()
