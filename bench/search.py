"""How many streams are still served well? Doubling until a count fails, then halving the gap; several repeats vote on each count."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, log2
from typing import Generic, Literal, Protocol, TypeVar

Vote = Literal["passed", "failed", "invalid"]
"""Of one repeat. Invalid: the bench itself was too slow to tell, which is no vote for the server and proves nothing against it."""


class Measured(Protocol):
    """One repeat's outcome."""

    @property
    def vote(self) -> Vote: ...


_Outcome = TypeVar("_Outcome", bound=Measured)


@dataclass(frozen=True, slots=True)
class Tried(Generic[_Outcome]):
    """A count of streams, and what its repeats said."""

    streams: int
    repeats: tuple[_Outcome, ...]
    passed: bool

    @property
    def valid(self) -> bool:
        """Whether the verdict stands: a count that passed does; one that did not, when more repeats failed than were invalid."""
        votes = [repeat.vote for repeat in self.repeats]
        return self.passed or votes.count("failed") > votes.count("invalid")

    @property
    def agreed(self) -> bool:
        """All repeats said the same."""
        return len({repeat.vote for repeat in self.repeats}) == 1


def majority(votes: Sequence[Vote], repeats: int) -> bool | None:
    """Of up to `repeats` votes: passed or not; None when the next one may still turn it. A tie has not passed."""
    needed = repeats // 2 + 1
    passed = votes.count("passed")
    if passed >= needed:
        return True
    return False if passed + repeats - len(votes) < needed else None


def next_streams(passed: Mapping[int, bool], most: int) -> int | None:
    """Which count to try after those tried, 1 to `most`; None when the largest that passes is known."""
    good, bad = _bounds(passed)
    if bad is None:
        return min(max(2 * good, 1), most) if good < most else None
    return (good + bad) // 2 if bad - good > 1 else None


def most_left(passed: Mapping[int, bool], most: int) -> int:
    """How many counts may still have to be tried, at worst."""
    good, bad = _bounds(passed)
    if bad is not None:
        return ceil(log2(bad - good))
    if good >= most:
        return 0
    tried = min(max(2 * good, 1), most)
    return 1 + max(most_left({**passed, tried: True}, most), most_left({**passed, tried: False}, most))


def largest_good(passed: Mapping[int, bool]) -> int:
    """0 when none passed."""
    return _bounds(passed)[0]


async def search(measure: Callable[[int, int, int], Awaitable[_Outcome]], *, most: int, repeats: int) -> list[Tried[_Outcome]]:
    """Every count tried, in the order of the search. `measure` is given the streams, the number of the repeat (from 1) and how many counts
    may still follow this one at worst."""
    tried: list[Tried[_Outcome]] = []
    passed: dict[int, bool] = {}
    while (streams := next_streams(passed, most)) is not None:
        left = most_left(passed, most) - 1
        outcomes: list[_Outcome] = []
        while (verdict := majority([outcome.vote for outcome in outcomes], repeats)) is None:
            outcomes.append(await measure(streams, len(outcomes) + 1, left))
        passed[streams] = verdict
        tried.append(Tried(streams, tuple(outcomes), verdict))
    return tried


def _bounds(passed: Mapping[int, bool]) -> tuple[int, int | None]:
    """The largest count that passed (0: none) and the smallest that did not (None: none)."""
    good = max((streams for streams, ok in passed.items() if ok), default=0)
    bad = min((streams for streams, ok in passed.items() if not ok), default=None)
    return good, bad
