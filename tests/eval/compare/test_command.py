"""The release gate from end to end: real recordings through a real engine, as it is and deliberately broken."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from asr_server.accuracy.manifest import Clip
from asr_server.engine.engine import Engine
from audio_norm import load_definition
from eval.__main__ import main
from eval.by_engine import EngineRecogniser, Preparation, preparation
from eval.commands.hearing import MEASURED_BY
from eval.console import write_json
from eval.opening import load_engine
from eval.report import report
from eval.run import hear_all
from tests.eval.broken import Amplified, CutShort, LastWordDropped
from tests.eval.page.page_runs import outcome, write
from tests.recordings import recording

CLIPS = [
    Clip("hello", recording("hello_world"), "Hello world."),
    Clip("counting", recording("counting"), "1 2 3 4 5 6 7 8 9 10"),
    Clip("fox", recording("quick_brown_fox"), "The quick brown fox jumps over the lazy dog."),
]


@pytest.fixture(scope="module")
def engine() -> Engine:
    return load_engine("tiny.en", 1)


@pytest.fixture(scope="module")
def released(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The result of the release that runs."""
    return result_of(tmp_path_factory.mktemp("released") / "released.json", engine, preparation("v1"))


def result_of(path: Path, engine: Engine, prepared: Preparation) -> Path:
    recogniser = EngineRecogniser(engine, prepared, beam_size=1)
    heard = hear_all(CLIPS, recogniser, load_definition(MEASURED_BY), jobs=1, taken_up={}, heard=lambda _clip, _entry: None)
    data = {"manifest": "m.jsonl", "sha256": "0"}
    write_json(path, report(asyncio.run(heard), recogniser.system, via={"via": "engine"}, data=data))
    return path


def verdict(before: Path, after: Path, *options: str) -> tuple[int, list[str]]:
    """Exit code, and the gates that failed."""
    out = after.with_name("comparison.json")
    code = main(["compare", str(before), str(after), "--json", str(out), *options])
    found: dict[str, Any] = json.loads(out.read_text())
    return code, [gate["gate"] for gate in found["failed_gates"]]


def test_the_same_engine_heard_again_passes(released: Path, engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    again = result_of(tmp_path / "again.json", engine, preparation("v1"))
    assert verdict(released, again) == (0, [])
    said = capsys.readouterr().out
    assert "nothing differs between the systems" in said
    assert "passed: not worse than tolerated" in said


def test_an_engine_that_drops_the_last_word_is_caught(
    released: Path, engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = result_of(tmp_path / "broken.json", LastWordDropped(engine), preparation("v1"))
    assert verdict(released, broken) == (1, ["word error rate"])
    said = capsys.readouterr().out
    assert "FAILED word error rate " in said
    assert "  before hello world\n  after  hello\n" in said
    assert verdict(broken, released)[0] == 0


@pytest.mark.parametrize(("gain_db", "message"), [(-20.0, "20.0 LU quieter"), (20.0, "20.0 LU louder")])
def test_a_preparation_with_a_broken_gain_is_caught(
    gain_db: float, message: str, released: Path, engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = result_of(tmp_path / "broken.json", engine, Amplified(preparation("v1"), gain_db))
    code, gates = verdict(released, broken)
    assert code == 1
    assert "loudness given" in gates
    assert f"FAILED the recogniser was given audio {message} (median of 3 clips" in capsys.readouterr().out
    assert "loudness given" not in verdict(released, broken, "--loudness-tolerance-lu", "21")[1]


def test_a_preparation_that_loses_the_end_is_caught(released: Path, engine: Engine, tmp_path: Path) -> None:
    broken = result_of(tmp_path / "broken.json", engine, CutShort(preparation("v1"), 0.75))
    code, gates = verdict(released, broken)
    assert code == 1
    assert "length given" in gates
    assert "length given" not in verdict(released, broken, "--length-tolerance", "0.3")[1]


def test_loudness_that_differs_both_ways_is_told_with_its_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = write(tmp_path / "a.json", *(outcome(f"{number}", "red green", "red green") for number in range(4)))
    moved = (outcome(f"{number}", "red green", "red green", given_lufs=lufs) for number, lufs in enumerate([-20.0, -26.0] * 2))
    assert verdict(before.path, write(tmp_path / "b.json", *moved).path) == (1, ["loudness given"])
    assert "loudness +0.0 LU, without signs 3.0 (4 clips beyond the tolerance)" in capsys.readouterr().out


def test_a_tolerance_may_be_wide(released: Path, engine: Engine, tmp_path: Path) -> None:
    broken = result_of(tmp_path / "broken.json", LastWordDropped(engine), preparation("v1"))
    assert verdict(released, broken, "--tolerance", "0.5") == (0, [])


def with_fields(path: Path, source: Path, **fields: object) -> Path:
    write_json(path, {**json.loads(source.read_text()), **fields})
    return path


def test_a_wrong_call_is_one_line_and_exit_code_2(released: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.json").write_text("no JSON")
    (tmp_path / "other.json").write_text("{}")
    rules = with_fields(tmp_path / "rules.json", released, text_rules="others")
    nothing = with_fields(tmp_path / "nothing.json", released, hypotheses=[])
    calls = {
        "'AFTER'": [str(released)],
        "none.json: No such file": [str(released), str(tmp_path / "none.json")],
        "text.json is not JSON": [str(released), str(tmp_path / "text.json")],
        "other.json is not a result": [str(released), str(tmp_path / "other.json")],
        "other text rules": [str(released), str(rules)],
        "have no clip in common": [str(released), str(nothing)],
        "'--tolerance'": [str(released), str(released), "--tolerance", "-1"],
        "0 or more: rate": [str(released), str(released), "--tolerance", "inf"],
        "'--top'": [str(released), str(released), "--top", "0"],
        "no such folder": [str(released), str(released), "--json", str(tmp_path / "no" / "where.json")],
    }
    for message, arguments in calls.items():
        assert main(["compare", *arguments]) == 2, message
        said = capsys.readouterr()
        assert (said.err.count("\n"), said.out) == (1, ""), message
        assert message in said.err


def test_help_tells_when_a_candidate_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "--help"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "The release gate: exit code 1 when the candidate is worse." in said
    assert "higher by more than the tolerance" in said
