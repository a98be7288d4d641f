from hypothesis import given
from hypothesis import strategies as st

from asr_server.accuracy.alignment import align
from eval.page.clips import CONTEXT_WORDS, WHOLE_WORDS, Token, show, tokens_of, worst_of
from tests.eval.made_results import clip, run

WORDS = st.lists(st.sampled_from("abc"), max_size=120).map(" ".join)


@given(said=WORDS, heard=WORDS)
def test_a_short_alignment_is_shown_whole(said: str, heard: str) -> None:
    tokens = tokens_of(align(said, heard), whole_words=1_000)
    assert " ".join(token.said for token in tokens if token.said) == said
    assert " ".join(token.heard for token in tokens if token.heard) == heard


@given(said=WORDS, heard=WORDS, context=st.integers(0, 8))
def test_of_a_long_one_no_error_and_no_word_is_lost_count_of(said: str, heard: str, context: int) -> None:
    pairs = align(said, heard)
    tokens = tokens_of(pairs, whole_words=0, context_words=context)
    assert [(one.kind, one.said, one.heard) for one in tokens if one.kind not in {"equal", "gap"}] == [
        (one.kind, one.reference, one.hypothesis) for one in pairs if one.kind != "equal"
    ]
    assert sum(one.words for one in tokens) == len(pairs)


def test_right_words_around_an_error_stay_and_the_others_are_told_by_their_number() -> None:
    said = " ".join(f"w{index}" for index in range(WHOLE_WORDS + 1))
    tokens = tokens_of(align(said, said.replace("w40", "x")))
    assert [one.kind for one in tokens] == ["gap", *["equal"] * CONTEXT_WORDS, "substitute", *["equal"] * CONTEXT_WORDS, "gap"]
    assert [one.words for one in tokens if one.kind == "gap"] == [34, 34]
    assert tokens[1] == Token("equal", "w34", "w34")


def test_a_gap_no_longer_than_the_context_is_written_out() -> None:
    said = " ".join(f"w{index}" for index in range(7))
    assert len(tokens_of(align(said, said.replace("w0", "x").replace("w6", "y")), whole_words=0, context_words=2)) == 7
    assert len(tokens_of(align(said, said.replace("w0", "x")), whole_words=0, context_words=3)) == 7
    assert len(tokens_of(align(said, said.replace("w0", "x")), whole_words=0, context_words=2)) == 4


CLIPS = [
    clip("b", "red green blue grey", "red"),
    clip("a", "red green blue grey", "red"),
    clip("short", "red green blue", ""),
    clip("right", "red", "red"),
    clip("silence", "", "red green blue grey"),
]


def test_most_errors_come_first_then_the_higher_rate_then_the_id() -> None:
    assert [one.id for one in worst_of(run(CLIPS), 10)] == ["silence", "short", "a", "b"]
    assert [one.id for one in worst_of(run(CLIPS), 1)] == ["silence"]


def test_a_shown_clip_knows_its_kinds_of_errors_and_its_unit() -> None:
    found = [
        clip("all", "red green blue", "bed green blue skies"),
        clip("zh", "\u597d", "", language="zh"),
        clip("failed", "one", "", audio=None, error="gone"),
    ]
    shown = show(found, {})
    assert [(one.kinds, one.unit) for one in shown] == [("S I", "word"), ("D", "character"), ("D F", "word")]
