"""Who waits for the engine, and who is next. Plain bookkeeping: knows no thread, clock or future, and is not thread-safe."""

import math
from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

from asr_server.events import Purpose


class Waiting(Protocol):
    """What the line has to know of those in it. None of it changes while they wait."""

    @property
    def owner(self) -> int: ...

    @property
    def purpose(self) -> Purpose: ...

    @property
    def rank(self) -> tuple[float, int]:
        """Deadline in seconds, then order of asking. Unique."""

    @property
    def ripe_s(self) -> float:
        """Of a speculative one: before this moment it is likely to be in vain."""


Item = TypeVar("Item", bound=Waiting)


class Line(Generic[Item]):
    """Finals, by earliest deadline; then speculative ones, likewise; then offline ones, likewise; then partials, in the order in which
    their owners first asked.

    An owner has at most one speculative one and one partial waiting: a newer one takes the older one's place. A final or speculative one
    also takes the place of its owner's partial, whose text it will hold. In a full line a final takes the place of the last partial, else
    of the last speculative one; a speculative or offline one takes that of the last partial.
    """

    def __init__(self, max_waiting: int) -> None:
        self._max_waiting = max_waiting
        self._finals: list[Item] = []
        self._offline: list[Item] = []
        # By owner, so there are few: the next is looked for among all.
        self._speculative: dict[int, Item] = {}
        # A replaced value keeps its place, so an owner that asks often is not sent to the end each time.
        self._partials: OrderedDict[int, Item] = OrderedDict()

    def __len__(self) -> int:
        return len(self._finals) + len(self._speculative) + len(self._offline) + len(self._partials)

    def __iter__(self) -> Iterator[Item]:
        """In the order of their turns."""
        yield from self._finals
        yield from sorted(self._speculative.values(), key=_rank)
        yield from self._offline
        yield from self._partials.values()

    def admits(self, item: Item) -> bool:
        """Whether there is room for `item`, or one whose place it may take."""
        if len(self) < self._max_waiting:
            return True
        match item.purpose:
            case Purpose.FINAL:
                return bool(self._partials or self._speculative)
            case Purpose.SPECULATIVE:
                return bool(self._partials) or item.owner in self._speculative
            case Purpose.OFFLINE:
                return bool(self._partials)
            case Purpose.PARTIAL:
                return item.owner in self._partials

    def add(self, item: Item) -> tuple[Item, ...]:
        """Queue an item that `admits` has admitted. Returns those that wait no longer because of it."""
        if item.purpose is Purpose.PARTIAL:
            older = self._partials.get(item.owner)
            self._partials[item.owner] = item
            return _present(older)
        gone = _present(self._partials.pop(item.owner, None))
        if item.purpose is Purpose.SPECULATIVE:
            gone += _present(self._speculative.pop(item.owner, None))
        if len(self) >= self._max_waiting:
            gone += (self._give_up_last(),)
        if item.purpose is Purpose.SPECULATIVE:
            self._speculative[item.owner] = item
        else:
            insort(self._finals if item.purpose is Purpose.FINAL else self._offline, item, key=_rank)
        return gone

    def take(self, *, partials: bool, offline: bool = True, ripe_by_s: float = math.inf) -> Item | None:
        """Remove and return the next; partials and offline ones only if they may be taken, speculative ones only if they are ripe. None:
        nobody's turn."""
        if self._finals:
            return self._finals.pop(0)
        ripe = [item for item in self._speculative.values() if item.ripe_s <= ripe_by_s]
        if ripe:
            return self._speculative.pop(min(ripe, key=_rank).owner)
        if offline and self._offline:
            return self._offline.pop(0)
        if partials and self._partials:
            return self._partials.popitem(last=False)[1]
        return None

    @property
    def next_ripe_s(self) -> float | None:
        """When the first of the speculative ones is ripe; None: none waits."""
        return min((item.ripe_s for item in self._speculative.values()), default=None)

    def remove(self, item: Item) -> bool:
        """Whether the item has waited here; it does so no longer."""
        if item.purpose in (Purpose.FINAL, Purpose.OFFLINE):
            ordered = self._finals if item.purpose is Purpose.FINAL else self._offline
            place = bisect_left(ordered, item.rank, key=_rank)
            if place == len(ordered) or ordered[place] is not item:
                return False
            del ordered[place]
            return True
        one_each = self._speculative if item.purpose is Purpose.SPECULATIVE else self._partials
        if one_each.get(item.owner) is not item:
            return False
        del one_each[item.owner]
        return True

    def _give_up_last(self) -> Item:
        """Of those whose place another may take."""
        if self._partials:
            return self._partials.popitem(last=True)[1]
        return self._speculative.pop(max(self._speculative.values(), key=_rank).owner)


def _present(item: Item | None) -> tuple[Item, ...]:
    return () if item is None else (item,)


def _rank(item: Waiting) -> tuple[float, int]:
    return item.rank
