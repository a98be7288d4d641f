import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.labels.rules import CONVENTIONS, Convention


def named(name: str) -> Convention:
    return next(convention for convention in CONVENTIONS if convention.name == name)


@pytest.mark.parametrize("convention", CONVENTIONS, ids=lambda convention: convention.name)
def test_each_example_is_told_as_its_own_way_and_no_other(convention: Convention) -> None:
    for variant in convention.variants:
        assert [convention.followed(example) for example in variant.examples] == [(variant.name,)] * len(variant.examples)


@pytest.mark.parametrize(
    ("name", "text", "ways"),
    [
        ("casing", "I", ()),
        ("casing", "123", ()),
        ("casing", "Hello U.S.", ("Mixed Case",)),
        ("casing", "\u4f60\u597d", ()),
        ("end punctuation", "", ()),
        ("end punctuation", "...", ()),
        ("end punctuation", 'He said "yes."', ("present",)),
        ("end punctuation", "\u4f60\u597d\u3002", ("present",)),
        ("end punctuation", "well,", ("absent",)),
        ("numbers", "one of them", ()),
        ("numbers", "two in 2021", ("words", "digits")),
        ("numbers", "a tenant", ()),
        ("hesitation, open", "Uh, UHH yes", ("uh",)),
        ("hesitation, open", "her order", ()),
        ("cut-off words", "well-known", ()),
        ("cut-off words", "the book--and", ()),
        ("cut-off words", "a wor- word", ("hyphen",)),
        ("titles", "Mr. Hill and mr Hill", ("with a stop", "without a stop")),
        ("titles", "missus Hill", ("written out",)),
        ("initials", "THE US ARMY", ()),
        ("annotations", "a < b", ()),
    ],
)
def test_a_text_follows(name: str, text: str, ways: tuple[str, ...]) -> None:
    assert named(name).followed(text) == ways


@pytest.mark.parametrize(
    ("name", "alike"),
    [
        ("casing", True),
        ("end punctuation", True),
        ("titles", True),
        ("ellipsis", True),
        ("apostrophes", False),
        ("initials", False),
        ("numbers", False),
    ],
)
def test_whether_a_difference_costs_errors_is_asked_of_the_text_rules(name: str, alike: bool) -> None:
    """A curly apostrophe and the stops of "U.S." do cost: the rules make two words of each. Of numbers it is digits said in a row."""
    convention = named(name)
    assert convention.scored_alike([variant.name for variant in convention.variants]) is alike


@given(st.text())
def test_any_text_follows_known_ways_only(text: str) -> None:
    for convention in CONVENTIONS:
        assert set(convention.followed(text)) <= {variant.name for variant in convention.variants}
