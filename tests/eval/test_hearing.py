"""A sitting: several parts in one journal, taken up again part by part."""

import asyncio
from pathlib import Path

import pytest

from asr_server.accuracy.manifest import Clip
from audio_norm import load_definition
from eval.commands.hearing import sitting
from eval.journal import journal_path
from eval.recognisers import Failed
from eval.run import Scored
from tests.eval.fake_recogniser import FakeRecogniser
from tests.recordings import recording

V1 = load_definition("v1")
CLIPS = [Clip("a", recording("hello_world"), "hello world"), Clip("b", recording("counting"), "one two three")]
NAMES = ["loud/a", "loud/b", "quiet/a", "quiet/b"]
DEAF = FakeRecogniser({"a": Failed("asked again"), "b": Failed("asked again")})


def hear(tmp_path: Path, *parts: tuple[str, FakeRecogniser], fresh: bool = False) -> list[list[str]]:
    """Texts and errors, by part."""
    heard = []
    with sitting("hearing", NAMES, result=tmp_path / "o.json", of_run={"seed": 0}, fresh=fresh) as one:
        for part, recogniser in parts:
            outcomes = asyncio.run(one.hear(CLIPS, recogniser, V1, jobs=2, part=part))
            heard.append([outcome.error or outcome.heard.text for outcome in outcomes if isinstance(outcome, Scored)])
    return heard


def test_a_part_that_was_heard_is_taken_up_and_the_others_are_heard(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert hear(tmp_path, ("loud/", FakeRecogniser({"a": "hello", "b": "one"}))) == [["hello", "one"]]
    again = hear(tmp_path, ("loud/", DEAF), ("quiet/", FakeRecogniser({"a": "hell", "b": ""})))
    assert again == [["hello", "one"], ["hell", ""]]
    assert "2 clips were heard already" in capsys.readouterr().err
    assert hear(tmp_path, ("quiet/", DEAF)) == [["hell", ""]]


def test_what_failed_is_heard_again_and_a_fresh_sitting_hears_everything(tmp_path: Path) -> None:
    assert hear(tmp_path, ("loud/", DEAF)) == [["asked again", "asked again"]]
    assert hear(tmp_path, ("loud/", FakeRecogniser({"a": "hello", "b": "one"}))) == [["hello", "one"]]
    assert hear(tmp_path, ("loud/", DEAF), fresh=True) == [["asked again", "asked again"]]


def interrupted(tmp_path: Path) -> None:
    """Somebody presses Ctrl-C after the first part."""
    with sitting("hearing", NAMES, result=tmp_path / "o.json", of_run={"seed": 0}, fresh=False) as one:
        asyncio.run(one.hear(CLIPS, FakeRecogniser({"a": "hello", "b": "one"}), V1, jobs=1, part="loud/"))
        raise KeyboardInterrupt


def test_an_interrupted_sitting_keeps_what_it_heard(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        interrupted(tmp_path)
    assert len(journal_path(tmp_path / "o.json").read_text().splitlines()) == 3
    assert hear(tmp_path, ("loud/", DEAF)) == [["hello", "one"]]
