"""Places that callers who were sent away have been told to come back for. Pure: time is passed in."""

from collections import deque

EARLY_S = 0.2
"""Clocks and rounding: who comes so much before the time is taken for the one who was told it."""
KEPT_S = 1.5
"""A place is kept for so long after its time: the way here, and the patience of programs that wait a little more than they are told."""


class Promises:
    """Nobody says who he is: whoever comes at the promised time has the place. At any other, those promised soon are as good as taken."""

    def __init__(self) -> None:
        self._at_s: deque[float] = deque()  # in the order of time

    def add(self, at_s: float) -> None:
        """One more. In the order of time."""
        self._at_s.append(at_s)

    def last_s(self, now_s: float) -> float:
        """When the last of them is; now, when there is none."""
        self._forget(now_s)
        return max(now_s, self._at_s[-1]) if self._at_s else now_s

    def is_due(self, now_s: float) -> bool:
        """Whether somebody was told to come about now."""
        self._forget(now_s)
        return bool(self._at_s) and self._at_s[0] <= now_s + EARLY_S

    def until(self, now_s: float, until_s: float) -> int:
        """How many there are up to `until_s`."""
        self._forget(now_s)
        return sum(at_s <= until_s for at_s in self._at_s)

    def keep(self, now_s: float) -> None:
        """Somebody came in. If one was due, it is kept."""
        if self.is_due(now_s):
            self._at_s.popleft()

    def _forget(self, now_s: float) -> None:
        while self._at_s and self._at_s[0] + KEPT_S < now_s:
            self._at_s.popleft()
