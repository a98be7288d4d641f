"""Who waits for the engine, and who is next. Plain bookkeeping: knows no thread, clock or future, and is not thread-safe."""

from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

from asr_server.events import Purpose


class Waiting(Protocol):
    """What the line has to know of those in it."""

    @property
    def owner(self) -> int: ...

    @property
    def purpose(self) -> Purpose: ...

    @property
    def rank(self) -> tuple[float, int]:
        """Deadline in seconds, then order of asking. Unique, never changes."""


Item = TypeVar("Item", bound=Waiting)


class Line(Generic[Item]):
    """Finals first, by earliest deadline; then partials, in the order in which their owners first asked.

    An owner has at most one partial waiting: a newer one takes the older one's place. In a full line a final takes the place of the last
    partial. A step costs O(log n) comparisons, and the moving of pointers in a list of at most `max_waiting`.
    """

    def __init__(self, max_waiting: int) -> None:
        self._max_waiting = max_waiting
        self._finals: list[Item] = []
        # A replaced value keeps its place, so an owner that asks often is not sent to the end each time.
        self._partials: OrderedDict[int, Item] = OrderedDict()

    def __len__(self) -> int:
        return len(self._finals) + len(self._partials)

    def __iter__(self) -> Iterator[Item]:
        """In the order of their turns."""
        yield from self._finals
        yield from self._partials.values()

    def admits(self, item: Item) -> bool:
        """Whether there is room for `item`, or one whose place it may take."""
        if len(self) < self._max_waiting:
            return True
        return bool(self._partials) if item.purpose is Purpose.FINAL else item.owner in self._partials

    def add(self, item: Item) -> Item | None:
        """Queue an item that `admits` has admitted. Returns the one whose place it took."""
        if item.purpose is Purpose.PARTIAL:
            replaced = self._partials.get(item.owner)
            self._partials[item.owner] = item
            return replaced
        displaced = self._partials.popitem(last=True)[1] if len(self) >= self._max_waiting else None
        insort(self._finals, item, key=_rank)
        return displaced

    def take(self, *, partials: bool) -> Item | None:
        """Remove and return the next; partials only if they may be taken. None: nobody's turn."""
        if self._finals:
            return self._finals.pop(0)
        if partials and self._partials:
            return self._partials.popitem(last=False)[1]
        return None

    def remove(self, item: Item) -> None:
        """Does nothing when the item does not wait here."""
        if item.purpose is Purpose.PARTIAL:
            if self._partials.get(item.owner) is item:
                del self._partials[item.owner]
            return
        place = bisect_left(self._finals, item.rank, key=_rank)
        if place < len(self._finals) and self._finals[place] is item:
            del self._finals[place]


def _rank(item: Waiting) -> tuple[float, int]:
    return item.rank
