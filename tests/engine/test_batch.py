"""Who is decoded together."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_server.engine.batch import Batch, Member
from asr_server.engine.cost import Cost, CostModel
from asr_server.events import Purpose

# Each further one of a batch costs all of what is done once and a quarter of its tokens.
COST = CostModel(encode_ms=0, encode_ms_per_frame=0, token_ms=10, beam_factor=1.5, align_ms=0, step_share=0.25, once_share=1.0)
ALONE = Cost(once_ms=100, steps_ms=100)  # together 325 ms for two, 450 for three


def member(allowed_ms: float, purpose: Purpose = Purpose.FINAL, shape: str = "same", cost: Cost = ALONE) -> Member:
    return Member(purpose, shape, cost, allowed_ms)


def batch_of(*members: Member, correction: float = 1.0) -> Batch:
    batch = Batch(members[0], COST, correction)
    for other in members[1:]:
        batch.add(other)
    return batch


TWO_MS = 325.0


def test_two_that_both_have_the_time_come_together() -> None:
    assert batch_of(member(TWO_MS)).admits(member(TWO_MS), behind=1)


@pytest.mark.parametrize("purpose", [Purpose.FINAL, Purpose.SPECULATIVE])
@pytest.mark.parametrize(("first_ms", "other_ms"), [(TWO_MS - 1, TWO_MS), (TWO_MS, TWO_MS - 1)])
def test_nobody_is_made_late_by_company(first_ms: float, other_ms: float, purpose: Purpose) -> None:
    assert not batch_of(member(first_ms, purpose)).admits(member(other_ms, purpose), behind=100)


def test_others_of_another_shape_gain_nothing() -> None:
    assert not batch_of(member(1000)).admits(member(1000, shape="other"), behind=1)


def test_where_nothing_is_shared_nobody_joins() -> None:
    unshared = replace(COST, step_share=1.0)
    assert not Batch(member(1000), unshared).admits(member(1000), behind=100)


def test_partials_have_no_time_to_keep() -> None:
    assert batch_of(member(0, Purpose.PARTIAL)).admits(member(0, Purpose.PARTIAL), behind=1)
    assert batch_of(member(TWO_MS)).admits(member(0, Purpose.PARTIAL), behind=1)
    assert not batch_of(member(TWO_MS - 1)).admits(member(0, Purpose.PARTIAL), behind=1)


def test_what_batches_were_seen_to_take_counts() -> None:
    assert batch_of(member(400), correction=1.2).admits(member(400), behind=1)
    assert not batch_of(member(400), correction=1.3).admits(member(400), behind=1)


def test_one_that_is_late_anyway_takes_company_when_those_behind_gain_more_than_it_loses() -> None:
    # It ends 125 ms later; the other and each behind it are 75 ms earlier.
    late = batch_of(member(199))
    assert not late.admits(member(1000), behind=1)
    assert late.admits(member(1000), behind=2)


def test_one_that_is_late_anyway_may_join_those_who_keep_their_time() -> None:
    assert batch_of(member(TWO_MS)).admits(member(10), behind=0.5)


members = st.builds(
    Member, st.sampled_from(Purpose), st.just("same"), st.builds(Cost, st.floats(1, 300), st.floats(1, 300)), st.floats(-100, 2000)
)


@given(members, st.lists(members, max_size=8), st.floats(0, 1), st.floats(0, 1), st.floats(0, 20))
def test_whoever_was_in_time_stays_in_time_whoever_joins(
    first: Member, others: list[Member], step_share: float, once_share: float, behind: float
) -> None:
    cost = replace(COST, step_share=step_share, once_share=once_share)
    batch, joined = Batch(first, cost), [first]
    for other in others:
        if batch.admits(other, behind):
            batch.add(other)
            joined.append(other)

    assert len(batch) == len(joined)
    took_ms = cost.together_ms([one.cost for one in joined])
    if len(joined) > 1:
        assert all(took_ms <= one.allowed_ms for one in joined if one.has_time_to_keep)
