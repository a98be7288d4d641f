import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_server.engine.occupancy import Occupancy, Turn
from asr_server.events import Purpose

FINAL, SPECULATIVE, OFFLINE, PARTIAL = Purpose


@pytest.mark.parametrize(
    ("joining", "busy_s"),
    [
        (SPECULATIVE, {FINAL: 1 + 2, SPECULATIVE: 2 + 1, OFFLINE: 0, PARTIAL: 0}),
        (PARTIAL, {FINAL: 5, SPECULATIVE: 0, OFFLINE: 0, PARTIAL: 1}),
    ],
    ids=["in equal parts", "but to partials only alone"],
)
def test_the_time_of_a_thread_belongs_to_the_jobs_it_has_at_a_time(joining: Purpose, busy_s: dict[Purpose, float]) -> None:
    occupancy = Occupancy(threads=1)
    turn = occupancy.begin(FINAL, 10.0)
    occupancy.join(turn, joining, 11.0)
    occupancy.end(turn, FINAL, 15.0)
    occupancy.end(turn, joining, 16.0)

    assert occupancy.busy_s == pytest.approx(busy_s)


def test_a_thread_is_free_when_its_last_job_has_ended() -> None:
    occupancy = Occupancy(threads=1)
    turn = occupancy.begin(FINAL, 0.0)
    occupancy.join(turn, FINAL, 0.0)
    assert (occupancy.threads, occupancy.jobs, occupancy.is_full) == (1, 2, True)

    occupancy.end(turn, FINAL, 1.0)
    assert (occupancy.threads, occupancy.jobs, occupancy.is_full) == (1, 1, True)

    occupancy.end(turn, FINAL, 1.0)
    assert (occupancy.threads, occupancy.jobs, occupancy.is_full) == (0, 0, False)


@pytest.mark.parametrize(("threads", "most"), [(1, 1), (2, 1), (4, 3)])
def test_of_several_threads_one_takes_no_partials(threads: int, most: int) -> None:
    occupancy = Occupancy(threads)
    turns = []
    for _ in range(most):
        assert occupancy.takes_partials()
        turns.append(occupancy.begin(PARTIAL, 0.0))

    assert not occupancy.takes_partials()
    assert occupancy.takes_partials(turns[0])


def test_after_partials_beside_other_work_no_thread_begins_with_some_for_as_long_as_they_took() -> None:
    occupancy = Occupancy(threads=2)
    beside = occupancy.begin(FINAL, 0.0)
    partials = occupancy.begin(PARTIAL, 1.0)
    occupancy.end(partials, PARTIAL, 1.3)
    assert occupancy.partials_from_s == pytest.approx(1.6)
    occupancy.end(beside, FINAL, 2.0)
    assert occupancy.partials_from_s == pytest.approx(1.6)


def test_partials_that_nothing_runs_beside_may_be_followed_by_others_at_once() -> None:
    occupancy = Occupancy(threads=2)
    occupancy.end(occupancy.begin(PARTIAL, 1.0), PARTIAL, 1.3)
    assert occupancy.partials_from_s <= 1.3


def test_partials_beside_partials_are_no_reason_to_rest() -> None:
    occupancy = Occupancy(threads=3)
    occupancy.begin(PARTIAL, 0.0)
    occupancy.end(occupancy.begin(PARTIAL, 1.0), PARTIAL, 1.3)
    assert occupancy.partials_from_s <= 1.3


def test_a_rest_is_not_cut_short_by_a_later_shorter_one() -> None:
    occupancy = Occupancy(threads=3)
    occupancy.begin(FINAL, 0.0)
    long, short = occupancy.begin(PARTIAL, 0.0), occupancy.begin(PARTIAL, 1.0)
    occupancy.end(long, PARTIAL, 1.0)
    occupancy.end(short, PARTIAL, 1.1)
    assert occupancy.partials_from_s == pytest.approx(2.0)


def test_of_several_threads_one_takes_no_offline_jobs() -> None:
    occupancy = Occupancy(threads=2)
    assert occupancy.takes_offline()
    turn = occupancy.begin(OFFLINE, 0.0)
    assert not occupancy.takes_offline()
    occupancy.end(turn, OFFLINE, 1.0)
    assert occupancy.takes_offline()
    assert occupancy.busy_s[OFFLINE] == 1.0


def test_a_turn_that_had_more_than_partials_is_none_of_theirs() -> None:
    occupancy = Occupancy(threads=2)
    occupancy.begin(FINAL, 0.0)
    joined = occupancy.begin(PARTIAL, 1.0)
    occupancy.join(joined, FINAL, 1.0)
    occupancy.end(joined, FINAL, 1.2)
    occupancy.end(joined, PARTIAL, 1.3)
    assert occupancy.partials_from_s <= 1.3


def test_a_turn_of_finals_that_takes_a_partial_counts_until_that_has_ended() -> None:
    occupancy = Occupancy(threads=2)
    turn = occupancy.begin(FINAL, 0.0)
    assert occupancy.takes_partials(turn)
    occupancy.join(turn, PARTIAL, 0.0)
    assert not occupancy.takes_partials()

    occupancy.end(turn, PARTIAL, 1.0)
    assert occupancy.takes_partials()


steps = st.lists(st.tuples(st.sampled_from(("begin", "join", "end")), st.sampled_from(Purpose), st.integers(0, 9)), max_size=50)


@given(steps)
def test_all_time_of_all_threads_is_somebodys_and_nobodys_twice(steps: list[tuple[str, Purpose, int]]) -> None:
    occupancy, turns, worked_s = Occupancy(threads=8), list[Turn](), 0.0
    for now_s, (step, purpose, number) in enumerate(steps):
        worked_s += occupancy.threads if now_s else 0
        if step == "begin" and not occupancy.is_full:
            turns.append(occupancy.begin(purpose, float(now_s)))
        elif turns:
            turn = turns[number % len(turns)]
            if step == "join":
                occupancy.join(turn, purpose, float(now_s))
            else:
                occupancy.end(turn, turn.purposes[number % len(turn.purposes)], float(now_s))
        turns = [turn for turn in turns if turn.purposes]
    for turn in turns:
        while turn.purposes:
            occupancy.end(turn, turn.purposes[0], float(len(steps)))
    worked_s += len(turns)

    assert sum(occupancy.busy_s.values()) == pytest.approx(worked_s)
    assert occupancy.threads == occupancy.jobs == 0
