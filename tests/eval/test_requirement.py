import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_server.errors import WrongCall
from eval.__main__ import main
from eval.commands.requiring import closing_with, requirements_of
from eval.console import FAILED, GOOD, WRONG_CALL
from eval.requirement import COMPARISONS, Requirement, check, parse_requirement

RESULT: dict[str, object] = {
    "wer": 0.08,
    "late": 0,
    "valid": True,
    "setup": {"microphone": "20 ms chunks"},
    "ttfs_ms": {"p50": 300.0, "p95": 612.3, "p99": None},
    "server": None,
    "failed": [],
    "curve": [{"streams": 1, "late": 0}, {"streams": 2, "late": 3}],
}

KEYS = st.text(st.characters(exclude_characters=".[]<>=!", exclude_categories=["Cs", "Z", "Cc"]), min_size=1, max_size=8)
STEPS = st.one_of(KEYS, st.integers(-999, 999))
PATHS = st.tuples(KEYS, st.lists(STEPS, max_size=5)).map(lambda path: (path[0], *path[1]))
BOUNDS = st.floats(allow_nan=False, allow_infinity=False)


def unmet(*requirements: str) -> list[str]:
    return [str(one) for one in check([parse_requirement(text) for text in requirements], RESULT)]


def test_what_is_met_is_not_mentioned() -> None:
    assert unmet("wer<0.1", "late == 0", " ttfs_ms.p50 <= 300 ", "ttfs_ms.p95>6e2", "curve[0].streams>=1", "curve[1].late!=0") == []


def test_what_is_not_met_says_what_was_found_and_what_was_required() -> None:
    assert unmet("ttfs_ms.p95<500", "wer<0.1", "curve[-1].late==0") == [
        "ttfs_ms.p95 is 612.3, required: < 500",
        "curve[-1].late is 3, required: == 0",
    ]


@pytest.mark.parametrize("requirement", ["ttfs_ms.p99<500", "ttfs_ms.p99!=500", "server.cpu_percent<90", "server<1"])
def test_what_was_not_measured_meets_nothing(requirement: str) -> None:
    (line,) = unmet(requirement)
    assert "was not measured, required: " in line


def test_truth_counts_as_one() -> None:
    assert unmet("valid==1") == []
    assert unmet("valid==0") == ["valid is 1, required: == 0"]


@pytest.mark.parametrize(
    ("requirement", "message"),
    [
        ("ttfs.p95<500", "the result has no ttfs; the result has wer, late, valid, setup, ttfs_ms, server, failed, curve"),
        ("ttfs_ms.p59<500", "the result has no ttfs_ms.p59; ttfs_ms has p50, p95, p99"),
        ("ttfs_ms<500", "ttfs_ms is not a number; ttfs_ms has p50, p95, p99"),
        ("setup.microphone<1", "setup.microphone is not a number; setup.microphone is '20 ms chunks'"),
        ("wer.p50<1", "the result has no wer.p50; wer is 0.08"),
        ("wer[0]<1", "the result has no wer[0]; wer is 0.08"),
        ("ttfs_ms[0]<1", "the result has no ttfs_ms[0]; ttfs_ms has p50, p95, p99"),
        ("curve.late==0", "the result has no curve.late; curve is a list: curve[0] to curve[1]"),
        ("curve[2].late==0", "the result has no curve[2]; curve is a list: curve[0] to curve[1]"),
        ("curve[-3].late==0", "the result has no curve[-3]; curve is a list: curve[0] to curve[1]"),
        ("failed[0]<1", "the result has no failed[0]; failed is an empty list"),
        ("failed<1", "failed is not a number; failed is an empty list"),
    ],
)
def test_a_path_that_is_not_there_is_a_wrong_call_that_says_what_is(requirement: str, message: str) -> None:
    with pytest.raises(WrongCall) as caught:
        unmet(requirement)
    assert str(caught.value) == f"--require {str(parse_requirement(requirement))!r}: {message}"


@pytest.mark.parametrize(
    "text",
    ["", "wer", "wer<", "<1", "wer=0", "wer=<1", "wer<>1", "wer<1<2", "wer<low", "wer<nan", "wer<inf", "wer<1e999", "wer<10%", "wer 1"],
)
def test_what_is_no_requirement_is_a_wrong_call_that_says_what_is_wanted(text: str) -> None:
    with pytest.raises(WrongCall) as caught:
        parse_requirement(text)
    assert str(caught.value).startswith(f"--require {text!r}: ")
    assert str(caught.value).endswith("wanted PATH OPERATOR NUMBER such as ttfs_ms.p95<500, with one of < <= > >= == !=")


@pytest.mark.parametrize("path", [".", "a.", ".a", "a..b", "[0]", "a[", "a]", "a[x]", "a[0", "a[1.5]", "a[0]b", "a[]"])
def test_a_path_that_cannot_be_read_is_a_wrong_call(path: str) -> None:
    with pytest.raises(WrongCall, match="cannot read the path"):
        parse_requirement(f"{path}<1")


@given(PATHS, st.sampled_from(sorted(COMPARISONS)), BOUNDS)
def test_a_requirement_written_out_reads_as_itself(path: tuple[str | int, ...], comparison: str, bound: float) -> None:
    requirement = Requirement(path, comparison, bound)
    assert parse_requirement(str(requirement)) == requirement


@given(st.text(max_size=30) | st.text("ab.[]<>=!0 -", max_size=12))
def test_any_text_is_a_requirement_or_a_wrong_call(text: str) -> None:
    try:
        parsed = parse_requirement(text)
    except WrongCall:
        return
    assert math.isfinite(parsed.bound)
    assert parse_requirement(str(parsed)) == parsed


@given(BOUNDS, BOUNDS, st.sampled_from(sorted(COMPARISONS)))
def test_a_number_meets_a_requirement_or_its_opposite(value: float, bound: float, comparison: str) -> None:
    opposite = {"<": ">=", ">=": "<", ">": "<=", "<=": ">", "==": "!=", "!=": "=="}[comparison]
    both = [Requirement(("a",), comparison, bound), Requirement(("a",), opposite, bound)]
    assert len(check(both, {"a": value})) == 1


def test_what_is_not_met_is_one_line_each_and_fails_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert closing_with(requirements_of(["wer<0.01", "late==0", "ttfs_ms.p95<500"], RESULT), RESULT) == FAILED
    assert capsys.readouterr().err.splitlines() == [
        "required and not met: wer is 0.08, required: < 0.01",
        "required and not met: ttfs_ms.p95 is 612.3, required: < 500",
    ]


def test_what_is_met_leaves_the_exit_code_as_it_was() -> None:
    assert closing_with(requirements_of(["wer<0.1"], RESULT), RESULT) == GOOD
    assert closing_with(requirements_of(None, RESULT), RESULT, FAILED) == FAILED


def test_a_wrong_requirement_is_told_before_anything_is_heard(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["run", "--manifest", str(tmp_path / "none.jsonl"), "--json", str(tmp_path / "o.json"), "--require", "wer"]
    assert main(arguments) == WRONG_CALL
    said = capsys.readouterr().err
    assert (said.count("\n"), "--require 'wer': wanted PATH OPERATOR NUMBER" in said) == (1, True)
