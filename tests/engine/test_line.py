from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from asr_server.engine.line import Line
from asr_server.events import Purpose


@dataclass(frozen=True, eq=False)
class Someone:
    owner: int
    purpose: Purpose
    rank: tuple[float, int]
    ripe_s: float = 0.0


def final(deadline_s: float, number: int = 0, owner: int = 0) -> Someone:
    return Someone(owner, Purpose.FINAL, (deadline_s, number))


def speculative(owner: int, deadline_s: float = 0.0, number: int = 0, ripe_s: float = 0.0) -> Someone:
    return Someone(owner, Purpose.SPECULATIVE, (deadline_s, number), ripe_s)


def offline(deadline_s: float, number: int = 0) -> Someone:
    return Someone(99, Purpose.OFFLINE, (deadline_s, number))


def partial(owner: int, number: int = 0) -> Someone:
    return Someone(owner, Purpose.PARTIAL, (0.0, number))


def line_of(*items: Someone, max_waiting: int = 100) -> Line[Someone]:
    line = Line[Someone](max_waiting)
    for item in items:
        line.add(item)
    return line


def test_finals_come_by_deadline_then_speculative_and_offline_ones_likewise_then_partials_by_first_asking() -> None:
    late, early, first, second = final(9.0), final(1.0), partial(7), partial(3)
    likely, less_likely = speculative(2, 0.1), speculative(1, 0.2)
    file, other_file = offline(0.0), offline(0.5)

    line = line_of(first, other_file, less_likely, late, second, likely, file, early)
    assert list(line) == [early, late, likely, less_likely, file, other_file, first, second]


def test_offline_ones_are_left_where_they_may_not_be_taken() -> None:
    file, shown = offline(1.0), partial(2)
    line = line_of(file, shown)

    assert line.take(partials=False, offline=False) is None
    assert line.take(partials=True, offline=False) is shown
    assert line.take(partials=False) is file


def test_a_full_line_admits_an_offline_one_in_place_of_a_partial_only_and_never_gives_one_up() -> None:
    line = line_of(offline(1.0), speculative(1), partial(2), max_waiting=3)

    assert line.admits(offline(2.0))
    assert [gone.purpose for gone in line.add(offline(2.0))] == [Purpose.PARTIAL]
    assert not line.admits(offline(0.0))
    assert [gone.purpose for gone in line.add(final(1.0))] == [Purpose.SPECULATIVE]
    assert not line.admits(final(0.0))


def test_finals_of_equal_deadline_come_in_the_order_of_asking() -> None:
    one, two, three = final(1.0, 1), final(1.0, 2), final(1.0, 3)

    assert list(line_of(two, three, one)) == [one, two, three]


def test_a_speculative_one_that_is_not_ripe_lets_others_pass() -> None:
    green, ripe, shown = speculative(1, 1.0, ripe_s=5.0), speculative(2, 2.0, ripe_s=3.0), partial(3)
    line = line_of(green, ripe, shown)

    assert line.next_ripe_s == 3.0
    assert line.take(partials=True, ripe_by_s=4.0) is ripe
    assert line.take(partials=True, ripe_by_s=4.0) is shown
    assert line.take(partials=True, ripe_by_s=4.0) is None
    assert line.next_ripe_s == 5.0
    assert line.take(partials=True) is green
    assert line.next_ripe_s is None


def test_a_newer_partial_takes_the_place_of_its_owners_older_one() -> None:
    old, other, new = partial(1), partial(2), partial(1)
    line = line_of(old, other)

    assert line.add(new) == (old,)
    assert list(line) == [new, other]


def test_a_newer_speculative_one_takes_the_place_of_its_owners_older_one_and_goes_by_its_own_deadline() -> None:
    old, other, new = speculative(1, 1.0), speculative(2, 2.0), speculative(1, 3.0)
    line = line_of(old, other)

    assert line.add(new) == (old,)
    assert list(line) == [other, new]


def test_a_final_or_speculative_one_takes_the_place_of_its_owners_partial_only() -> None:
    waiting, for_final, for_speculative, wanted = partial(1), partial(2), partial(3), final(1.0, owner=2)
    line = line_of(waiting, for_final, for_speculative)

    assert line.add(wanted) == (for_final,)
    assert line.add(guess := speculative(3)) == (for_speculative,)
    assert list(line) == [wanted, guess, waiting]


def test_partials_are_left_where_they_may_not_be_taken() -> None:
    waiting = partial(1)
    line = line_of(waiting)

    assert line.take(partials=False) is None
    assert line.take(partials=True) is waiting
    assert line.take(partials=True) is None


def test_a_full_line_admits_a_final_in_place_of_the_last_partial_and_a_partial_only_in_place_of_its_owners() -> None:
    waiting, first, last = final(1.0), partial(1), partial(2)
    line = line_of(waiting, first, last, max_waiting=3)

    assert not line.admits(partial(3))
    assert line.admits(partial(1))
    assert line.admits(final(2.0))
    assert line.add(final(2.0)) == (last,)
    assert line.add(final(3.0)) == (first,)
    assert not line.admits(final(0.0))
    assert not line.admits(partial(1))


def test_a_full_line_admits_a_speculative_one_in_place_of_a_partial_and_a_final_in_place_of_either() -> None:
    likely, less_likely, last = speculative(1, 1.0), speculative(2, 2.0), partial(3)
    line = line_of(likely, less_likely, last, max_waiting=3)

    assert line.admits(speculative(4))
    assert line.add(final(1.0, owner=9)) == (last,)
    assert not line.admits(speculative(4))
    assert line.admits(speculative(2))
    assert line.add(final(2.0, owner=9)) == (less_likely,)
    assert line.add(final(3.0, owner=9)) == (likely,)
    assert not line.admits(final(0.0, owner=9))


def test_who_has_been_removed_can_come_again_as_another() -> None:
    guess = speculative(1, 5.0)
    line = line_of(guess, final(1.0, 1), final(3.0, 2))

    assert line.remove(guess)
    assert not line.remove(guess)
    line.add(Someone(1, Purpose.FINAL, (2.0, 0)))
    assert [item.rank[0] for item in line] == [1.0, 2.0, 3.0]


def test_removing_one_who_does_not_wait_changes_nothing() -> None:
    waiting = [final(1.0), speculative(1), partial(1)]
    line = line_of(*waiting)

    for stranger in (final(1.0, 1), final(0.5), final(2.0), speculative(1), speculative(2), partial(1), partial(2)):
        assert not line.remove(stranger)

    assert list(line) == waiting


def model_after(waiting: list[Someone], item: Someone, max_waiting: int) -> list[Someone] | None:
    """Who waits, in order, once `item` has asked; None when it is refused. As the rules say it, on one list."""
    replaced = {
        Purpose.FINAL: {Purpose.PARTIAL},
        Purpose.SPECULATIVE: {Purpose.SPECULATIVE, Purpose.PARTIAL},
        Purpose.OFFLINE: {Purpose.PARTIAL},
        Purpose.PARTIAL: set(),
    }
    giving_way = {
        Purpose.FINAL: (Purpose.PARTIAL, Purpose.SPECULATIVE),
        Purpose.SPECULATIVE: (Purpose.PARTIAL,),
        Purpose.OFFLINE: (Purpose.PARTIAL,),
        Purpose.PARTIAL: (),
    }
    if item.purpose is Purpose.PARTIAL and (own := [one for one in waiting if (one.owner, one.purpose) == (item.owner, item.purpose)]):
        return [item if one is own[0] else one for one in waiting]
    left = [one for one in waiting if one.owner != item.owner or one.purpose not in replaced[item.purpose]]
    if len(left) >= max_waiting:
        last_first = [one for purpose in giving_way[item.purpose] for one in reversed(left) if one.purpose is purpose]
        if not last_first:
            return None
        left.remove(last_first[0])
    ranked = sorted([*left, item], key=lambda one: (one.purpose.value, (0, 0) if one.purpose is Purpose.PARTIAL else one.rank))
    return list(ranked)


purposes = st.sampled_from(Purpose)
steps = st.one_of(
    st.tuples(st.just("ask"), purposes, st.integers(0, 5), st.integers(0, 5)),
    st.tuples(st.just("take"), purposes, st.integers(0, 1), st.just(0)),
    st.tuples(st.just("remove"), purposes, st.integers(0, 20), st.just(0)),
)


@settings(deadline=None)
@given(st.lists(steps, max_size=60), st.integers(1, 6))
def test_a_line_behaves_like_a_sorted_list(steps: list[tuple[str, Purpose, int, int]], max_waiting: int) -> None:
    line, model = Line[Someone](max_waiting), list[Someone]()
    for number, (step, purpose, value, deadline_s) in enumerate(steps):
        if step == "ask":
            item = Someone(value, purpose, (float(deadline_s), number))
            after = model_after(model, item, max_waiting)
            assert line.admits(item) == (after is not None)
            if after is not None:
                assert set(line.add(item)) == set(model) - set(after)
                model = after
        elif step == "take":
            takeable = [one for one in model if value or one.purpose is not Purpose.PARTIAL]
            expected = takeable[0] if takeable else None
            assert line.take(partials=bool(value)) is expected
            if expected is not None:
                model.remove(expected)
        elif model:
            assert line.remove(model.pop(value % len(model)))
        assert list(line) == model
        assert len(line) == len(model) <= max_waiting
