"""Objectives as the server counts them itself."""

from dataclasses import replace

import pytest

from asr_server.watch import attributes as names
from asr_server.watch.monitoring.budgets import ErrorBudgets
from asr_server.watch.monitoring.slo import BURNS, OBJECTIVES
from asr_server.watch.observer import SegmentRecord, Stage
from asr_server.watch.status import ObjectiveState
from tests.fake_clock import FakeClock

METHOD = "/asr.v1.Speech/StreamingRecognize"
SEGMENT = SegmentRecord(0, 1.0, 1.2, (Stage("asr", 1.0, 1.1, {names.SLICE_SPENT_MS: 100.0}),), {names.WORDS: 3, names.LATE: False})
LATE = replace(SEGMENT, stages=(Stage("asr", 1.0, 1.6, {names.SLICE_SPENT_MS: 600.0}),), attributes={names.WORDS: 3, names.LATE: True})


def state(budgets: ErrorBudgets, name: str) -> ObjectiveState:
    return next(one for one in budgets.states() if one.name == name)


def burn_rates(one: ObjectiveState) -> dict[float, float]:
    return {window.length_s: window.burn_rate for window in one.windows}


def test_nothing_burns_where_nothing_happens() -> None:
    budgets = ErrorBudgets(FakeClock())
    assert [one.name for one in budgets.states()] == [one.name for one in OBJECTIVES]
    assert all(set(burn_rates(one).values()) == {0.0} and not one.firing for one in budgets.states())
    assert set(burn_rates(state(budgets, "calls"))) == {seconds for burn in BURNS for seconds in (burn.long_s, burn.short_s)}


def test_a_fifth_late_pages_and_stops_when_it_is_over() -> None:
    clock = FakeClock()
    budgets = ErrorBudgets(clock)
    call = budgets.call(METHOD, {}, 0.0)
    for number in range(600):
        call.segment(LATE if number % 5 == 0 else SEGMENT)
        clock.advance_ms(1000 * (6))
    slow = state(budgets, "response")
    assert burn_rates(slow)[3_600] == pytest.approx(20, rel=0.05)
    assert (slow.firing, state(budgets, "recognition").firing, state(budgets, "calls").firing) == ("page", "page", "")
    for _ in range(100):
        call.segment(SEGMENT)
        clock.advance_ms(1000 * (6))
    assert burn_rates(state(budgets, "response"))[300] == 0.0
    assert state(budgets, "response").firing != "page" or burn_rates(state(budgets, "response"))[1_800] > 6


def test_calls_that_callers_spoilt_are_none_of_the_servers() -> None:
    budgets = ErrorBudgets(FakeClock())
    for status in ("OK", "INVALID_ARGUMENT", "CANCELLED", "RESOURCE_EXHAUSTED", "INTERNAL"):
        budgets.call(METHOD, {}, 0.0).close(status, "", 1.0)
    window = state(budgets, "calls").windows[0]
    assert (window.events, window.bad) == (5, 1)


def test_what_is_older_than_the_longest_window_is_forgotten() -> None:
    clock = FakeClock()
    budgets = ErrorBudgets(clock)
    call = budgets.call(METHOD, {}, 0.0)
    for _ in range(5_000):
        call.segment(LATE)
        clock.advance_ms(1000 * (60))
    assert len(budgets._minutes) <= 72 * 60 + 1
    assert state(budgets, "response").windows[-1].events == pytest.approx(72 * 60, abs=1)
