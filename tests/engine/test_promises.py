"""Places that were promised, and how long they are kept."""

from hypothesis import given
from hypothesis import strategies as st

from asr_server.engine.promises import EARLY_S, KEPT_S, Promises

SECONDS = st.floats(0, 100)


def promised(*at_s: float) -> Promises:
    promises = Promises()
    for one in at_s:
        promises.add(one)
    return promises


def test_a_place_is_kept_around_its_time_and_near_before() -> None:
    promises, apart_s = promised(10.0), 4.0
    assert (promises.is_due(5.0, apart_s), promises.is_near(5.0, apart_s)) == (False, False)
    assert (promises.is_due(7.0, apart_s), promises.is_near(7.0, apart_s)) == (False, True)
    assert (promises.is_due(10.0 - EARLY_S, apart_s), promises.is_near(10.0 - EARLY_S, apart_s)) == (True, False)
    assert promises.is_due(10.0 + KEPT_S, apart_s)
    assert (promises.is_due(10.1 + KEPT_S, apart_s), promises.is_near(10.1 + KEPT_S, apart_s)) == (False, False)


def test_between_two_that_are_close_together_is_a_time_that_is_nobodys() -> None:
    promises, apart_s = promised(10.0, 10.8), 0.8
    assert promises.is_due(10.4, apart_s)
    assert (promises.is_due(10.5, apart_s), promises.is_near(10.5, apart_s)) == (False, True)
    assert promises.is_due(10.7, apart_s)


def test_who_was_due_has_come_once() -> None:
    promises, apart_s = promised(10.0, 20.0), 4.0
    promises.end(5.0, apart_s)
    assert promises.is_due(10.0, apart_s), "nobody was due at 5"
    promises.end(10.0, apart_s)
    assert not promises.is_due(10.0, apart_s)
    assert promises.is_due(20.0, apart_s)


@given(st.lists(SECONDS).map(sorted), SECONDS, st.floats(0.01, 60))
def test_no_time_is_both_somebodys_and_just_before_it(at_s: list[float], now_s: float, apart_s: float) -> None:
    promises = promised(*at_s)
    assert not (promises.is_due(now_s, apart_s) and promises.is_near(now_s, apart_s))
    assert promises.last_s(now_s) >= now_s
