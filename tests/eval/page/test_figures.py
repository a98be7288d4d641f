"""Numbers, axes, facts and slices as a page has them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.compare.comparison import compare
from eval.page.changes import DifferenceAxis, changes_of, difference_axis
from eval.page.facts import Fact, facts_of_clip
from eval.page.numbers import NO_BREAK, NOTHING, count, interval, p_value, percent, plain, plural, points, signed, size
from eval.page.rates import Axis, axis_for, rates_of
from eval.page.slices import Name, merged
from eval.slices.slicing import slices_of
from tests.eval.made_results import clip, measured
from tests.eval.made_results import run as made_run
from tests.eval.page.page_runs import outcome, write

MINUS = "\N{MINUS SIGN}"


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        (percent(0.0678), "6.8 %"),
        (percent(0.0678, 2), "6.78 %"),
        (percent(None), NOTHING),
        (points(0.005), "+0.50 points"),
        (points(-0.0061), f"{MINUS}0.61 points"),
        (points(None), NOTHING),
        (interval(0.01, 0.125), "1.0 to 12.5 %"),
        (interval(None, None), NOTHING),
        (signed(-0.04, 1), "0.0"),
        (signed(3.25, 1), "+3.2"),
        (plain(-23.04), f"{MINUS}23.0"),
        (plain(5.0), "5.0"),
        (count(5280), "5 280"),
        (p_value(0.0004), "< 0.001"),
        (p_value(0.25), "0.250"),
        (size(950), "1 kB"),
        (size(6_234_000), "6.2 MB"),
        (plural(1, "clip"), "1 clip"),
        (plural(2, "clip"), "2 clips"),
        (plural(0, "man", "men"), "0 men"),
    ],
)
def test_numbers_are_written_with_their_unit_and_never_break(written: str, wanted: str) -> None:
    assert written.replace(NO_BREAK, " ") == wanted
    assert " " not in written or " to " in written


@given(st.lists(st.floats(0.0, 20.0) | st.none(), max_size=40))
def test_an_axis_has_room_for_three_quarters_of_the_rates_or_is_whole(rates: list[float | None]) -> None:
    axis = axis_for(rates)
    known = [rate for rate in rates if rate is not None]
    assert axis.end == 1.0 or sum(not axis.is_beyond(rate) for rate in known) * 4 >= len(known) * 3
    for rate in known:
        assert 0.0 <= float(axis.at(rate).rstrip("%")) <= 100.0


def test_an_axis_places_shares_and_marks_what_is_beyond() -> None:
    axis = Axis(0.2)
    assert [axis.at(0.05), axis.at(0.2), axis.at(8.5)] == ["25.00%", "100.00%", "100.00%"]
    assert [axis.is_beyond(0.2), axis.is_beyond(0.21)] == [False, True]
    assert [Axis(0.05).middle_digits, axis.middle_digits] == [1, 0]


def test_differences_lie_around_the_middle() -> None:
    axis = DifferenceAxis(0.1)
    assert [axis.at(-0.05), axis.at(0.0), axis.at(0.3)] == ["25.00%", "50.00%", "100.00%"]
    assert (axis.start_of(-0.05), axis.width_of(-0.05)) == ("25.00%", "25.00%")
    assert (axis.start_of(0.05), axis.width_of(0.05)) == ("50.00%", "25.00%")
    assert [axis.is_beyond(share) for share in (0.1, -0.1, 0.11, -0.11)] == [False, False, True, True]
    assert difference_axis([0.0, 0.0, 0.0, -0.15]).end == 0.2


def test_rates_are_read_from_the_run_with_characters_apart(tmp_path: Path) -> None:
    rates = rates_of(write(tmp_path / "r.json", outcome("a", "red green", "red"), outcome("z", "\u597d\u4eba", "\u597d", language="zh")))
    assert rates.words is not None
    assert rates.characters is not None
    assert (rates.words.errors, rates.words.of, rates.words.rate) == (1, 2, 0.5)
    assert (rates.characters.of, rates.characters.unit, rates.silence) == (2, "characters", None)
    assert [(rate.name, rate.unit) for rate in rates.by_set] == [("read", "words"), ("read", "characters")]
    assert [rate.name for rate in rates.by_language] == ["en", "zh"]


def test_facts_of_a_clip_are_those_that_are_known() -> None:
    bare = clip("a", "one", audio=None)
    assert facts_of_clip(bare) == (Fact("set", "all"), Fact("language", "en"))
    loud = clip("b", "one", "one", audio=measured(clipped_ratio=0.25, snr_db=None, rejected="no_speech"))
    facts = {fact.label: fact.value.replace(NO_BREAK, " ") for fact in facts_of_clip(loud)}
    assert (facts["clipped"], facts["rejected"], facts["duration"], facts["bandwidth"]) == ("25.00 %", "no_speech", "4.0 s", "8.0 kHz")
    assert "SNR" not in facts


def test_slices_of_the_very_same_clips_are_one_row() -> None:
    clips = [
        clip("a", "one two", "one", set_name="noisy", speaker="anna", conditions=["street"]),
        clip("b", "one two", "one two", set_name="quiet", speaker="anna"),
    ]
    slices = slices_of(made_run(clips))
    rows = merged(slices)
    assert sum(len(row.names) for row in rows) == len(slices)
    (first,) = (row for row in rows if Name("set", "noisy") in row.names)
    assert Name("condition", "street") in first.names
    (both,) = (row for row in rows if Name("speaker", "anna") in row.names)
    assert any(name.dimension == "" and name.slice.startswith("SNR") for name in both.names)


def test_changes_are_told_apart_by_their_direction_the_greatest_first() -> None:
    before = made_run([clip("w", "a b c", "a b c"), clip("x", "a b c", "a"), clip("y", "a b c", "a b x"), clip("z", "a b", "a b")])
    after = made_run([clip("w", "a b c", "a"), clip("x", "a b c", "a b c"), clip("y", "a b c", "a b y"), clip("z", "a b", "a c")])
    changes = changes_of(compare(before, after), most=1)
    assert [one.change.id for one in changes.worse] == ["w"]
    assert [one.change.id for one in changes.better] == ["x"]
    assert (changes.clips_worse, changes.clips_better, changes.clips_equal) == (2, 1, 1)
    assert [one.kind for one in changes.worse[0].after] == ["equal", "delete", "delete"]
