import json
from pathlib import Path

import pytest

from eval.__main__ import main
from eval.tail import compare, missing_at_end


@pytest.mark.parametrize(
    ("reference", "hypothesis", "missing"),
    [
        ("a b c d", "a b", 2),
        ("a b c d", "a b c d", 0),
        ("a b c d", "a b c x", 0),
        ("a b c d", "d", 0),
        ("a b c d", "", 4),
        ("", "a b", 0),
        ("a b c", "x a b", 1),
    ],
)
def test_words_after_the_last_one_heard_are_missing(reference: str, hypothesis: str, missing: int) -> None:
    assert missing_at_end(reference, hypothesis) == missing


def one(clip: str, heard: str) -> dict[str, str]:
    return {"id": clip, "ref_words": "one two three", "hyp_words": heard}


def test_only_clips_that_lost_more_than_before_are_told() -> None:
    tested = [one("kept", "one two three"), one("lost", "one"), one("both", "one two"), one("new", "")]
    against = [one("kept", "one two three"), one("lost", "one two"), one("both", "one two")]
    clips, (lost,) = compare(tested, against)
    assert (clips, lost.clip, lost.missing, lost.missing_before) == (3, "lost", 2, 1)


def write(path: Path, hypotheses: object) -> str:
    path.write_text(json.dumps({"hypotheses": hypotheses}))
    return str(path)


def test_the_exit_code_says_whether_tails_were_lost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = write(tmp_path / "engine.json", [one("a", "one two three")])
    cut = write(tmp_path / "server.json", [one("a", "one two")])
    assert main(["tail", whole, whole]) == 0
    assert main(["tail", cut, whole, "--json", str(tmp_path / "out.json")]) == 1
    assert "a: 1 missing, 0 before; ... one two three" in capsys.readouterr().out
    assert json.loads((tmp_path / "out.json").read_text())["lost"][0]["clip"] == "a"


def test_a_file_that_is_no_result_is_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_text("[]")
    assert main(["tail", str(wrong), str(wrong)]) == 2
    assert main(["tail", write(tmp_path / "bare.json", [{"id": "a"}]), str(wrong)]) == 2
    assert main(["tail", str(tmp_path / "none.json"), str(wrong)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert "is not a result of" in lines[0]
