from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from asr_server.accuracy.manifest import Clip
from asr_server.accuracy.normalize import TEXT_RULES, normalize
from asr_server.accuracy.wer import count_errors
from asr_server.engine.engine import Release
from asr_server.errors import WrongCall
from eval.labels.suspects import Suspect, check_same_rules, hesitations_left_out, suspects
from eval.recognisers import Heard, HeardSegment, System
from eval.result import ClipResult, RunResult

RIGHT = "the quick brown fox jumps over the lazy dog again"


def clip(name: str, text: str = RIGHT, language: str = "en") -> Clip:
    return Clip(name, Path("a.wav"), text, language=language)


def run_of(clips: list[Clip], heard: Mapping[str, tuple[str, float]]) -> RunResult:
    """What was heard in each clip, and how sure the recogniser was; not in `heard`: all of it, at 0.9."""
    results = {}
    for one in clips:
        text, confidence = heard.get(one.id, (one.text, 0.9))
        reference, hypothesis = normalize(one.text), normalize(text)
        results[one.id] = ClipResult(
            id=one.id,
            set=one.set,
            language=one.language,
            speaker=None,
            conditions=(),
            reference=one.text,
            reference_words=reference,
            hypothesis_words=hypothesis,
            counts=count_errors(reference, hypothesis),
            heard=Heard((HeardSegment(text, 0.0, 1.0, confidence),)),
            audio=None,
            error="",
        )
    system = System("1.0", "v1", Release("fake", "0" * 64, {}))
    return RunResult(Path("run.json"), results, TEXT_RULES, system, Path("m.jsonl"), {})


def found(heard: Mapping[str, tuple[str, float]], text: str = RIGHT) -> list[Suspect]:
    clips = [clip(f"good{number}") for number in range(8)] + [clip(name, text) for name in heard]
    return suspects(clips, run_of(clips, heard))[1]


def test_a_sure_recogniser_that_hears_other_words_makes_a_text_suspect() -> None:
    (one,) = found({"bad": ("the quick brown cow jumps under the lazy dog again", 0.95)})
    assert (one.clip.id, one.why, one.confidence, one.error_rate) == ("bad", "other words", 0.95, 0.2)
    assert [(pair.reference, pair.hypothesis) for pair in one.differ] == [("fox", "cow"), ("over", "under")]


def test_a_recogniser_that_is_not_sure_proves_nothing() -> None:
    assert found({"bad": ("the quick brown cow jumps under the lazy dog again", 0.5)}) == []


def test_words_that_differ_by_spaces_only_are_told_as_such() -> None:
    (one,) = found({"bad": ("the mailbox is full of old letters", 0.95)}, "the mail box is full of old letters")
    assert one.why == "only spaces differ"


@pytest.mark.parametrize(
    ("heard", "why"),
    [
        ("brown fox jumps over the lazy dog again", "text begins earlier"),
        ("the quick brown fox jumps over the lazy", "text ends later"),
        (f"chapter two {RIGHT}", "audio begins earlier"),
        (f"{RIGHT} and again", "audio ends later"),
    ],
)
def test_a_text_of_another_extent_than_the_audio_is_suspect(heard: str, why: str) -> None:
    assert [one.why for one in found({"bad": (heard, 0.9)})] == [why]


def test_one_word_at_an_end_or_nothing_heard_rightly_is_no_extent() -> None:
    assert found({"bad": ("quick brown fox jumps over the lazy dog again", 0.85)}) == []
    assert [one.why for one in found({"bad": ("pack my box with five dozen liquor jugs", 0.95)})] == ["other words"]


def test_the_most_suspicious_comes_first() -> None:
    heard = {
        "some": ("the quick brown cow jumps under the lazy dog again", 0.95),
        "more": ("a thick brown cow jumps under a lazy dog", 0.95),
    }
    assert [one.clip.id for one in found(heard)] == ["more", "some"]


def test_bounds_are_read_from_the_run() -> None:
    clips = [clip(str(number)) for number in range(5)]
    heard = {str(number): (RIGHT, 0.5 + number / 10) for number in range(5)}
    bounds, _ = suspects(clips, run_of(clips, heard))
    assert bounds is not None
    assert (bounds.confidence, bounds.confidence_of_ends, bounds.error_rate) == (0.7, 0.6, 0.1)


def test_the_text_is_the_manifests_whatever_it_was_when_the_run_was_made() -> None:
    clips = [clip(str(number)) for number in range(8)]
    repaired = [replace(clips[0], text="something else altogether was written here"), *clips[1:]]
    assert [one.clip.id for one in suspects(repaired, run_of(clips, {}))[1]] == ["0"]


def test_clips_without_words_or_that_were_not_heard_are_left_out() -> None:
    clips = [clip("silent", ""), clip("unheard")]
    assert suspects(clips, run_of(clips, {"silent": ("hello", 0.9), "unheard": ("", 0.0)})) == (None, [])


def test_a_run_of_other_clips_or_other_rules_is_a_wrong_call() -> None:
    with pytest.raises(WrongCall, match=r"run.json has no clip of this manifest; it is of m.jsonl"):
        suspects([clip("a")], run_of([clip("b")], {}))
    with pytest.raises(WrongCall, match="text rules 'old'"):
        check_same_rules(replace(run_of([clip("a")], {}), text_rules="old"))


def test_hesitations_heard_and_not_written_are_told() -> None:
    clips = [clip("left out", "well yes"), clip("written", "well uh yes"), clip("none", "well yes"), clip("german", "ja er", "de")]
    run = run_of(clips, {"left out": ("Well, um, yes", 0.9), "written": ("well um yes", 0.9), "german": ("ja er um", 0.9)})
    assert [(one.clips, one.detail) for one in hesitations_left_out(clips, run)] == [(("left out",), "heard: um; text: well yes")]
