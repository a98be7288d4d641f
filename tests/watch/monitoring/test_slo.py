"""Objectives as Prometheus rules."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_server.watch.monitoring.slo import BURNS, OBJECTIVES, Objective, duration, rules

UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def named(kind: str, made: dict[str, Any]) -> list[dict[str, Any]]:
    return [rule for group in made["groups"] for rule in group["rules"] if kind in rule]


def test_every_objective_has_an_alert_for_each_way_its_budget_may_burn() -> None:
    alerts = named("alert", rules())
    for objective in OBJECTIVES:
        mine = [alert for alert in alerts if alert["labels"].get("slo") == objective.name]
        assert [alert["labels"]["severity"] for alert in mine] == [burn.severity for burn in BURNS]
        assert {alert["alert"] for alert in mine} == {f"Asr{objective.name.capitalize()}BudgetBurns"}


def test_what_alerts_compare_is_recorded() -> None:
    made = rules()
    recorded = {rule["record"] for rule in named("record", made)}
    asked = {name for alert in named("alert", made) for name in re.findall(r"asr:slo_\w+:ratio_\w+", alert["expr"])}
    assert asked == recorded


def test_an_hours_page_wants_a_burn_of_14_over_both_windows() -> None:
    first = next(alert for alert in named("alert", rules()) if alert["labels"].get("slo") == "response")
    assert first["expr"] == "asr:slo_response_bad:ratio_1h > 0.144 and asr:slo_response_bad:ratio_5m > 0.144"


def test_a_quarter_of_the_time_scale_is_a_quarter_of_each_window() -> None:
    fast = next(alert for alert in named("alert", rules(time_scale=0.25)) if alert["labels"].get("slo") == "response")
    assert fast["expr"] == "asr:slo_response_bad:ratio_15m > 0.144 and asr:slo_response_bad:ratio_75s > 0.144"


@given(st.integers(1, 10**9))
def test_a_duration_says_what_it_was_made_of(ms: int) -> None:
    number, unit = re.fullmatch(r"(\d+)([a-z]+)", duration(ms / 1000)).groups()  # type: ignore[union-attr]
    assert int(number) * UNITS_MS[unit] == ms


@pytest.mark.parametrize("share", [0.0, 1.0, 1.5])
def test_an_objective_leaves_room_for_some_bad_events(share: float) -> None:
    with pytest.raises(ValueError, match="objective x: share is"):
        Objective("x", share, "bad", "all", "", "")
