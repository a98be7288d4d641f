import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from asr_server.accuracy.manifest import Clip
from audio_norm import inspect_audio, load_definition
from eval.__main__ import main
from eval.audio import read_frames
from eval.journal import Entry
from eval.recognisers import Heard, HeardSegment
from eval.report import report
from eval.result import read_run
from eval.run import score
from eval.tail import compare, missing_at_end
from tests.eval.fake_recogniser import FakeRecogniser
from tests.recordings import recording

AUDIO = inspect_audio(*read_frames(Clip("hello", recording("hello_world"), "")), load_definition("v1"))


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


SAID = "red green blue"


def write(path: Path, heard: Mapping[str, str]) -> Path:
    """A result in which SAID was said in every clip."""
    outcomes = [
        score(Clip(clip_id, Path("a.wav"), SAID), Entry(Heard((HeardSegment(text, 0, 1, 0.5),) if text else ()), AUDIO))
        for clip_id, text in heard.items()
    ]
    path.write_text(json.dumps(report(outcomes, FakeRecogniser.system, via={"via": "engine"}, data={"manifest": "m.jsonl"})))
    return path


def test_only_clips_that_lost_more_than_before_are_told(tmp_path: Path) -> None:
    tested = write(tmp_path / "tested.json", {"kept": SAID, "lost": "red", "both": "red green", "new": ""})
    against = write(tmp_path / "against.json", {"kept": SAID, "lost": "red green", "both": "red green"})
    clips, (lost,) = compare(read_run(tested), read_run(against))
    assert (clips, lost.clip, lost.missing, lost.missing_before) == (3, "lost", 2, 1)


def test_the_exit_code_says_whether_tails_were_lost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = str(write(tmp_path / "engine.json", {"a": SAID}))
    cut = str(write(tmp_path / "server.json", {"a": "red green"}))
    assert main(["tail", whole, whole]) == 0
    assert main(["tail", cut, whole, "--json", str(tmp_path / "out.json")]) == 1
    assert "a: 1 missing, 0 before; ... red green blue" in capsys.readouterr().out
    assert json.loads((tmp_path / "out.json").read_text())["lost"][0]["clip"] == "a"


def test_runs_that_cannot_be_compared_are_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = write(tmp_path / "one.json", {"a": SAID})
    fields = json.loads(one.read_text())
    (tmp_path / "rules.json").write_text(json.dumps({**fields, "text_rules": "others"}))
    (tmp_path / "text.json").write_text(json.dumps({**fields, "hypotheses": [{**fields["hypotheses"][0], "ref": "red green"}]}))
    other = write(tmp_path / "other.json", {"b": SAID})
    calls = {
        "have no clip in common": other,
        "other text rules": tmp_path / "rules.json",
        "other text or language under the same id": tmp_path / "text.json",
    }
    for message, against in calls.items():
        assert main(["tail", str(one), str(against)]) == 2, message
        said = capsys.readouterr()
        assert (said.err.count("\n"), said.out) == (1, ""), message
        assert message in said.err


def test_a_file_that_is_no_result_is_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_text("[]")
    assert main(["tail", str(wrong), str(wrong)]) == 2
    assert main(["tail", str(tmp_path / "none.json"), str(wrong)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "is not a result of" in lines[0]
