from pathlib import Path

import pytest

from asr_server.accuracy.manifest import Clip
from eval.labels.conventions import Usage, same_text_written_differently, style_guide, usages


def clip(name: str, text: str, of: str = "all", language: str = "en") -> Clip:
    return Clip(name, Path(f"{name}.wav"), text, of, language)


def usage_of(name: str, *clips: Clip) -> Usage:
    return next(usage for usage in usages(clips) if usage.convention.name == name)


def test_ways_are_counted_and_the_rarer_are_listed() -> None:
    casing = usage_of("casing", clip("a", "Hello there"), clip("b", "HELLO THERE"), clip("c", "Well then"), clip("d", "I"))
    assert {way: len(ids) for way, ids in casing.clips.items()} == {"Mixed Case": 2, "UPPER CASE": 1}
    assert (casing.minority, casing.conflicting, casing.scored_alike) == (("b",), True, True)


def test_a_clip_that_mixes_ways_is_among_the_rarer() -> None:
    numbers = usage_of("numbers", clip("a", "two of five"), clip("b", "two of 5"))
    assert dict(numbers.clips) == {"words": ("a", "b"), "digits": ("b",)}
    assert numbers.minority == ("b",)


def test_sets_that_each_keep_to_one_way_but_not_to_the_same_are_told() -> None:
    casing = usage_of("casing", clip("a", "HELLO", "x"), clip("b", "Hello", "y"), clip("c", "WELL", "x"))
    assert (casing.sets_differ, casing.mixed_sets) == (True, ())
    assert casing.by_set == {"x": {"UPPER CASE": 2}, "y": {"Mixed Case": 1}}


def test_a_set_that_does_not_keep_to_one_way_is_told() -> None:
    casing = usage_of("casing", clip("a", "HELLO", "x"), clip("b", "Hello", "x"), clip("c", "WELL", "x"))
    assert (casing.sets_differ, casing.mixed_sets) == (False, ("x",))


def test_rules_of_english_are_not_held_against_other_languages() -> None:
    assert "numbers" not in {usage.convention.name for usage in usages([clip("a", "vier oder 5", language="de")])}


def test_the_style_guide_follows_the_majority_and_says_why_and_what_it_costs() -> None:
    clips = [clip("a", "hello there", "x"), clip("b", "well then", "x"), clip("c", "Hello", "y")]
    guide = {line.convention: line for line in style_guide(usages(clips))}
    casing = guide["casing"]
    assert (casing.rule, casing.follow, casing.change) == ("Write everything in lower case.", 2, 1)
    assert casing.because == "2 of 3 clips do; nobody has to decide what a name is; 1 of 2 sets mostly do not: y"
    assert [line.change for line in guide.values()] == sorted((line.change for line in guide.values()), reverse=True)


@pytest.mark.parametrize(("texts", "proposed"), [(["uh yes"] * 2, False), (["uh yes"] * 3, True), (["uh yes", "er no", "eh, er"], True)])
def test_no_rule_is_made_of_fewer_than_three_clips(texts: list[str], proposed: bool) -> None:
    guide = style_guide(usages([clip(str(number), text) for number, text in enumerate(texts)]))
    assert ("hesitation, open" in {line.convention for line in guide}) is proposed


def test_of_equal_ways_the_one_the_table_names_first_is_proposed() -> None:
    assert usage_of("numbers", clip("a", "5"), clip("b", "five")).majority.name == "words"


def test_no_way_to_annotate_is_proposed() -> None:
    found = usages([clip(name, "[laughs] yes") for name in "abc"])
    assert "annotations" in {usage.convention.name for usage in found}
    assert "annotations" not in {line.convention for line in style_guide(found)}


def test_one_text_in_two_writings_is_found_and_what_differs_is_told() -> None:
    clips = [
        clip("a", "It's okay, Mr. Hill."),
        clip("b", "IT IS OKAY MISTER HILL"),
        clip("c", "Please call."),
        clip("d", "please call"),
        clip("e", "please call", language="de"),
        clip("f", ""),
        clip("g", ""),
    ]
    words, marks = same_text_written_differently(clips)
    assert (words.clips, words.words_differ) == (("a", "b"), True)
    assert (marks.clips, marks.texts, marks.words_differ) == (("c", "d"), ("Please call.", "please call"), False)
