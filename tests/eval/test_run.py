import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from asr_server.accuracy.manifest import Clip
from asr_server.errors import WrongCall
from audio_norm import load_definition
from eval.journal import Entry
from eval.recognisers import Failed, Skipped
from eval.run import Outcome, Scored, hear_all, select
from tests.eval.fake_recogniser import FakeRecogniser
from tests.recordings import recording

HELLO = recording("hello_world")
CLIPS = [Clip("a", HELLO, "one fine day", set="x"), Clip("b", HELLO, "Hello there.", set="x"), Clip("c", HELLO, "", set="y")]
DEFINITION = load_definition("v1")


def run(
    texts: Mapping[str, str | Skipped | Failed], clips: list[Clip] = CLIPS, taken_up: Mapping[str, Entry] | None = None
) -> tuple[list[Outcome], list[tuple[str, bool]]]:
    """Outcomes, and which clips were told of, with whether something was heard."""
    told: list[tuple[str, bool]] = []
    hearing = hear_all(
        clips,
        FakeRecogniser(texts),
        DEFINITION,
        jobs=3,
        taken_up=taken_up or {},
        heard=lambda clip, entry: told.append((clip.id, entry is not None)),
    )
    return asyncio.run(hearing), told


def test_outcomes_keep_the_order_of_the_manifest_and_each_is_told() -> None:
    outcomes, told = run({"a": "one", "b": Failed("broken"), "c": Skipped("too long")})
    assert [outcome.clip.id for outcome in outcomes] == ["a", "b", "c"]
    assert sorted(told) == [("a", True), ("b", False), ("c", False)]


def test_the_audio_of_what_was_heard_is_measured() -> None:
    (first, *_), _ = run({"a": "one", "b": "", "c": ""})
    assert isinstance(first, Scored)
    assert first.audio is not None
    assert first.audio.duration_s == pytest.approx(1.5, abs=1.0)


def test_a_clip_taken_up_from_an_earlier_run_is_not_heard_again() -> None:
    (first, *_), _ = run({"a": "one fine day", "b": "", "c": ""})
    assert isinstance(first, Scored)
    assert first.audio is not None
    outcomes, told = run({"b": "", "c": ""}, taken_up={"a": Entry(first.heard, first.audio)})
    assert outcomes[0] == first
    assert sorted(told) == [("b", True), ("c", True)]


def test_a_file_that_is_not_audio_fails_its_clip_only(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"not audio")
    outcomes, _ = run({"a": "text out of nowhere", "b": "hello there"}, [Clip("a", tmp_path / "a.wav", "one"), CLIPS[1]])
    assert [isinstance(outcome, Scored) and bool(outcome.error) for outcome in outcomes] == [True, False]


def test_sets_are_chosen_left_out_and_cut() -> None:
    assert select(CLIPS) == CLIPS
    assert select(CLIPS, sets=["y"]) == CLIPS[2:]
    assert select(CLIPS, exclude_sets=["y", "not there"]) == CLIPS[:2]
    assert select(CLIPS, limit=1) == CLIPS[:1]


def test_a_set_that_is_not_there_and_an_empty_choice_are_wrong_calls() -> None:
    with pytest.raises(WrongCall, match="no such set: z; there are x, y"):
        select(CLIPS, sets=["z"])
    with pytest.raises(WrongCall, match="no clips are left"):
        select(CLIPS, exclude_sets=["x", "y"])
