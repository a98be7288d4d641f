import asyncio
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from asr_server.errors import WrongCall
from eval.manifest import Clip
from eval.recognisers import Failed, Skipped
from eval.run import Scored, Unscored, hear_all, report, select
from tests.eval.fake_recogniser import FakeRecogniser

CLIPS = [
    Clip("a", Path("a.wav"), "one fine day", set="x"),
    Clip("b", Path("b.wav"), "Hello there.", set="x"),
    Clip("c", Path("c.wav"), "", set="y"),
]


def run(texts: Mapping[str, str | Skipped | Failed]) -> list[Scored | Unscored]:
    return asyncio.run(hear_all(CLIPS, FakeRecogniser(texts), jobs=2, heard=lambda: None))


def result_of(texts: Mapping[str, str | Skipped | Failed]) -> dict[str, object]:
    return report(run(texts), FakeRecogniser.system, via="engine")


def test_rates_are_of_all_clips_and_of_each_set() -> None:
    result = result_of({"a": "one fine may", "b": "hello there", "c": "you"})
    assert {name: result[name] for name in ("wer", "words", "S", "D", "I")} == {"wer": 0.4, "words": 5, "S": 1, "D": 0, "I": 1}
    assert result["by_set"] == {
        "x": {"wer": 0.2, "ci95": [0.0, 0.33333], "words": 5, "S": 1, "D": 0, "I": 0, "clips": 2},
        "y": {"wer": None, "ci95": None, "words": 0, "S": 0, "D": 0, "I": 1, "clips": 1},
    }


def test_the_result_names_what_made_it_and_is_json() -> None:
    result = json.loads(json.dumps(result_of({"a": "", "b": "", "c": ""})))
    release = {"model": "fake", "weights_sha256": "0" * 64, "options": {"beam_size": "1"}}
    assert result["system"] == {"code": "1.0", "data_definition": "v1", "release": release}
    texts = [(one["id"], one["ref"], one["hyp"]) for one in result["hypotheses"]]
    assert texts == [("a", "one fine day", ""), ("b", "Hello there.", ""), ("c", "", "")]


def test_a_clip_that_failed_counts_as_not_heard_at_all() -> None:
    result = result_of({"a": Failed("broken"), "b": "hello there", "c": ""})
    assert (result["words"], result["D"]) == (5, 3)
    assert result["failed"] == [{"id": "a", "set": "x", "error": "broken"}]


def test_a_clip_that_was_skipped_counts_nowhere_and_is_named_with_its_reason() -> None:
    result = result_of({"a": Skipped("too long"), "b": "hello there", "c": ""})
    assert (result["words"], result["wer"]) == (2, 0.0)
    assert result["skipped"] == [{"id": "a", "set": "x", "reason": "too long"}]


def test_results_keep_the_order_of_the_manifest_and_each_is_told() -> None:
    told = []
    outcomes = asyncio.run(hear_all(CLIPS, FakeRecogniser({"a": "", "b": "", "c": ""}), jobs=3, heard=lambda: told.append(1)))
    assert [outcome.clip.id for outcome in outcomes] == ["a", "b", "c"]
    assert len(told) == 3


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
