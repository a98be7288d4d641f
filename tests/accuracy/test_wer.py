from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_server.accuracy.wer import ErrorCounts, count_errors, total

WORDS = st.lists(st.sampled_from("abcd"), max_size=8).map(" ".join)


def edit_distance(reference: list[str], hypothesis: list[str]) -> int:
    """The textbook recurrence, as the independent answer."""
    row = list(range(len(hypothesis) + 1))
    for i, said in enumerate(reference, start=1):
        previous, row[0] = row[0], i
        for j, heard in enumerate(hypothesis, start=1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (said != heard))
    return row[-1]


@pytest.mark.parametrize(
    ("reference", "hypothesis", "counts"),
    [
        ("a b c", "a b c", ErrorCounts(words=3)),
        ("a b c", "a x c", ErrorCounts(substitutions=1, words=3)),
        ("a b c", "a c", ErrorCounts(deletions=1, words=3)),
        ("a b c", "a b x c", ErrorCounts(insertions=1, words=3)),
        ("a b c", "", ErrorCounts(deletions=3, words=3)),
        ("", "hello there", ErrorCounts(insertions=2)),
        ("", "", ErrorCounts()),
    ],
)
def test_errors_are_counted_by_kind(reference: str, hypothesis: str, counts: ErrorCounts) -> None:
    assert count_errors(reference, hypothesis) == counts


@given(WORDS, WORDS)
def test_errors_add_up_to_the_edit_distance(reference: str, hypothesis: str) -> None:
    counts = count_errors(reference, hypothesis)
    assert counts.errors == edit_distance(reference.split(), hypothesis.split())
    assert counts.words == len(reference.split())
    assert counts.words - counts.deletions + counts.insertions == len(hypothesis.split())


def test_without_reference_words_there_is_no_rate() -> None:
    assert count_errors("", "hello").rate is None
    assert count_errors("", "").rate is None


def test_words_heard_where_nothing_was_said_count_in_the_corpus() -> None:
    assert (count_errors("", "hello") + count_errors("a b", "a b")).rate == 0.5


def test_the_corpus_rate_comes_from_summed_counts_and_not_from_a_mean_of_rates() -> None:
    short, long = count_errors("a", "b"), count_errors("a b c d e f g h i", "a b c d e f g h i")
    assert total([short, long]).rate == pytest.approx(0.1)


@given(st.lists(st.tuples(WORDS, WORDS), max_size=5))
def test_a_sum_starts_at_zero_and_does_not_depend_on_the_order(pairs: list[tuple[str, str]]) -> None:
    counts = [count_errors(*pair) for pair in pairs]
    assert total(counts) == total(counts[::-1])
    assert total(counts) + ErrorCounts.zero() == total(counts)


def test_counts_are_frozen_and_checked() -> None:
    with pytest.raises(FrozenInstanceError):
        ErrorCounts().words = 1  # type: ignore[misc]
    with pytest.raises(ValueError, match="negative"):
        ErrorCounts(insertions=-1)
    with pytest.raises(ValueError, match="more words wrong"):
        ErrorCounts(substitutions=2, deletions=1, words=2)
