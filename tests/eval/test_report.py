"""The JSON of a run: three kinds of figures that are never mixed, what made them, and the same bytes for the same outcomes."""

import json
from pathlib import Path
from typing import Any

import pytest

from asr_server.accuracy.manifest import Clip
from asr_server.errors import WrongCall
from audio_norm import Inspection, inspect_audio, load_definition
from eval.audio import read_frames
from eval.journal import Entry
from eval.recognisers import Heard, HeardSegment, System
from eval.report import FIELDS, report
from eval.result import read_run
from eval.run import Outcome, Unscored, score
from tests.eval.fake_recogniser import FakeRecogniser
from tests.recordings import recording

HELLO = recording("hello_world")
SYSTEM: System = FakeRecogniser.system
DATA = {"manifest": "/m.jsonl", "sha256": "0" * 64}


def audio() -> Inspection:
    return inspect_audio(*read_frames(Clip("hello", HELLO, "")), load_definition("v1"))


AUDIO = audio()


def heard(clip_id: str, said: str, text: str, *, clip_set: str = "x", language: str = "en", speaker: str | None = None) -> Outcome:
    clip = Clip(clip_id, HELLO, said, set=clip_set, language=language, speaker=speaker)
    segments = (HeardSegment(text, 0.0, 1.0, 0.75),) if text else ()
    return score(clip, Entry(Heard(segments, 1.0, -23.0), AUDIO))


def result_of(*outcomes: Outcome) -> dict[str, Any]:
    result = report(outcomes, SYSTEM, via={"via": "engine"}, data=DATA)
    parsed: dict[str, Any] = json.loads(json.dumps(result, allow_nan=False))
    return parsed


def test_rates_are_of_all_clips_of_each_set_and_of_each_language() -> None:
    result = result_of(
        heard("a", "one fine day", "one fine may"), heard("b", "Hello there.", "hello there"), heard("c", "ja", "nein", language="de")
    )
    assert {name: result[name] for name in ("wer", "words", "S", "D", "I", "clips")} == {
        "wer": 0.33333,
        "words": 6,
        "S": 2,
        "D": 0,
        "I": 0,
        "clips": 3,
    }
    assert result["by_set"]["x"]["words"] == 6
    assert {name: rate["words"] for name, rate in result["by_language"].items()} == {"de": 1, "en": 5}


def test_words_heard_where_nobody_speaks_are_counted_apart() -> None:
    result = result_of(heard("a", "one fine day", "one fine day"), heard("b", " ", "thank you", clip_set="y"), heard("c", "", ""))
    assert (result["wer"], result["I"], result["clips"]) == (0.0, 0, 1)
    minutes = result["silence"]["minutes"]
    assert minutes == pytest.approx(2 * AUDIO.duration_s / 60, abs=0.001)
    assert result["silence"] == {"words_per_minute": round(2 / minutes, 3), "words": 2, "minutes": minutes, "clips": 2, "with_words": 1}
    assert result["by_set"]["y"]["wer"] is None


def test_silence_that_failed_is_not_counted_as_silence_heard_rightly() -> None:
    failed = score(Clip("f", HELLO, "", set="x"), None, error="broken")
    result = result_of(heard("a", "", "you"), failed)
    assert {name: result["silence"][name] for name in ("words", "clips", "with_words")} == {"words": 1, "clips": 1, "with_words": 1}
    assert result_of(failed)["silence"]["words_per_minute"] is None
    assert [one["id"] for one in result["failed"]] == ["f"]


def test_what_it_has_at_its_top_is_told_beforehand() -> None:
    via = {"via": "server", "realtime": False, "budget_ms": 0, "preset": "", "jobs": 1}
    assert tuple(report([], SYSTEM, via=via, data=DATA)) == FIELDS


def test_speech_whose_reference_is_no_word_by_the_rules_still_counts_what_was_inserted() -> None:
    result = result_of(heard("a", "um", "hello"), heard("b", "red blue", "red blue"))
    assert (result["wer"], result["I"], result["silence"]) == (0.5, 1, None)


def test_languages_without_word_spaces_have_a_character_error_rate_of_their_own() -> None:
    result = result_of(heard("a", "red blue", "red"), heard("b", "你好世界", "你好世间", language="zh-CN"))
    assert (result["wer"], result["words"]) == (0.5, 2)
    assert (result["characters"]["cer"], result["characters"]["characters"], result["characters"]["S"]) == (0.25, 4, 1)


def test_the_interval_knows_whose_clips_they_are() -> None:
    """Ten clips of one speaker say less about other speakers than ten of ten; here one of two speakers has all the errors."""
    bad = [heard(f"a{n}", "red blue", "", speaker="x") for n in range(5)]
    good = [heard(f"b{n}", "red blue", "red blue", speaker="y") for n in range(5)]
    alone = [heard(f"{outcome.clip.id}", outcome.clip.text, "" if n < 5 else "red blue") for n, outcome in enumerate([*bad, *good])]
    by_speaker, by_clip = result_of(*bad, *good)["ci95"], result_of(*alone)["ci95"]
    assert by_speaker == [0.0, 1.0]
    assert 0.0 < by_clip[0] < 0.5 < by_clip[1] < 1.0


def test_a_clip_that_failed_counts_as_not_heard_at_all_and_one_that_was_skipped_nowhere() -> None:
    failed = score(Clip("a", HELLO, "one fine day", set="x"), None, error="broken")
    skipped = Unscored(Clip("s", HELLO, "uno", set="x"), "the model does not speak 'it'")
    result = result_of(failed, heard("b", "Hello there.", "hello there"), skipped)
    assert (result["words"], result["D"]) == (5, 3)
    assert result["failed"] == [{"id": "a", "set": "x", "error": "broken"}]
    assert result["skipped"] == [{"id": "s", "set": "x", "reason": "the model does not speak 'it'"}]


def test_the_same_outcomes_give_the_same_bytes() -> None:
    outcomes = [heard("a", "one fine day", "one fine may"), heard("b", "hello", "hello")]
    assert json.dumps(result_of(*outcomes)) == json.dumps(result_of(*outcomes))


def test_what_made_the_texts_and_from_which_data_is_named() -> None:
    result = result_of(heard("a", "one", "one"))
    release = {"model": "fake", "weights_sha256": "0" * 64, "options": {"beam_size": "1"}}
    assert result["system"] == {"code": "1.0", "data_definition": "v1", "release": release}
    assert result["data"] == {**DATA, "clips": 1, "minutes": round(AUDIO.duration_s / 60, 3)}
    assert result["via"] == "engine"


def test_it_is_read_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    said = heard("a", "One fine day.", "One fine may.", speaker="s")
    path.write_text(json.dumps(result_of(said, score(Clip("b", HELLO, "two"), None, "broken"))))
    run = read_run(path)
    assert list(run.clips) == ["a", "b"]
    clip = run.clips["a"]
    assert (clip.reference, clip.reference_words, clip.hypothesis_words, clip.speaker) == (
        "One fine day.",
        "one fine day",
        "one fine may",
        "s",
    )
    assert (clip.counts.substitutions, clip.heard.text, clip.heard.confidence, clip.heard.given_lufs) == (1, "One fine may.", 0.75, -23.0)
    assert clip.audio is not None
    assert clip.audio.duration_s == round(AUDIO.duration_s, 4)
    assert (run.clips["b"].audio, run.clips["b"].error) == (None, "broken")
    assert (run.system, run.manifest) == (SYSTEM, Path("/m.jsonl"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is not JSON"),
        ("[]", "is not a result of this version's"),
        ('{"hypotheses": [{"id": "a"}], "system": {}, "text_rules": ""}', "is not a result of this version's"),
        ('{"hypotheses": [], "system": [], "text_rules": "", "data": {}}', "is not a result of this version's"),
    ],
)
def test_a_file_that_is_no_result_is_a_wrong_call(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(content)
    with pytest.raises(WrongCall, match=message):
        read_run(tmp_path / "r.json")
    with pytest.raises(WrongCall, match=r"cannot read .*none.json"):
        read_run(tmp_path / "none.json")
