import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.partials import Revised, Shown, cadence_ms, first_text_ms, partial_lags_ms, revised, words

TEXTS = st.lists(st.lists(st.sampled_from(["a", "B", "c,", "don't", "…"]), max_size=6).map(" ".join), min_size=1, max_size=6)


def partial(text: str, at_ms: float = 0.0, segment: int = 0, lag_ms: float = 0.0) -> Shown:
    return Shown(segment, text, at_ms, lag_ms, is_final=False)


def final(text: str, at_ms: float = 0.0, segment: int = 0) -> Shown:
    return Shown(segment, text, at_ms, 500.0, is_final=True)


def segment_of(texts: list[str]) -> list[Shown]:
    """Partials and, last, the final."""
    return [*(partial(text) for text in texts[:-1]), final(texts[-1])]


def test_the_first_words_may_be_a_partials() -> None:
    assert first_text_ms([partial("", 500), partial(" ... ", 600), partial("one", 800), final("one two", 2000)]) == 800


def test_without_partials_the_first_words_are_a_finals() -> None:
    assert first_text_ms([final("one", 1500), final("two", 3000, segment=1)]) == 1500


def test_where_nothing_was_shown_there_are_no_first_words() -> None:
    assert first_text_ms([]) is None
    assert first_text_ms([final("")]) is None


def test_cadence_is_between_partials_of_one_segment_only() -> None:
    shown = [partial("a", 500), partial("a b", 800), final("a b.", 1900), partial("c", 2500, 1), partial("c d", 2900, 1)]
    assert cadence_ms(shown) == [300, 400]


def test_partials_lag_behind_their_audio_and_finals_are_left_out() -> None:
    assert partial_lags_ms([partial("a", lag_ms=120), partial("a b", lag_ms=180), final("a b")]) == [120, 180]


@pytest.mark.parametrize(
    ("texts", "changed"),
    [
        (["one", "one two", "One, two."], 0),
        (["won", "one two"], 1),
        (["one two three", "one two"], 1),
        (["one two", ""], 2),
        (["two", "one two"], 0),  # it moved, and is still there
        (["twenty one", "Twenty-one."], 0),
        (["'don't'", "don’t"], 0),  # noqa: RUF001 - as some texts have it
        (["a", "b", "a"], 2),  # changed twice
    ],
)
def test_words_are_revised_when_the_next_text_has_others_in_their_place(texts: list[str], changed: int) -> None:
    assert revised(segment_of(texts)).words == changed


def test_the_ratio_is_of_the_final_words_of_all_segments() -> None:
    shown = [partial("won"), partial("too", segment=1), final("one two"), final("two three", segment=1)]
    assert revised(shown) == Revised(words=2, final_words=4)
    assert revised(shown).rate == 0.5
    assert sum([revised(shown), Revised(0, 4)], Revised()).rate == 0.25
    assert Revised().rate is None


def test_a_segment_without_a_final_has_no_final_words() -> None:
    assert revised([partial("one two"), partial("one")]) == Revised(words=1, final_words=0)


def test_characters_count_where_words_have_no_spaces_between() -> None:
    assert words("今日は。", "ja") == ["今", "日", "は"]
    assert revised([partial("今日は"), final("今日わ")], "ja") == Revised(1, 3)


@given(TEXTS)
def test_no_more_words_are_revised_than_were_shown(texts: list[str]) -> None:
    found = revised(segment_of(texts))
    assert 0 <= found.words <= sum(len(words(text)) for text in texts[:-1])
    assert found.final_words == len(words(texts[-1]))


@given(TEXTS)
def test_a_text_that_only_grows_is_never_revised(texts: list[str]) -> None:
    growing = [" ".join(texts[: count + 1]) for count in range(len(texts))]
    assert revised(segment_of(growing)).words == 0


@given(st.lists(st.lists(st.sampled_from(["a", "b", "c"]), max_size=4).map(" ".join), min_size=1, max_size=5), st.integers(1, 3))
def test_segments_do_not_touch_each_other(texts: list[str], count: int) -> None:
    apart = [revised(segment_of(texts)) for _ in range(count)]
    together = [text for part in range(count) for text in (Shown(part, s.text, s.at_ms, s.lag_ms, s.is_final) for s in segment_of(texts))]
    assert revised(together) == sum(apart, Revised())
    assert revised(sorted(together, key=lambda text: text.is_final)) == sum(apart, Revised())
