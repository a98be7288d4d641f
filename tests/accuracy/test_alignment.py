"""Which word was heard as which."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_server.accuracy.alignment import Pair, align

WORDS = st.lists(st.sampled_from("abcd"), max_size=8).map(" ".join)


@pytest.mark.parametrize(
    ("reference", "hypothesis", "pairs"),
    [
        ("a b", "a x", (Pair("equal", "a", "a", 0, 0), Pair("substitute", "b", "x", 1, 1))),
        ("a b c", "a c", (Pair("equal", "a", "a", 0, 0), Pair("delete", "b", "", 1, 1), Pair("equal", "c", "c", 2, 1))),
        ("a c", "a b c", (Pair("equal", "a", "a", 0, 0), Pair("insert", "", "b", 1, 1), Pair("equal", "c", "c", 1, 2))),
        ("", "a b", (Pair("insert", "", "a", 0, 0), Pair("insert", "", "b", 0, 1))),
        ("a b", "", (Pair("delete", "a", "", 0, 0), Pair("delete", "b", "", 1, 0))),
        ("", "", ()),
    ],
)
def test_each_step_names_both_words_and_where_they_stand(reference: str, hypothesis: str, pairs: tuple[Pair, ...]) -> None:
    assert align(reference, hypothesis) == pairs


@given(WORDS, WORDS)
def test_both_sides_can_be_read_back_in_order(reference: str, hypothesis: str) -> None:
    pairs = align(reference, hypothesis)
    assert [pair.reference for pair in pairs if pair.kind != "insert"] == reference.split()
    assert [pair.hypothesis for pair in pairs if pair.kind != "delete"] == hypothesis.split()
    assert all((pair.kind == "equal") == (pair.reference == pair.hypothesis) for pair in pairs)


@given(WORDS, WORDS)
def test_an_index_is_the_number_of_words_before_it(reference: str, hypothesis: str) -> None:
    said = heard = 0
    for pair in align(reference, hypothesis):
        assert (pair.reference_index, pair.hypothesis_index) == (said, heard)
        said, heard = said + (pair.kind != "insert"), heard + (pair.kind != "delete")
