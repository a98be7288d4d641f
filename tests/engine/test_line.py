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


def final(deadline_s: float, number: int = 0, owner: int = 0) -> Someone:
    return Someone(owner, Purpose.FINAL, (deadline_s, number))


def partial(owner: int, number: int = 0) -> Someone:
    return Someone(owner, Purpose.PARTIAL, (0.0, number))


def line_of(*items: Someone, max_waiting: int = 100) -> Line[Someone]:
    line = Line[Someone](max_waiting)
    for item in items:
        line.add(item)
    return line


def test_finals_come_by_deadline_then_partials_by_first_asking() -> None:
    late, early, first, second = final(9.0), final(1.0), partial(7), partial(3)

    assert list(line_of(first, late, second, early)) == [early, late, first, second]


def test_finals_of_equal_deadline_come_in_the_order_of_asking() -> None:
    one, two, three = final(1.0, 1), final(1.0, 2), final(1.0, 3)

    assert list(line_of(two, three, one)) == [one, two, three]


def test_a_newer_partial_takes_the_place_of_its_owners_older_one() -> None:
    old, other, new = partial(1), partial(2), partial(1)
    line = line_of(old, other)

    assert line.add(new) is old
    assert list(line) == [new, other]


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
    assert line.add(final(2.0)) is last
    assert line.add(final(3.0)) is first
    assert not line.admits(final(0.0))
    assert not line.admits(partial(1))


def test_removing_one_who_does_not_wait_changes_nothing() -> None:
    waiting_final, waiting_partial = final(1.0), partial(1)
    line = line_of(waiting_final, waiting_partial)

    for stranger in (final(1.0, 1), final(0.5), final(2.0), partial(1), partial(2)):
        line.remove(stranger)

    assert list(line) == [waiting_final, waiting_partial]


steps = st.one_of(
    st.builds(lambda deadline_s: ("final", deadline_s), st.integers(0, 5)),
    st.builds(lambda owner: ("partial", owner), st.integers(0, 5)),
    st.builds(lambda partials: ("take", partials), st.integers(0, 1)),
    st.builds(lambda place: ("remove", place), st.integers(0, 20)),
)


@settings(deadline=None)
@given(st.lists(steps, max_size=60), st.integers(1, 6))
def test_a_line_behaves_like_a_sorted_list(steps: list[tuple[str, int]], max_waiting: int) -> None:
    line, model = Line[Someone](max_waiting), list[Someone]()
    for number, (step, value) in enumerate(steps):
        partials = [item for item in model if item.purpose is Purpose.PARTIAL]
        finals = [item for item in model if item.purpose is Purpose.FINAL]
        if step == "final":
            item = final(float(value), number)
            assert line.admits(item) == (len(model) < max_waiting or bool(partials))
            if line.admits(item):
                displaced = partials.pop() if len(model) >= max_waiting else None
                assert line.add(item) is displaced
                model = [*sorted([*finals, item], key=lambda final: final.rank), *partials]
        elif step == "partial":
            item = partial(value, number)
            own = [place for place, other in enumerate(partials) if other.owner == value]
            assert line.admits(item) == (len(model) < max_waiting or bool(own))
            if own:
                assert line.add(item) is partials[own[0]]
                model[len(finals) + own[0]] = item
            elif line.admits(item):
                assert line.add(item) is None
                model.append(item)
        elif step == "take":
            takeable = model if value else finals
            expected = takeable[0] if takeable else None
            assert line.take(partials=bool(value)) is expected
            if expected is not None:
                model.remove(expected)
        elif model:
            line.remove(model.pop(value % len(model)))
        assert list(line) == model
        assert len(line) == len(model) <= max_waiting
