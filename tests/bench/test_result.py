"""Results read back: what is not one is told in one line, whatever it is."""

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_server.errors import WrongCall
from bench import values
from bench.compare import compare
from bench.compare_capacity import compare_capacity
from bench.page import page_of
from bench.result import CapacityResult, LatencyResult, Result, read_result, result_of
from bench.slower import Tolerance
from tests.bench.made_results import Said, capacity, latency

Fields = dict[str, Any]
Place = tuple[str | int, ...]
LATENCY, CAPACITY = latency([Said(), Said()]), capacity((1, "pp"), (2, "pf"))
DROPPED = "dropped"
JUNK = [DROPPED, None, True, -1, 0, 7, 0.5, 1e300, float("inf"), float("nan"), 10**400, "", "x", [], [1], {}, {"x": 1}]


def places(fields: object, above: Place = ()) -> Iterator[Place]:
    """Every field and item, however deep."""
    inside: Any = fields.items() if isinstance(fields, dict) else enumerate(fields) if isinstance(fields, list) else ()
    for name, value in inside:
        yield (*above, name)
        yield from places(value, (*above, name))


PLACES = [*((LATENCY, place) for place in places(LATENCY)), *((CAPACITY, place) for place in places(CAPACITY))]


def spoilt(fields: Fields, place: Place, junk: object) -> Fields:
    """The same with junk in one place."""
    copy = deepcopy(fields)
    *above, last = place
    at: Any = copy
    for name in above:
        at = at[name]
    if junk is DROPPED:
        del at[last]
    else:
        at[last] = junk
    return copy


def refused(before: Fields, after: Fields) -> str:
    """Why two results cannot be compared; nothing when they can: then all is done that `bench compare` does but show it."""
    try:
        compared(result_of(before, "a.json"), result_of(after, "b.json"))
    except WrongCall as error:
        return str(error)
    return ""


def compared(one: Result, other: Result) -> None:
    if isinstance(one, LatencyResult) and isinstance(other, LatencyResult):
        json.dumps(compare(one, other, Tolerance()).as_json())
    elif isinstance(one, CapacityResult) and isinstance(other, CapacityResult):
        json.dumps(compare_capacity(one, other).as_json())


@settings(max_examples=300)
@given(st.sampled_from(PLACES), st.sampled_from(JUNK))
def test_junk_in_any_place_is_a_wrong_call_or_makes_no_difference(where: tuple[Fields, Place], junk: object) -> None:
    fields, place = where
    other = spoilt(fields, place, junk)
    for before, after in ((fields, other), (other, fields), (other, other)):
        assert "\n" not in refused(before, after)


@pytest.mark.parametrize(
    ("place", "junk", "message"),
    [
        (("text_rules",), DROPPED, "it has no text_rules"),
        (("setup", "model_alone"), DROPPED, "it has no model_alone"),
        (("machine", "cpu"), DROPPED, "it has no cpu"),
        (("system",), DROPPED, "it has no system"),
        (("invalid_because",), None, "invalid_because: wanted a list, got None"),
        (("floor_ms", "p50"), "x", "p50: wanted a number, got 'x'"),
        (("late",), -1, "late: wanted a count, got -1"),
        (("streams",), float("inf"), "streams: wanted a count, got inf"),
        (("runs", 0, "finals", 0, "ledger", "response_ms"), float("nan"), "response_ms: wanted a number, got nan"),
        (("runs", 0, "baseline_ms"), -1, "baseline_ms: wanted a number from 0 on, got -1"),
        (("runs", 0), 1, "S: wanted fields around it, got 1"),
    ],
)
def test_what_is_wrong_with_a_result_is_said(place: Place, junk: object, message: str) -> None:
    with pytest.raises(WrongCall) as caught:
        result_of(spoilt(LATENCY, place, junk), "a.json")
    assert str(caught.value) == f"a.json is not a result of this version's `python -m bench`: {message}"


@pytest.mark.parametrize("name", ["setup", "unary", "system", "machine", "slo"])
def test_a_capacity_that_lacks_a_part_is_a_wrong_call(name: str) -> None:
    with pytest.raises(WrongCall, match=f"a.json is not a result of this version's `python -m bench`: it has no {name}$"):
        result_of(spoilt(CAPACITY, (name,), DROPPED), "a.json")


def test_a_number_that_python_refuses_to_read_is_a_wrong_call(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"streams": ' + "1" * 5000 + "}")
    with pytest.raises(WrongCall, match="is not JSON"):
        read_result(path)


def earlier(fields: Fields) -> Fields:
    """As it was before there were presets, and ends that a caller chooses."""
    setup = {name: value for name, value in fields["setup"].items() if name not in ("preset", "eager_results", "end", "config", "stop_ms")}
    return {name: value for name, value in fields.items() if name not in ("eager", "answer_ms", "answer_by_baseline")} | {"setup": setup}


@pytest.mark.parametrize("fields", [LATENCY, CAPACITY])
def test_results_of_before_presets_are_read_and_compared_with_each_other(fields: Fields) -> None:
    before = result_of(earlier(fields), "a.json")
    assert isinstance(before, (LatencyResult, CapacityResult))
    assert (before.setup["preset"], before.setup["end"], before.setup["config"]) == ("", "silence", None)
    assert refused(earlier(fields), earlier(fields)) == ""


@pytest.mark.parametrize(("fields", "preset"), [(LATENCY, "balanced"), (CAPACITY, "fast")])
def test_a_preset_that_is_not_known_is_not_compared_with_one_that_is(fields: Fields, preset: str) -> None:
    assert refused(earlier(fields), fields) == f"not comparable: preset not known, then {preset}"


def test_the_page_of_a_result_of_before_presets_can_be_made() -> None:
    assert "<html" in page_of([earlier(LATENCY), earlier(CAPACITY)])


@pytest.mark.parametrize(("field", "command"), [("recovery", "overload"), ("quiet", "idle")])
def test_a_result_that_is_neither_compared_nor_shown_is_named(field: str, command: str) -> None:
    with pytest.raises(WrongCall, match=f"a.json is of `bench {command}`, which is neither compared nor made a page of"):
        result_of({field: {}}, "a.json")


def test_the_time_that_is_promised_is_the_one_shown() -> None:
    def shown(fields: Fields) -> tuple[str, list[float | None]]:
        result = result_of(fields, "made")
        assert isinstance(result, CapacityResult)
        return result.shown_share, [result.shown_ms(point) for point in result.curve]

    points = ((1, "pp"), (2, "ff"))
    promised = capacity(*points, percentile=90)
    assert shown(promised) == ("p90", [360.0, 560.0])
    assert shown(capacity(*points, percentile=99)) == ("p99", [400.0, 600.0])
    one_untold = spoilt(promised, ("curve", 1, "at_percentile_ms", "pooled"), DROPPED)
    assert shown(one_untold) == ("p95", [400.0, 600.0])


@pytest.mark.parametrize("read", [values.number, values.count, values.flag, values.text, values.rows, values.group, values.times])
def test_a_field_that_is_not_there_is_named(read) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match="it has no late"):
        read({}, "late")
