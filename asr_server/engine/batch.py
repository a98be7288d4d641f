"""Who is decoded together: whether one that waits may join those a thread is about to decode. Pure.

A step of the decoder reads all weights, for one text or for several, so company costs little. But all wait for the longest: whoever would
be in time alone must be in time with the others, or they do not come together. Partials have no time to keep.

One that is late already loses by company and those behind it gain. It is let in, or let join others like it, where they gain more in all.
"""

from collections.abc import Hashable
from dataclasses import dataclass

from asr_server.engine.cost import Cost, CostModel
from asr_server.events import Purpose


@dataclass(frozen=True, slots=True)
class Member:
    """A decode as it is planned."""

    purpose: Purpose
    shape: Hashable
    cost: Cost
    """Alone, but beside what runs on other threads."""
    allowed_ms: float
    """Until it has to be done."""

    @property
    def has_time_to_keep(self) -> bool:
        """Whether it is in time alone, and that matters."""
        return self.purpose is not Purpose.PARTIAL and self.cost.ms <= self.allowed_ms

    @property
    def is_late(self) -> bool:
        return self.purpose is not Purpose.PARTIAL and self.cost.ms > self.allowed_ms


class Batch:
    """Those that will be decoded together by one thread, one at first."""

    def __init__(self, first: Member, cost: CostModel, correction: float = 1.0) -> None:
        """`correction`: how much longer batches have taken than `cost` tells."""
        self._members = [first]
        self._cost = cost
        self._correction = correction

    def __len__(self) -> int:
        return len(self._members)

    def admits(self, other: Member, behind: float) -> bool:
        """`behind`: how many wait for this thread, the other one included; a share of one where several threads serve them."""
        if other.shape != self._members[0].shape:
            return False
        together = [*self._members, other]
        before_ms, after_ms = self._predicted_ms(self._members), self._predicted_ms(together)
        gained_ms = before_ms + other.cost.ms - after_ms
        if gained_ms <= 0 or any(one.has_time_to_keep and after_ms > one.allowed_ms for one in together):
            return False
        late = sum(one.is_late for one in self._members)
        return late * (after_ms - before_ms) <= behind * gained_ms

    def add(self, other: Member) -> None:
        self._members.append(other)

    def _predicted_ms(self, members: list[Member]) -> float:
        correction = self._correction if len(members) > 1 else 1.0
        return self._cost.together_ms([member.cost for member in members]) * correction
