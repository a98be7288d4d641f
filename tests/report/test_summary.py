"""A stretch of time in figures, and as a page."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_server.accuracy.intervals import rate_ci95, share_ci95
from asr_server.accuracy.wer import ErrorCounts
from asr_server.report.page import page
from asr_server.report.summary import BINS, Summary, quantiles, summarize
from asr_server.watch.journal.reading import Reading
from asr_server.watch.journal.rows import ChangeRow, FeedbackRow, ProbeRow, SegmentRow
from tests.watch.journal.made import corrected, quieter, segment

EMPTY = Reading((), (), (), ())


def an_hour(*segments: SegmentRow, feedback: tuple[FeedbackRow, ...] = (), changes: tuple[ChangeRow, ...] = ()) -> Summary:
    return summarize(Reading(segments, feedback, changes, ()), 1_000.0, 4_600.0)


def test_an_empty_time_is_told_as_one() -> None:
    summary = summarize(EMPTY, 0.0, 3_600.0)
    assert (summary.segments, summary.ttfs_ms, summary.worst, summary.probes) == (0, {}, (), ())
    assert "Nothing was recognised in this time." in page(summary)


def test_times_are_of_what_was_answered() -> None:
    summary = an_hour(
        segment(1, response_ms=10.0),
        segment(2, response_ms=700.0, outcome="late", degraded=("beam",), spent_ms={"asr": 600.0, "queue": 50.0}),
        segment(3, outcome="empty", response_ms=9_999.0),
        segment(4, outcome="failed"),
    )
    assert summary.outcomes == {"in_time": 1, "late": 1, "empty": 1, "failed": 1}
    assert summary.response_ms == {"p50": 10.0, "p95": 700.0, "p99": 700.0}
    assert summary.ttfs_ms["p95"] == 1_020.0
    assert {one.name: one.spent_ms["p95"] for one in summary.slices} == {"asr": 600.0, "post": 0.4, "queue": 50.0}
    assert (summary.degraded, summary.budget_ms) == ({"beam": 1}, 500.0)


def test_stretches_divide_the_time() -> None:
    summary = an_hour(segment(1, 1_010.0), segment(2, 1_020.0, outcome="late"), segment(3, 4_590.0))
    stretches = summary.stretches
    assert len(stretches) == 48
    assert (stretches[0].segments, stretches[0].late, stretches[-1].segments) == (2, 1, 1)
    assert not stretches[1].ttfs_ms


def test_errors_and_failures_are_told_by_slice_with_intervals() -> None:
    rows = [segment(number, client="kiosk" if number % 2 else "phone") for number in range(40)]
    feedback = (
        *(corrected(number, errors=3 if number % 2 else 0) for number in range(20)),
        FeedbackRow(rows[1].id, "rejected", 1.0),
        FeedbackRow(rows[1].id, "repeated", 1.0),
        FeedbackRow(rows[2].id, "accepted", 1.0),
    )
    summary = an_hour(*rows, feedback=feedback)
    by_slice = {(one.label, one.value): one for one in summary.rates}
    everything, kiosk, phone = by_slice["all", ""], by_slice["client", "kiosk"], by_slice["client", "phone"]
    assert (everything.errors.rate, kiosk.errors.rate, phone.errors.rate) == (0.25, 0.5, 0.0)
    assert everything.wer_ci95 is not None
    assert everything.wer_ci95[0] < 0.25 < everything.wer_ci95[1]
    assert (kiosk.failures, phone.failures, kiosk.failure_rate) == (1, 0, 1 / 20)
    assert kiosk.failure_ci95 is not None
    assert kiosk.failure_ci95[0] > 0
    assert "language" not in {label for label, _ in by_slice}, "all are in one"
    assert ("release", "base abababab, v1, code 1.0") in by_slice


def test_expected_errors_are_of_the_words_of_which_something_is_known() -> None:
    rows = [segment(1, words=10, expected_error_rate=0.1), segment(2, words=30, expected_error_rate=0.3), segment(3, words=60)]
    (everything, _) = an_hour(*rows).rates
    assert everything.expected_error_rate == pytest.approx(0.25)
    assert '<td class="n">25.0 %</td>' in page(an_hour(*rows))
    assert an_hour(segment(1)).rates[0].expected_error_rate is None
    assert an_hour(segment(1, words=0, expected_error_rate=0.1)).rates[0].expected_error_rate is None


def test_a_change_is_shown_with_what_was_before_and_since() -> None:
    rows = [segment(number, 1_300.0 + number, profile={"loudness_lufs": -26.0 if number < 100 else -38.0}) for number in range(200)]
    other = [segment(1_000 + number, 1_300.0 + number, client="phone", profile={"loudness_lufs": -20.0}) for number in range(200)]
    summary = an_hour(*rows, *other, changes=(quieter(), quieter(1_550.0, 1_550.0, is_back=True)))
    (drifted,) = summary.drifted
    assert (drifted.low, drifted.high, drifted.is_over) == (-38.0, -26.0, True)
    assert (drifted.before[-1], drifted.since[0]) == (1.0, 1.0)
    assert len(drifted.before) == BINS


def test_a_change_of_what_rows_do_not_tell_is_told_without_a_picture() -> None:
    changes = (replace(quieter(), value="other"), replace(quieter(), feature="word_errors", label="all", value=""))
    summary = an_hour(*(segment(number, 1_300.0 + number) for number in range(200)), changes=changes)
    assert [one.has_picture for one in summary.drifted] == [False, False]
    assert "word_errors of all" in page(summary)


def test_a_slice_by_rate_has_the_segments_of_that_rate() -> None:
    rows = [
        segment(number, 1_300.0 + number, rate_hz="8000" if number % 2 else "16000", profile={"loudness_lufs": float(number % 2)})
        for number in range(200)
    ]
    (drifted,) = an_hour(*rows, changes=(replace(quieter(), label="rate_hz", value="8000"),)).drifted
    assert (drifted.low, drifted.high) == (1.0, 1.0)


def test_the_latest_come_first_then_the_least_sure() -> None:
    summary = an_hour(
        segment(1, profile={"log_probability": -0.1}),
        segment(2, profile={"log_probability": -1.5}),
        segment(3, outcome="late", response_ms=600.0),
        segment(4, outcome="late", response_ms=900.0),
    )
    assert [row.id[-1] for row in summary.worst] == ["4", "3", "2", "1"]


def test_golden_clips_are_summed() -> None:
    probes = tuple(ProbeRow(1_100.0 + number, "a", "base", 10, number % 2, 0, 0, 300.0 + number, late=False) for number in range(10))
    other = replace(probes[0], code="2.0", at_s=1_200.0, substitutions=5)
    told, after = summarize(Reading((segment(1),), (), (), (*probes, other)), 1_000.0, 4_600.0).probes
    assert (told.count, told.errors.rate, told.ttfs_ms["p50"]) == (10, 0.05, 304.0)
    assert (after.count, after.errors.rate) == (1, 0.5), "another release is told by itself"


def test_a_page_tells_everything_and_lets_nothing_in() -> None:
    evil = segment(1, client="<script>alert(1)</script>", outcome="late", response_ms=900.0)
    summary = an_hour(evil, segment(2, 1_600.0), feedback=(corrected(1, errors=2),), changes=(quieter(),))
    told = page(summary, trace_url="https://traces.example/t/{trace_id}")
    assert "<script" not in told
    assert "&lt;script&gt;" in told
    assert f'href="https://traces.example/t/{evil.trace_id}"' in told
    assert "loudness_lufs of client kiosk: sudden, severe" in told
    assert "33.3 %" in told
    assert "href" not in page(summary)
    assert page(summary) == page(summary)


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_quantiles_are_values_that_were_measured(values: list[float]) -> None:
    told = quantiles(values)
    assert set(told.values()) <= set(values)
    assert told["p50"] <= told["p95"] <= told["p99"]


@given(st.integers(0, 200), st.integers(1, 200))
def test_the_interval_of_a_share_holds_it_and_stays_a_share(found: int, more: int) -> None:
    ends = share_ci95(found, found + more)
    assert ends is not None
    assert 0.0 <= ends[0] <= found / (found + more) <= ends[1] <= 1.0


def test_intervals_of_nothing_are_none() -> None:
    assert share_ci95(0, 0) is None
    assert rate_ci95([]) is None
    assert rate_ci95([ErrorCounts(1, 0, 0, 2)]) is None
    assert rate_ci95([ErrorCounts(0, 0, 2, 0)] * 2) is None


def test_wilsons_interval_is_the_published_one() -> None:
    """Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263, and 0 of 20."""
    assert share_ci95(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert share_ci95(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
