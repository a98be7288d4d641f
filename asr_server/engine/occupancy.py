"""What a worker's threads are at, and how long they have been. Plain bookkeeping: time is passed in, and it is not thread-safe."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from asr_server.events import Purpose


@dataclass(slots=True, eq=False)
class Turn:
    """What one thread decodes together."""

    purposes: list[Purpose] = field(default_factory=list)
    """Of the jobs that have not ended."""
    shared_until_s: float = 0.0
    """Up to here its time has been given to its jobs."""
    partials_since_s: float | None = None
    """When it began, if there were partials only."""

    @property
    def has_partials_only(self) -> bool:
        return set(self.purposes) == {Purpose.PARTIAL}


REST = 1.0
"""Time that partials are left alone after some were decoded beside other work, by what they took. All decodes read the same memory: with
one thread at partials all the time, finals on the other take a quarter longer, and now and then wait for this one too."""


class Occupancy:
    """A thread's time belongs in equal parts to the jobs that it has at a time, but none of it to partials beside others, which would have
    taken hardly less without them. One thread of several is kept free of partials, and of offline jobs while somebody speaks, so that
    finals do not wait for one."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._turns: set[Turn] = set()
        self._busy_s = dict.fromkeys(Purpose, 0.0)
        self._partials_from_s = 0.0

    @property
    def jobs(self) -> int:
        """That are worked on."""
        return sum(len(turn.purposes) for turn in self._turns)

    @property
    def threads(self) -> int:
        """That work."""
        return len(self._turns)

    @property
    def is_full(self) -> bool:
        return len(self._turns) >= self._threads

    @property
    def busy_s(self) -> Mapping[Purpose, float]:
        """Time that belongs to jobs of each purpose that have ended, and to others while one of their turn has ended or joined."""
        return dict(self._busy_s)

    def takes_partials(self, turn: Turn | None = None) -> bool:
        """Whether a thread may take partials, or the one of `turn` may take some more."""
        return self._leaves_one_free(Purpose.PARTIAL, turn)

    def takes_offline(self, turn: Turn | None = None) -> bool:
        """The same of offline jobs, where somebody speaks."""
        return self._leaves_one_free(Purpose.OFFLINE, turn)

    def _leaves_one_free(self, purpose: Purpose, turn: Turn | None) -> bool:
        others = sum(purpose in one.purposes for one in self._turns if one is not turn)
        return others < max(1, self._threads - 1)

    @property
    def partials_from_s(self) -> float:
        """Before this moment no thread begins with partials."""
        return self._partials_from_s

    def begin(self, purpose: Purpose, now_s: float) -> Turn:
        turn = Turn([purpose], now_s, now_s if purpose is Purpose.PARTIAL else None)
        self._turns.add(turn)
        return turn

    def join(self, turn: Turn, purpose: Purpose, now_s: float) -> None:
        self._share(turn, now_s)
        turn.purposes.append(purpose)
        if purpose is not Purpose.PARTIAL:
            turn.partials_since_s = None

    def end(self, turn: Turn, purpose: Purpose, now_s: float) -> None:
        """One of its jobs has ended; with the last the thread is free."""
        self._share(turn, now_s)
        turn.purposes.remove(purpose)
        if not turn.purposes:
            self._turns.remove(turn)
            if turn.partials_since_s is not None and not all(other.has_partials_only for other in self._turns):
                self._partials_from_s = max(self._partials_from_s, now_s + REST * (now_s - turn.partials_since_s))

    def _share(self, turn: Turn, now_s: float) -> None:
        counted = [purpose for purpose in turn.purposes if purpose is not Purpose.PARTIAL] or turn.purposes
        for purpose in counted:
            self._busy_s[purpose] += (now_s - turn.shared_until_s) / len(counted)
        turn.shared_until_s = now_s
