from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.search import Tried, Vote, largest_good, majority, most_left, next_streams, search


@dataclass(frozen=True)
class Said:
    vote: Vote


class FakeMachine:
    """Serves up to `capacity` streams; what is scripted for a count comes first, one vote a repeat."""

    def __init__(self, capacity: int, scripted: Mapping[int, Sequence[Vote]] | None = None) -> None:
        self.capacity = capacity
        self.scripted = scripted or {}
        self.asked: list[tuple[int, int]] = []
        self.left: list[int] = []

    async def measure(self, streams: int, repeat: int, left: int) -> Said:
        self.asked.append((streams, repeat))
        self.left.append(left)
        votes = self.scripted.get(streams, ())
        if repeat <= len(votes):
            return Said(votes[repeat - 1])
        return Said("passed" if streams <= self.capacity else "failed")


def counts(tried: Sequence[Tried[Said]]) -> list[int]:
    return [one.streams for one in tried]


def found(tried: Sequence[Tried[Said]]) -> int:
    return largest_good({one.streams: one.passed for one in tried})


async def test_it_doubles_until_a_count_fails_and_then_halves_the_gap() -> None:
    tried = await search(FakeMachine(11).measure, most=64, repeats=1)
    assert counts(tried) == [1, 2, 4, 8, 16, 12, 10, 11]
    assert found(tried) == 11


async def test_a_server_that_fails_one_stream_serves_none() -> None:
    tried = await search(FakeMachine(0).measure, most=64, repeats=3)
    assert counts(tried) == [1]
    assert found(tried) == 0


@pytest.mark.parametrize(("most", "expected"), [(1, [1]), (6, [1, 2, 4, 6]), (8, [1, 2, 4, 8])])
async def test_a_server_that_never_fails_is_tried_up_to_the_most_and_no_further(most: int, expected: list[int]) -> None:
    tried = await search(FakeMachine(1000).measure, most=most, repeats=1)
    assert counts(tried) == expected
    assert found(tried) == most


async def test_the_majority_decides_and_no_more_is_measured_than_that_takes() -> None:
    machine = FakeMachine(2, {1: ["failed"], 2: ["passed", "failed"]})
    tried = await search(machine.measure, most=2, repeats=3)
    assert machine.asked == [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3)]
    assert [(one.passed, one.agreed) for one in tried] == [(True, False), (True, False)]
    machine = FakeMachine(1)
    await search(machine.measure, most=2, repeats=3)
    assert machine.asked == [(1, 1), (1, 2), (2, 1), (2, 2)]


async def test_an_invalid_repeat_never_counts_as_passed() -> None:
    tried = await search(FakeMachine(4, {4: ["invalid", "invalid"]}).measure, most=4, repeats=3)
    assert counts(tried) == [1, 2, 4, 3]
    assert found(tried) == 3
    invalid = next(one for one in tried if one.streams == 4)
    assert (invalid.passed, invalid.valid) == (False, False)


@pytest.mark.parametrize(
    ("votes", "passed", "valid"),
    [
        (("passed", "passed"), True, True),
        (("invalid", "passed", "passed"), True, True),
        (("failed", "failed"), False, True),
        (("failed", "invalid"), False, False),
        (("failed", "passed", "invalid"), False, False),
        (("failed", "passed", "failed"), False, True),
    ],
)
def test_a_verdict_stands_when_it_passed_or_more_failed_than_were_invalid(votes: tuple[Vote, ...], passed: bool, valid: bool) -> None:
    assert majority(votes, 3) is passed
    assert Tried(1, tuple(Said(vote) for vote in votes), passed).valid is valid


@pytest.mark.parametrize(("votes", "repeats"), [((), 1), (("passed",), 2), (("passed",), 3), (("failed", "passed"), 3), (("invalid",), 3)])
def test_votes_that_may_still_turn_are_not_decided(votes: tuple[Vote, ...], repeats: int) -> None:
    assert majority(votes, repeats) is None


def test_a_tie_has_not_passed() -> None:
    assert majority(("passed", "failed"), 2) is False


@given(capacity=st.integers(0, 200), most=st.integers(1, 128))
async def test_whatever_the_capacity_it_is_found_within_the_counts_that_were_told_to_be_left(capacity: int, most: int) -> None:
    machine = FakeMachine(capacity)
    tried = await search(machine.measure, most=most, repeats=1)
    assert found(tried) == min(capacity, most)
    assert all(left >= len(tried) - index - 1 for index, left in enumerate(machine.left))


@given(st.dictionaries(st.integers(1, 64), st.booleans()), st.integers(1, 64))
def test_the_next_count_is_always_a_new_one_between_what_passed_and_what_did_not(passed: dict[int, bool], most: int) -> None:
    good = largest_good(passed)
    consistent = {streams: ok for streams, ok in passed.items() if ok or streams > good}
    following = next_streams(consistent, most)
    if following is not None:
        assert following not in consistent
        assert good < following
    assert (following is None) == (most_left(consistent, most) == 0)
