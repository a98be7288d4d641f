"""`python -m eval slices` from end to end."""

import json
from pathlib import Path

import pytest

from asr_server.accuracy.manifest import Clip
from eval.__main__ import main
from eval.console import write_json
from eval.journal import Entry
from eval.recognisers import Heard, HeardSegment
from eval.report import report
from eval.run import score
from tests.eval.made_results import AUDIO, SYSTEM


def result_of(path: Path, texts: dict[str, tuple[str, str]]) -> Path:
    """`texts`: what was said and heard, by clip."""
    outcomes = [
        score(Clip(name, Path("a.wav"), said), Entry(Heard((HeardSegment(heard, 0.0, 1.0, 0.5),)), AUDIO))
        for name, (said, heard) in texts.items()
    ]
    write_json(path, report(outcomes, SYSTEM, via={"via": "engine"}, data={"manifest": "m.jsonl"}))
    return path


@pytest.fixture
def result(tmp_path: Path) -> Path:
    return result_of(tmp_path / "run.json", {"a": ("red green blue", "red grin"), "b": ("red", "red"), "fan": ("", "thank you")})


def test_tables_and_sentences_are_shown_and_all_of_it_is_written(result: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "slices.json"
    assert main(["slices", str(result), "--json", str(out)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("2 errors in 4 words of 2 clips, WER 50.00 %\n1 clips without speech")
    assert "Confused: green > grin (1)" in said
    assert "Lost: blue (1 of 1)" in said
    assert "Lost at the end of a segment: 1 words at 2 ends; elsewhere 0 of 4 words" in said
    assert "Made up in 1 of 1 silences: thank (1), you (1)" in said
    found = json.loads(out.read_text())
    assert set(found) == {"wer", "words", "errors", "clips", "other_clips", "audio", "word_errors", "collect"}
    assert (found["wer"], found["words"], found["errors"]) == (0.5, 4, 2)
    assert set(found["word_errors"]) == {"substitutions", "deletions", "insertions", "segment_ends", "loops", "kinds", "silence"}


def test_tables_are_cut_and_the_json_is_not(result: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "slices.json"
    assert main(["slices", str(result), "--json", str(out), "--top", "1"]) == 0
    said = capsys.readouterr().out
    assert said.count("loudness") + said.count("duration") + said.count("bandwidth") <= 1
    assert len(json.loads(out.read_text())["audio"]) >= 11


def test_without_errors_there_is_nothing_to_collect(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["slices", str(result_of(tmp_path / "run.json", {"a": ("red", "red"), "b": ("blue", "blue")}))]) == 0
    assert "No slice has more errors than the rate of the rest would give." in capsys.readouterr().out


def test_a_wrong_call_is_one_line_and_exit_code_2(result: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.json").write_text("no JSON")
    silence = result_of(tmp_path / "silence.json", {"fan": ("", "you")})
    calls = {
        "'RESULT'": [],
        "none.json: No such file": [str(tmp_path / "none.json")],
        "text.json is not JSON": [str(tmp_path / "text.json")],
        "no clips with speech": [str(silence)],
        "'--top'": [str(result), "--top", "0"],
        "no such folder": [str(result), "--json", str(tmp_path / "no" / "where.json")],
    }
    for message, arguments in calls.items():
        assert main(["slices", *arguments]) == 2, message
        said = capsys.readouterr()
        assert (said.err.count("\n"), said.out) == (1, ""), message
        assert message in said.err


def test_help_tells_what_a_slice_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["slices", "--help"]) == 0
    assert "which data to collect" in " ".join(capsys.readouterr().out.split())
