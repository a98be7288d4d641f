from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_server.accuracy.manifest import Clip
from eval.labels.words import Writing, writings


def of(*texts: str, language: str = "en") -> list[Writing]:
    return writings([Clip(str(number), Path("a.wav"), text, language=language) for number, text in enumerate(texts)])


@pytest.mark.parametrize(
    ("texts", "kind", "ways", "scored_alike"),
    [
        (("the colour", "A COLOR", "colour"), "spelling", {"colour": ("0", "2"), "color": ("1",)}, True),
        (("a mail box", "the mailbox"), "compound", {"mail box": ("0",), "mailbox": ("1",)}, False),
        (("well-known", "well known", "Well known"), "compound", {"well known": ("1", "2"), "well-known": ("0",)}, True),
        (("O.K. then", "okay", "ok ok"), "same word", {"o.k.": ("0",), "ok": ("2",), "okay": ("1",)}, False),
        (("good-bye", "goodbye"), "same word", {"good-bye": ("0",), "goodbye": ("1",)}, False),
    ],
)
def test_a_word_in_several_ways_is_found(texts: tuple[str, ...], kind: str, ways: dict[str, tuple[str, ...]], scored_alike: bool) -> None:
    (found,) = of(*texts)
    assert (found.kind, found.clips, found.scored_alike) == (kind, ways, scored_alike)


def test_the_rarer_ways_are_the_minority() -> None:
    (found,) = of("colour", "color", "colour")
    assert found.minority == ("1",)


@pytest.mark.parametrize(
    "texts",
    [
        ("colour", "the colour"),
        ("go in to it", "into it"),
        ("it may be", "maybe"),
        ("mail. Box", "mailbox"),
        ("a bout", "about"),
        ("", "..."),
    ],
)
def test_what_proves_nothing_is_not_told(texts: tuple[str, ...]) -> None:
    assert of(*texts) == []


def test_words_of_other_languages_are_not_held_against_english_rules() -> None:
    assert of("colour", "color", language="fr") == []


@given(st.lists(st.text(alphabet="ab -.'\u2019\u0130", max_size=12), max_size=6))
def test_every_way_that_is_told_is_in_some_text(texts: list[str]) -> None:
    for word in of(*texts):
        assert len(word.clips) > 1
        assert all(ids for ids in word.clips.values())
