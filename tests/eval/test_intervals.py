"""Confidence intervals by speaker: arithmetic, and what they are for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_server.accuracy.wer import ErrorCounts
from eval.intervals import RESAMPLES, Sampled, ci95, difference, draws, least_difference

RIGHT, WRONG = ErrorCounts(words=4), ErrorCounts(substitutions=2, words=4)

CLIPS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5), st.sampled_from(["anna", "bert", "cleo", None])),
    min_size=1,
    max_size=12,
)


def sampled(clips: list[tuple[int, int, int, str | None]]) -> list[Sampled]:
    return [Sampled(ErrorCounts(wrong, 0, invented, wrong + right), speaker) for right, wrong, invented, speaker in clips]


@given(CLIPS, st.integers(0, 9))
def test_the_interval_is_in_order_and_the_same_for_the_same_clips_and_seed(
    clips: list[tuple[int, int, int, str | None]], seed: int
) -> None:
    interval = ci95(sampled(clips), seed=seed)
    if len(clips) < 2 or not sum(right + wrong for right, wrong, _, _ in clips):
        assert interval is None
        return
    assert interval is not None
    low, high = interval
    assert 0.0 <= low <= high
    assert interval == ci95(sampled(clips), seed=seed)


def test_the_interval_holds_the_rate_and_another_seed_moves_it_little() -> None:
    clips = [Sampled(ErrorCounts(substitutions=number % 3, words=10)) for number in range(60)]
    low, high = ci95(clips) or (1.0, 0.0)
    assert low < 0.1 < high
    assert ci95(clips, seed=1) == pytest.approx((low, high), abs=0.01)


def test_the_interval_of_equal_clips_is_a_point() -> None:
    assert ci95([Sampled(ErrorCounts(deletions=1, words=4), str(number)) for number in range(9)]) == (0.25, 0.25)


def test_draws_without_reference_words_are_left_out() -> None:
    assert ci95([Sampled(ErrorCounts(substitutions=1, words=2)), Sampled(ErrorCounts())]) == (0.5, 0.5)


def test_there_is_no_interval_without_reference_words() -> None:
    assert ci95([]) is None
    assert ci95([Sampled(ErrorCounts(insertions=3))]) is None


def test_there_is_no_interval_of_a_single_clip() -> None:
    assert ci95([Sampled(WRONG, "anna")]) is None


def test_a_draw_takes_as_many_speakers_as_there_are_and_of_each_as_many_clips_as_it_has() -> None:
    speakers = ["anna", "bert", "anna", None, "anna", None]
    drawn = draws(speakers, seed=0)
    assert drawn.shape == (RESAMPLES, 6)
    by_anna, by_bert, nobodys = drawn[:, [0, 2, 4]].sum(axis=1), drawn[:, 1], drawn[:, [3, 5]].sum(axis=1)
    assert not (by_anna % 3).any()
    assert (by_anna // 3 + by_bert + nobodys == 4).all()


def test_speakers_and_their_clips_come_up_equally_often() -> None:
    often = draws(["anna", "bert", "anna", None], seed=0).mean(axis=0)
    assert often == pytest.approx(np.ones(4), abs=0.1)


def test_clips_of_one_speaker_rise_and_fall_together_and_clips_of_nobody_do_not() -> None:
    together, apart = draws(["anna", "anna", "bert", "cleo"], seed=0), draws([None] * 4, seed=0)
    assert np.corrcoef(together[:, 0], together[:, 1])[0, 1] > 0.1
    assert np.corrcoef(apart[:, 0], apart[:, 1])[0, 1] < 0.0


def test_one_speaker_who_is_understood_badly_widens_the_interval() -> None:
    bad = [Sampled(WRONG, "bad")] * 5
    good = [Sampled(RIGHT, f"good {number % 5}") for number in range(25)]
    as_if_unrelated = [Sampled(clip.counts) for clip in (*bad, *good)]
    low, high = ci95([*bad, *good]) or (0.0, 0.0)
    low_apart, high_apart = ci95(as_if_unrelated) or (0.0, 0.0)
    assert high - low > 1.5 * (high_apart - low_apart)


@given(CLIPS)
def test_a_run_differs_from_itself_by_nothing(clips: list[tuple[int, int, int, str | None]]) -> None:
    counts, speakers = [one.counts for one in sampled(clips)], [one.speaker for one in sampled(clips)]
    found = difference(counts, counts, speakers)
    if found is not None:
        assert (found.rate, found.ci95, found.p_value) == (0.0, (0.0, 0.0) if len(clips) > 1 else None, 1.0)
    else:
        assert not sum(one.words for one in counts)


def test_a_difference_is_after_less_before_over_all_words() -> None:
    found = difference([RIGHT, WRONG, RIGHT], [RIGHT, RIGHT, RIGHT], [None] * 3)
    assert found is not None
    assert found.rate == pytest.approx(-2 / 12)


@given(CLIPS)
def test_the_other_way_round_it_is_the_other_sign(clips: list[tuple[int, int, int, str | None]]) -> None:
    before = [one.counts for one in sampled(clips)]
    after = [ErrorCounts(0, one.substitutions, 1, one.words) for one in before]
    speakers = [one.speaker for one in sampled(clips)]
    there, back = difference(before, after, speakers), difference(after, before, speakers)
    if there is None or back is None:
        assert there is back
        return
    assert (back.rate, back.p_value) == (-there.rate, there.p_value)
    if there.ci95 is None or back.ci95 is None:
        assert there.ci95 is back.ci95
        return
    assert back.ci95 == pytest.approx((-there.ci95[1], -there.ci95[0]))


def test_what_is_worse_in_every_clip_is_certain_and_what_is_as_often_better_is_not() -> None:
    before, worse = [RIGHT] * 20, [ErrorCounts(deletions=1, words=4)] * 20
    certain = difference(before, worse, [None] * 20)
    assert certain is not None
    assert certain.ci95 == (0.25, 0.25)
    assert certain.p_value == pytest.approx(2 / 2**20)
    even = difference([RIGHT, WRONG] * 10, [WRONG, RIGHT] * 10, [None] * 20)
    assert even is not None
    assert even.ci95 is not None
    assert even.ci95[0] < 0.0 < even.ci95[1]
    assert even.p_value == 1.0


def test_a_few_clips_prove_no_difference_and_a_single_one_has_no_interval() -> None:
    """Every draw of clips that all got worse is worse, however few they are."""
    one, three = (difference([RIGHT] * clips, [WRONG] * clips, [None] * clips) for clips in (1, 3))
    assert one is not None
    assert (one.rate, one.ci95, one.p_value) == (0.5, None, 1.0)
    assert three is not None
    assert (three.rate, three.ci95, three.p_value) == (0.5, (0.5, 0.5), 0.25)


def test_a_difference_of_one_speaker_is_not_significant_however_many_clips_there_are() -> None:
    found = difference([RIGHT] * 20, [WRONG] * 20, ["anna"] * 20)
    assert found is not None
    assert found.p_value == 1.0


def test_pairing_sees_a_small_change_that_the_spread_of_clips_would_hide() -> None:
    """Clips differ a lot among themselves, each is one word worse: apart the intervals overlap, paired the change is clear."""
    before = [ErrorCounts(substitutions=number % 10, words=20) for number in range(40)]
    after = [ErrorCounts(substitutions=number % 10 + 1, words=20) for number in range(40)]
    apart_before, apart_after = ci95([Sampled(one) for one in before]), ci95([Sampled(one) for one in after])
    assert apart_before is not None
    assert apart_after is not None
    assert apart_before[1] > apart_after[0]
    found = difference(before, after, [None] * 40)
    assert found is not None
    assert found.ci95 is not None
    assert found.ci95[0] > 0.0


def test_without_reference_words_there_is_no_difference() -> None:
    assert difference([], [], []) is None
    assert difference([ErrorCounts()], [ErrorCounts(insertions=2)], [None]) is None


def sides(errors: list[int], inside: int) -> tuple[list[ErrorCounts], list[ErrorCounts]]:
    """Clips of ten words each; the first `inside` of them, and the others."""
    counts = [ErrorCounts(substitutions=number, words=10) for number in errors]
    nothing = ErrorCounts.zero()
    return (
        [*counts[:inside], *[nothing] * (len(counts) - inside)],
        [*[nothing] * inside, *counts[inside:]],
    )


def test_what_is_asked_besides_others_must_differ_more_to_be_sure() -> None:
    inside, rest = sides([3, 4, 2, 5, 3, 4, 3, 5] + [0, 1, 2] * 10, 8)
    drawn = draws([None] * 38, seed=0)
    alone, among_many = (least_difference(drawn, inside, rest, units=8, asked=asked) for asked in (1, 60))
    assert alone is not None
    assert among_many is not None
    assert 0.0 < among_many < alone < 29 / 80 - 0.1


def test_what_is_the_same_is_not_sure_to_be_above_and_nothing_differs_from_no_words() -> None:
    inside, rest = sides([1, 2] * 10, 10)
    least = least_difference(draws([None] * 20, seed=0), inside, rest, units=10, asked=1)
    assert least is not None
    assert least < 0.0
    assert least_difference(draws([None] * 20, seed=0), inside, [ErrorCounts.zero()] * 20, units=10, asked=1) is None
