import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_server.engine.guard import (
    HeardWord,
    Repeat,
    is_suspicious,
    is_unread,
    may_stop_early,
    repeated_tail,
    said_again,
    starts_over,
    token_limit,
    words_not_new,
    words_spoken,
)

WORDS = st.lists(st.sampled_from(["one", "two", "three", "Four."]), max_size=14)


def heard(text: str, start_s: float, end_s: float) -> list[HeardWord]:
    """The words of `text`, one token each, evenly over the time."""
    words = text.split()
    each_s = (end_s - start_s) / len(words)
    return [HeardWord(word, 1, start_s + i * each_s, start_s + (i + 1) * each_s) for i, word in enumerate(words)]


@pytest.mark.parametrize(
    ("text", "repeat"),
    [
        ("", None),
        ("please call Stella", None),
        ("no no", Repeat(unit=1, times=2, rest=0)),
        ("bye bye bye", Repeat(unit=1, times=3, rest=0)),
        ("hold on hold on", Repeat(unit=2, times=2, rest=0)),
        ("hold on hold on hold on", Repeat(unit=2, times=3, rest=0)),
        ("hold on hold on hold on hold fast", None),
        ("lobsters and lobsters. Lobsters and lobsters", Repeat(unit=3, times=2, rest=0)),
        ("so I saw the sea. I saw the sea. I saw", Repeat(unit=4, times=2, rest=2)),
        ("7, 7, 7, 7,", Repeat(unit=1, times=4, rest=0)),
    ],
)
def test_the_tail_that_repeats_is_found_without_regard_to_case_and_punctuation(text: str, repeat: Repeat | None) -> None:
    assert repeated_tail(text.split()) == repeat


def test_short_units_may_be_asked_to_repeat_more_often() -> None:
    assert repeated_tail(["bye", "bye"], short_times=3) is None
    assert repeated_tail(["hold", "on", "hold", "on"], short_times=3) is None
    assert repeated_tail(["bye", "bye", "bye"], short_times=3) == Repeat(unit=1, times=3, rest=0)
    assert repeated_tail(["I", "saw", "it", "I", "saw", "it"], short_times=3) == Repeat(unit=3, times=2, rest=0)


def test_text_that_reaches_the_limit_is_suspicious() -> None:
    assert is_suspicious(["a", "b"], tokens=30, limit=30)
    assert not is_suspicious(["a", "b"], tokens=29, limit=30)


def test_the_limit_grows_with_the_audio_and_leaves_room_for_scripts_of_many_tokens() -> None:
    assert token_limit(0.3, "en") >= 10
    assert token_limit(5.0, "en") == 50
    assert token_limit(5.0, "hi") > 2 * token_limit(5.0, "en")


def test_a_sentence_said_twice_is_kept() -> None:
    words = heard("the background of the bondage", 0.0, 3.0) + heard("the background of the bondage", 3.4, 6.6)
    assert words_spoken(words, audio_s=7.0, broken_off=False) == len(words)


def test_repeats_squeezed_into_the_end_are_dropped() -> None:
    words = heard("the background of the bondage", 0.0, 3.0) + 2 * heard("the background of the bondage", 3.1, 3.4)
    assert words_spoken(words, audio_s=3.4, broken_off=False) == 5


def test_the_first_of_two_may_be_the_squeezed_one() -> None:
    words = heard("the background of the bondage", 0.0, 0.2) + heard("the background of the bondage", 0.2, 3.4)
    assert words_spoken(words, audio_s=3.4, broken_off=False) == 5


def test_two_words_said_twice_are_kept_and_written_twice_are_not() -> None:
    spoken = heard("Hold on.", 0.1, 0.7) + heard("Hold on.", 0.9, 1.4)
    assert words_spoken(spoken, audio_s=1.5, broken_off=False) == 4
    written = heard("Agent login", 0.0, 0.9) + heard("Agent login", 0.9, 1.12)
    assert words_spoken(written, audio_s=1.18, broken_off=False) == 2


@pytest.mark.parametrize(
    ("starts_s", "end_s"), [((0.2, 1.3), 1.6), ((0.0, 0.9, 1.2), 1.5), ((0.1, 0.4, 1.4), 1.7)], ids=["two", "a pause first", "a pause last"]
)
def test_a_pause_after_a_word_is_no_reason_to_take_the_others_for_hurried(starts_s: tuple[float, ...], end_s: float) -> None:
    """A word lasts until the next begins."""
    words = [HeardWord("five", 1, one, other) for one, other in zip(starts_s, (*starts_s[1:], end_s), strict=True)]
    assert words_spoken(words, audio_s=end_s, broken_off=False) == len(words)


@pytest.mark.parametrize(("audio_s", "kept"), [(0.9, 2), (0.54, 1)])
def test_a_lone_word_is_said_twice_where_there_is_the_time(audio_s: float, kept: int) -> None:
    words = heard("No, no.", 0.05, audio_s)
    assert words_spoken(words, audio_s=audio_s, broken_off=False) == kept


def test_words_behind_the_audio_are_dropped() -> None:
    words = heard("please call Stella", 0.2, 1.8) + heard("thank you", 2.1, 2.6)
    assert words_spoken(words, audio_s=2.0, broken_off=False) == 3


def test_of_a_text_that_was_broken_off_the_last_part_goes_with_the_repeats() -> None:
    sentence = "we saw the sea from here"
    words = heard(sentence, 0.0, 2.0) + heard(sentence, 2.0, 2.1) + heard("we saw", 2.1, 2.2)
    assert words_spoken(words, audio_s=2.2, broken_off=True) == 6


def test_repeats_from_the_middle_of_a_sentence_leave_the_whole_sentence() -> None:
    words = heard("a level spit a background of fir timber", 0.0, 4.0) + heard("a background of fir timber", 4.0, 4.2)
    assert words_spoken(words, audio_s=4.2, broken_off=False) == 8


def test_repeats_that_start_in_the_audio_and_end_behind_it_leave_one() -> None:
    words = heard("lobsters and lobsters", 0.0, 1.8) + heard("lobsters and lobsters", 1.8, 2.8) + heard("lobsters and lobsters", 2.8, 3.2)
    words[3:] = [HeardWord(word.text, 4, word.start_s, word.end_s) for word in words[3:]]
    assert words_spoken(words, audio_s=2.2, broken_off=False) == 3


def test_one_digit_heard_seven_times_in_half_a_second_is_one() -> None:
    assert words_spoken(heard("7, 7, 7, 7, 7, 7, 7,", 0.0, 0.4), audio_s=0.4, broken_off=False) == 1


@pytest.mark.parametrize(("audio_s", "kept"), [(1.0, 1), (1.6, 2), (2.0, 3)])
def test_a_lone_word_said_over_and_over_is_kept_as_often_as_there_is_time_for(audio_s: float, kept: int) -> None:
    words = heard("five five five", 0.0, audio_s) + heard("five five five five", audio_s, audio_s + 0.1)
    assert words_spoken(words, audio_s, broken_off=False) == kept


@given(WORDS, st.floats(0.1, 20.0), st.floats(0.1, 20.0), st.booleans())
def test_the_guard_ends_and_keeps_a_beginning(texts: list[str], spread_s: float, audio_s: float, broken_off: bool) -> None:
    words = heard(" ".join(texts), 0.0, spread_s) if texts else []
    kept = words_spoken(words, audio_s, broken_off=broken_off)
    assert 0 <= kept <= len(words)
    assert kept > 0 or not words


@given(WORDS)
def test_what_takes_its_time_is_never_cut(texts: list[str]) -> None:
    words = heard(" ".join(texts), 0.0, len(texts) * 0.4) if texts else []
    assert words_spoken(words, len(texts) * 0.4, broken_off=False) == len(words)


@given(WORDS)
def test_a_repeated_tail_covers_no_more_than_the_text(texts: list[str]) -> None:
    repeat = repeated_tail(texts)
    assert repeat is None or repeat.unit * repeat.times + repeat.rest <= len(texts)


def test_little_text_for_the_time_is_worth_a_look() -> None:
    assert may_stop_early(["said."], tokens=8, audio_s=6.0)
    assert not may_stop_early(["said."], tokens=20, audio_s=6.0)
    assert not may_stop_early(["said."], tokens=1, audio_s=0.9)
    assert may_stop_early(["said"], tokens=20, audio_s=6.0), "it does not end as a sentence does"


def test_speech_after_the_last_word_is_unread_and_silence_is_not() -> None:
    words, open_words = heard("please call Stella.", 0.0, 2.0), heard("please call", 0.0, 2.0)
    speech = np.random.default_rng(0).normal(0, 0.1, 16_000 * 4).astype(np.float32)
    assert is_unread(words, speech, 16_000)
    assert not is_unread(words, speech[: int(2.9 * 16_000)], 16_000)
    assert is_unread(open_words, speech[: int(2.5 * 16_000)], 16_000)
    assert not is_unread(open_words, speech[: int(2.3 * 16_000)], 16_000)
    speech[2 * 16_000 :] *= 0.05
    assert not is_unread(words, speech, 16_000)


@pytest.mark.parametrize(
    ("said", "new", "again"),
    [
        ("we saw the old man", "The old man. Went home", 3),
        ("we saw the old man", "we saw the old man and", 5),
        ("we saw the old man", "the man", 0),
        ("I went to the", "the store", 1),
        ("no no", "no no no", 2),
        ("", "the store", 0),
        ("the store", "", 0),
    ],
)
def test_how_many_words_are_said_again(said: str, new: str, again: int) -> None:
    assert said_again(said.split(), new.split()) == again


def test_words_said_again_before_the_new_audio_are_not_new_and_those_in_it_are() -> None:
    said = heard("we saw the old man", 0.0, 2.0)
    assert words_not_new(said, heard("the old man", 1.4, 2.2) + heard("went", 2.2, 2.6), new_s=2.1) == 3
    assert words_not_new(said, heard("the old man", 2.1, 2.8) + heard("went", 2.8, 3.0), new_s=2.1) == 0


def test_words_said_again_that_are_squeezed_into_the_new_audio_are_not_new() -> None:
    said = heard("we saw the old man", 0.0, 2.0)
    assert words_not_new(said, heard("the old man", 2.1, 2.2) + heard("went", 2.2, 2.6), new_s=2.1) == 3


def test_other_words_before_the_new_audio_were_passed_over_and_are_new() -> None:
    assert words_not_new(heard("we saw the old", 0.0, 1.5), heard("man went", 1.5, 2.0), new_s=2.1) == 0


@pytest.mark.parametrize(
    ("said", "new"),
    [
        ("tried it.", "I have tried it and liked it"),
        ("the old man went to the sea", "The old man went to the sea, and"),
        ("the old man went to the sea", "So the old man went to a sea"),
        ("went to the sea.", "Sea, he said."),
    ],
)
def test_text_that_tells_what_was_told_once_more_starts_over(said: str, new: str) -> None:
    assert starts_over(said.split(), new.split())


@pytest.mark.parametrize(
    ("said", "new"),
    [
        ("It was there that the treaty was signed.", "It was here that the war began, though"),
        ("it", "I have it now"),
        ("the old man", "went to the sea"),
        ("the old man", "went out to the sea with the old man"),
        ("", "the old man"),
        ("the old man", ""),
    ],
)
def test_text_that_only_begins_alike_goes_on(said: str, new: str) -> None:
    assert not starts_over(said.split(), new.split())
