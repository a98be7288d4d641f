import re

from hypothesis import given, settings
from hypothesis import strategies as st

from asr_server.session.stability import HOLD_BACK, StablePrefix, align_prefix, units
from asr_server.transcript import Word

WORDS = st.lists(st.sampled_from(["a", "b", "c", "d", "the", "The", "the,"]), max_size=12).map(" ".join)


def test_units_joined_are_the_text() -> None:
    assert units("Hello there,  friend.", "en") == ["Hello", " there,", "  friend."]
    assert units("復興努力", "ja") == ["復", "興", "努", "力"]


def test_a_word_is_stable_when_two_readings_agree_on_it_and_two_after_it() -> None:
    prefix = StablePrefix(hold_back=2)
    assert prefix.show("one two three four", "en") == ("", "one two three four")
    assert prefix.show("one two three for", "en") == ("one", " two three for")
    assert prefix.show("one two three four five", "en") == ("one", " two three four five")
    assert prefix.show("one two three four five", "en") == ("one two three", " four five")


def test_as_many_are_held_back_as_it_is_told() -> None:
    prefix = StablePrefix()
    text = " ".join("word" for _ in range(HOLD_BACK + 1))
    assert prefix.show(text, "en")[0] == prefix.show(text.removesuffix(" word"), "en")[0] == ""
    prefix.show(text, "en")
    assert prefix.show(text, "en")[0] == "word"


def test_a_later_reading_without_the_stable_words_goes_on_after_them() -> None:
    prefix = StablePrefix(hold_back=2)
    prefix.show("one two three four", "en")
    prefix.show("one two three four", "en")
    assert prefix.show("won two three four five", "en") == ("one two", " three four five")


def test_a_final_that_agrees_is_left_as_it_is() -> None:
    prefix = StablePrefix(hold_back=2)
    prefix.show("one two three", "en")
    prefix.show("one two three", "en")
    words = (Word("one", 0, 10, 0.9), Word("two.", 10, 20, 0.9))
    kept = prefix.keep("one two.", words, "en")
    assert (kept.text, kept.words, kept.overruled) == ("one two.", words, False)


def test_other_punctuation_in_the_final_is_no_other_word() -> None:
    prefix = StablePrefix(hold_back=2)
    prefix.show("well then go", "en")
    prefix.show("well then go", "en")
    kept = prefix.keep("Well, then go.", (), "en")
    assert (kept.text, kept.overruled) == ("well then go.", False)


def test_words_keep_their_times_under_the_stable_text() -> None:
    prefix = StablePrefix(hold_back=2)
    prefix.show("one two three four", "en")
    prefix.show("one two three four", "en")
    words = tuple(Word(text, at, at + 10, 0.5) for text, at in (("won", 0), ("two", 10), ("three", 20)))
    kept = prefix.keep("won two three", words, "en")
    assert kept.text == "one two three"
    assert [(word.text, word.start_sample) for word in kept.words] == [("one", 0), ("two", 10), ("three", 20)]
    assert kept.overruled


def test_a_stable_word_missing_in_the_final_stays_between_its_neighbours() -> None:
    prefix = StablePrefix(hold_back=2)
    for _ in range(2):
        prefix.show("one two three four five", "en")
    words = tuple(Word(text, at, at + 10, 0.5) for text, at in (("one", 0), ("three", 20), ("four", 30)))
    kept = prefix.keep("one three four", words, "en")
    assert kept.text == "one two three four"
    assert [(word.text, word.start_sample, word.end_sample) for word in kept.words][1] == ("two", 10, 10)


def test_stable_text_survives_an_empty_final() -> None:
    prefix = StablePrefix(hold_back=2)
    for _ in range(2):
        prefix.show("one two three", "en")
    assert prefix.keep("", (), "en").text == "one"


def test_prefix_alignment_places_equal_words() -> None:
    assert align_prefix([" a", " b", " c"], ["a", " x", " b", " c", " d"]) == [0, 2, 3]
    assert align_prefix(["a"], []) == [None]


UNITS = st.lists(st.sampled_from(["a", "b", "c", " A", "b,", "...", "d", "e"]), max_size=14)


@settings(max_examples=500)
@given(beginning=UNITS, stable=UNITS, heard=UNITS)
def test_the_alignment_is_that_of_the_plain_quadratic_table(beginning: list[str], stable: list[str], heard: list[str]) -> None:
    """Also which of several equally good alignments it is."""
    for common in ([], beginning):
        assert align_prefix([*common, *stable], [*common, *heard]) == _plain_alignment([*common, *stable], [*common, *heard])


def _plain_alignment(stable: list[str], heard: list[str]) -> list[int | None]:
    keys = [[re.sub(r"[^\w']+", "", unit).casefold() for unit in units_] for units_ in (stable, heard)]
    rows, columns = len(stable), len(heard)
    cost = [[i + j for j in range(columns + 1)] for i in range(rows + 1)]
    for i in range(1, rows + 1):
        for j in range(1, columns + 1):
            differs = keys[0][i - 1] != keys[1][j - 1]
            cost[i][j] = min(cost[i - 1][j - 1] + differs, cost[i - 1][j] + 1, cost[i][j - 1] + 1)
    j = min(range(columns + 1), key=lambda end: (cost[rows][end], abs(end - rows)))
    places: list[int | None] = [None] * rows
    i = rows
    while i > 0:
        if j > 0 and cost[i][j] == cost[i - 1][j - 1] + (keys[0][i - 1] != keys[1][j - 1]):
            i, j = i - 1, j - 1
            places[i] = j
        elif cost[i][j] == cost[i - 1][j] + 1:
            i -= 1
        else:
            j -= 1
    return places


@given(readings=st.lists(WORDS, max_size=8), final=WORDS)
def test_stable_text_only_grows_and_begins_every_later_text(readings: list[str], final: str) -> None:
    prefix, stable_before = StablePrefix(hold_back=2), ""
    for reading in readings:
        stable, unstable = prefix.show(reading, "en")
        assert stable.startswith(stable_before)
        assert (stable + unstable).startswith(stable)
        stable_before = stable
    assert prefix.keep(final, (), "en").text.startswith(stable_before)


@given(reading=WORDS)
def test_a_reading_is_shown_whole_while_nothing_is_stable(reading: str) -> None:
    prefix = StablePrefix(hold_back=2)
    assert "".join(prefix.show(reading, "en")) == reading
