"""What happened to the words of made-up runs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_server.accuracy.alignment import align
from eval.result import ClipResult
from eval.slices.kinds import long_words, names, numbers, word_kinds
from eval.slices.words import Confusion, Loop, Lost, MadeUp, SegmentEnds, analyse_words, loops, segment_ends
from tests.eval.made_results import clip, run

WORDS = st.lists(st.sampled_from("ab"), max_size=14).map(" ".join)


def test_words_are_counted_by_what_became_of_them() -> None:
    words = analyse_words(
        run([clip("a", "red green blue", "red grin blue"), clip("b", "green blue", "grin blue red"), clip("c", "a blue", "a")])
    )
    assert words.substitutions == (Confusion("green", "grin", 2),)
    assert words.deletions == (Lost("blue", 1, 3),)
    assert words.insertions == (MadeUp("red", 1),)


def test_the_most_frequent_come_first_and_equals_by_the_alphabet() -> None:
    words = analyse_words(run([clip("a", "x", "x b a c c")]))
    assert [(one.word, one.count) for one in words.insertions] == [("c", 2), ("a", 1), ("b", 1)]


@given(st.lists(st.tuples(WORDS.filter(bool), WORDS), min_size=1, max_size=6))
def test_lists_add_up_to_the_counts_of_the_run(texts: list[tuple[str, str]]) -> None:
    clips = [clip(str(index), said, heard) for index, (said, heard) in enumerate(texts)]
    words = analyse_words(run(clips))
    assert sum(one.count for one in words.substitutions) == sum(one.counts.substitutions for one in clips)
    assert sum(one.count for one in words.deletions) == sum(one.counts.deletions for one in clips)
    assert sum(one.count for one in words.insertions) == sum(one.counts.insertions for one in clips)


def ends(*clips: ClipResult) -> SegmentEnds:
    return segment_ends([(one, align(one.reference_words, one.hypothesis_words)) for one in clips])


def test_words_lost_at_the_end_of_a_segment_are_told_from_words_lost_inside() -> None:
    found = ends(clip("a", "red green blue white black", "Red green.", "White."), clip("b", "red green blue", "red blue"))
    assert found == SegmentEnds(segments=3, at_ends=2, elsewhere=1, words=8, clips_left_out=0)


def test_a_word_lost_at_the_beginning_is_not_at_an_end() -> None:
    assert ends(clip("a", "red green", "green")).elsewhere == 1


def test_segments_without_words_have_no_end_and_clips_without_any_are_left_out() -> None:
    assert ends(clip("a", "red green", "red", "...")) == SegmentEnds(1, 1, 0, 2, 0)
    assert ends(clip("a", "red green")) == SegmentEnds(0, 0, 0, 0, 1)


def test_a_number_across_a_border_leaves_its_clip_out() -> None:
    assert ends(clip("a", "it is twenty five", "It is twenty", "five.")).clips_left_out == 1


@pytest.mark.parametrize(
    ("said", "heard", "found"),
    [
        ("a b", "a b a b a b", {"a b": 3}),
        ("a b", "a b a b", {}),
        ("thank you", "thank you you you you", {"you": 4}),
        ("no no no", "no no no", {}),
        ("no no no", "no no no no no no", {}),
        ("a", "x y z x y z x y z a w w w", {"x y z": 3, "w": 3}),
        ("", "you you you", {"you": 3}),
        ("a b", "", {}),
    ],
)
def test_a_loop_is_three_times_the_same_in_a_row_unless_it_was_said(said: str, heard: str, found: dict[str, int]) -> None:
    assert loops(said, heard) == found


@given(WORDS)
def test_what_was_said_is_no_loop(said: str) -> None:
    assert not loops(said, said)


@given(WORDS, WORDS)
def test_a_loop_stands_in_the_text_as_often_as_it_says(said: str, heard: str) -> None:
    for phrase, times in loops(said, heard).items():
        assert times >= 3
        assert f" {' '.join([phrase] * times)} " in f" {heard} "


@given(st.sampled_from(["x", "x y", "x y z"]), st.integers(3, 9), WORDS, WORDS)
def test_a_loop_is_found_wherever_it_stands(phrase: str, times: int, before: str, after: str) -> None:
    heard = f"{before} {' '.join([phrase] * times)} {after}"
    assert phrase in loops("", heard)


def test_loops_name_their_clip() -> None:
    assert analyse_words(run([clip("a", "red", "red red red")])).loops == (Loop("a", "red", 3),)


def test_words_in_silence_are_counted_apart() -> None:
    words = analyse_words(run([clip("a", "red", "red"), clip("fan", "", "Thank you."), clip("car", "", "you"), clip("sea", "")]))
    assert words.insertions == ()
    assert (words.silence.clips, words.silence.with_words) == (3, 2)
    assert words.silence.words == (MadeUp("you", 2), MadeUp("thank", 1))


def test_numbers_are_words_with_digits_after_normalisation() -> None:
    assert numbers(clip("a", "The twenty fifth of May, nine dollars")) == {"25th", "$9"}


def test_long_words_are_of_letters() -> None:
    assert long_words(clip("a", "extraordinary 10000000000 word")) == {"extraordinary"}


@pytest.mark.parametrize(
    ("said", "language", "found"),
    [
        ("Then I met Anna in New York.", "en", {"anna", "new", "york"}),
        ("He spoke. Then they left.", "en", set()),
        ("I think I'm late, said I.", "en", set()),
        ("It is Mr. Quilter's manner.", "en", {"mister", "quilter"}),
        ('She said "Anna" again.', "en", {"anna"}),
        ("ALL IN CAPITALS", "en", None),
        ("all small", "en", None),
        ("A Headline In Capitals", "en", None),
        ("Der Hund und die Katze schlafen.", "de-AT", None),
        ("Ensuite il parle avec Marie.", "fr", {"marie"}),
    ],
)
def test_names_are_told_by_a_capital_inside_a_sentence(said: str, language: str, found: set[str] | None) -> None:
    assert names(clip("a", said, language=language)) == found


def test_a_kind_is_held_against_all_other_words_of_the_clips_that_tell_it() -> None:
    clips = [
        clip("a", "it is 5 or 7", "it is five hundred or 7"),
        clip("b", "we met Anna here", "we met Hannah"),
        clip("c", "WE MET ANNA HERE", "we met her"),
    ]
    kinds = {one.kind: one for one in word_kinds([(one, align(one.reference_words, one.hypothesis_words)) for one in clips])}
    numbers_said, names_said = kinds["numbers"], kinds["names"]
    assert (numbers_said.clips, numbers_said.words, numbers_said.wrong) == (3, 2, 1)
    assert (names_said.clips, names_said.words, names_said.wrong, names_said.rest_rate) == (1, 1, 1, 1 / 3)
    assert names_said.excess_errors == pytest.approx(2 / 3)
    assert not names_said.clear


def test_a_kind_that_is_always_wrong_is_clear_once_there_are_enough_words() -> None:
    clips = [clip(str(n), "one hundred is a number", "uh is a number") for n in range(25)]
    few, many = (next(kind for kind in analyse_words(run(some)).kinds if kind.kind == "numbers") for some in (clips[:5], clips))
    assert (few.words, few.wrong, few.clear) == (5, 5, False)
    assert (many.words, many.wrong, many.clear) == (25, 25, True)
