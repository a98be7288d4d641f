"""What a stretch of time was like, from its rows. Pure."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from asr_server.accuracy.intervals import rate_ci95, share_ci95
from asr_server.accuracy.wer import ErrorCounts, total
from asr_server.quantiles import nearest_rank
from asr_server.watch.drift.features import feature
from asr_server.watch.journal.reading import Reading
from asr_server.watch.journal.rows import ChangeRow, FeedbackRow, ProbeRow, SegmentRow

STRETCHES = 48
"""Into which the time is divided, at most."""
LEAST_STRETCH_S = 60.0
WORST = 20
BINS = 24
SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
FAILURES = frozenset({"rejected", "repeated", "switched_to_typing"})
"""Answers of users that tell of a text that was no use."""
GROUPED_BY: dict[str, Callable[[SegmentRow], str]] = {
    "all": lambda _: "",
    "release": lambda row: row.release,
    "client": lambda row: row.client,
    "encoding": lambda row: row.encoding,
    "language": lambda row: row.language,
}
"""Slices: a label, and its value of a segment."""

DRIFT_SLICES: dict[str, Callable[[SegmentRow], str]] = {
    "all": lambda _: "",
    "client": lambda row: row.client,
    "encoding": lambda row: row.encoding,
    "language": lambda row: row.asked_language,
    "rate_hz": lambda row: row.rate_hz,
}
"""The same as drift is watched by."""

Quantiles = dict[str, float]


@dataclass(frozen=True, slots=True)
class SliceOfBudget:
    name: str
    spent_ms: Quantiles


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the time."""

    from_s: float
    segments: int
    ttfs_ms: Quantiles
    """Empty where nobody waited for an end."""
    response_ms: Quantiles
    late: int
    empty: int


@dataclass(frozen=True, slots=True)
class Rates:
    """Of one slice of the segments."""

    label: str
    value: str
    segments: int
    late: int
    empty: int
    failed: int
    errors: ErrorCounts
    """Of the texts that users corrected."""
    corrected: int
    wer_ci95: tuple[float, float] | None
    expected_error_rate: float | None
    """Share of words that are wrong, as far as the recogniser's doubt tells. None where nothing is known of that."""
    failures: int
    """Segments of which a user had no use."""
    failure_ci95: tuple[float, float] | None

    @property
    def failure_rate(self) -> float | None:
        return self.failures / self.segments if self.segments else None


@dataclass(frozen=True, slots=True)
class Drifted:
    """A feature of a slice that has left its reference, with its values before that and since, as shares of even bins."""

    change: ChangeRow
    unit: str
    meaning: str
    low: float
    high: float
    before: tuple[float, ...]
    since: tuple[float, ...]
    is_over: bool

    @property
    def has_picture(self) -> bool:
        """Whether there are values to show: error rates have none of a segment."""
        return any(self.since)


@dataclass(frozen=True, slots=True)
class Probes:
    """Golden clips under one release."""

    release: str
    count: int
    errors: ErrorCounts
    wer_ci95: tuple[float, float] | None
    ttfs_ms: Quantiles
    late: int


@dataclass(frozen=True, slots=True)
class Summary:
    from_s: float
    until_s: float
    segments: int
    outcomes: dict[str, int]
    ttfs_ms: Quantiles
    response_ms: Quantiles
    recognition_ms: Quantiles
    budget_ms: float
    """That most segments had."""
    slices: tuple[SliceOfBudget, ...]
    degraded: dict[str, int]
    stretches: tuple[Stretch, ...]
    rates: tuple[Rates, ...]
    drifted: tuple[Drifted, ...]
    worst: tuple[SegmentRow, ...]
    probes: tuple[Probes, ...]
    doubts: ErrorCounts
    """Words of second opinions, and how many of them were told otherwise."""


def quantiles(values: Iterable[float]) -> Quantiles:
    """By nearest rank; empty of nothing."""
    ordered = sorted(values)
    found = {name: nearest_rank(ordered, share) for name, share in SHARES.items()}
    return {name: value for name, value in found.items() if value is not None}


def summarize(reading: Reading, from_s: float, until_s: float) -> Summary:
    rows = reading.segments
    answered = [row for row in rows if row.outcome in ("in_time", "late")]
    budgets = [row.budget_ms for row in answered]
    return Summary(
        from_s=from_s,
        until_s=until_s,
        segments=len(rows),
        outcomes={name: sum(row.outcome == name for row in rows) for name in ("in_time", "late", "empty", "failed")},
        ttfs_ms=_ttfs_ms(answered),
        response_ms=quantiles(row.response_ms for row in answered),
        recognition_ms=quantiles(row.recognition_ms for row in answered),
        budget_ms=max(set(budgets), key=budgets.count) if budgets else 0.0,
        slices=_slices(answered),
        degraded=_counted(what for row in answered for what in row.degraded),
        stretches=tuple(_stretches(rows, from_s, until_s)),
        rates=_rates(rows, reading.feedback),
        drifted=tuple(_drifted(change, reading) for change in _departures(reading.changes)),
        worst=tuple(sorted(answered, key=_badness, reverse=True)[:WORST]),
        probes=_probes(reading.probes),
        doubts=total(answer.errors for answer in reading.feedback if answer.kind == "second_opinion"),
    )


def _ttfs_ms(rows: Iterable[SegmentRow]) -> Quantiles:
    return quantiles(ms for row in rows if (ms := row.ttfs_ms) is not None)


def _slices(rows: Sequence[SegmentRow]) -> tuple[SliceOfBudget, ...]:
    names = dict.fromkeys(name for row in rows for name in row.spent_ms)
    return tuple(SliceOfBudget(name, quantiles(row.spent_ms.get(name, 0.0) for row in rows)) for name in names)


def _counted(names: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return counts


def _stretches(rows: Sequence[SegmentRow], from_s: float, until_s: float) -> Iterable[Stretch]:
    length_s = max((until_s - from_s) / STRETCHES, LEAST_STRETCH_S)
    inside: dict[int, list[SegmentRow]] = {}
    for row in rows:
        inside.setdefault(int((row.at_s - from_s) // length_s), []).append(row)
    for number in range(math.ceil((until_s - from_s) / length_s)):
        of_it = inside.get(number, [])
        late, empty = (sum(row.outcome == outcome for row in of_it) for outcome in ("late", "empty"))
        answered = [row for row in of_it if row.outcome in ("in_time", "late")]
        yield Stretch(
            from_s + number * length_s,
            len(of_it),
            _ttfs_ms(answered),
            quantiles(row.response_ms for row in answered),
            late,
            empty,
        )


def _rates(rows: Sequence[SegmentRow], feedback: Sequence[FeedbackRow]) -> tuple[Rates, ...]:
    """For every value of every label, the most segments first; labels of which all segments have the same value are left out."""
    said: dict[str, list[FeedbackRow]] = {}
    for answer in feedback:
        said.setdefault(answer.segment_id, []).append(answer)
    found: list[Rates] = []
    for label, value_of in GROUPED_BY.items():
        groups: dict[str, list[SegmentRow]] = {}
        for row in rows:
            groups.setdefault(value_of(row), []).append(row)
        if label in ("all", "release") or len(groups) > 1:
            found += sorted((_rate(label, value, of_it, said) for value, of_it in groups.items()), key=lambda one: -one.segments)
    return tuple(found)


def _rate(label: str, value: str, rows: Sequence[SegmentRow], said: dict[str, list[FeedbackRow]]) -> Rates:
    answers = [answer for row in rows for answer in said.get(row.id, ())]
    corrected = [answer.errors for answer in answers if answer.kind == "corrected"]
    failures = len({answer.segment_id for answer in answers if answer.kind in FAILURES})
    return Rates(
        label=label,
        value=value,
        segments=len(rows),
        late=sum(row.outcome == "late" for row in rows),
        empty=sum(row.outcome == "empty" for row in rows),
        failed=sum(row.outcome == "failed" for row in rows),
        errors=total(corrected),
        corrected=len(corrected),
        wer_ci95=rate_ci95(corrected),
        expected_error_rate=_expected_error_rate(rows),
        failures=failures,
        failure_ci95=share_ci95(failures, len(rows)),
    )


def _expected_error_rate(rows: Sequence[SegmentRow]) -> float | None:
    known = [(row.words, row.expected_error_rate) for row in rows if row.expected_error_rate is not None]
    words = sum(count for count, _ in known)
    return sum(count * rate for count, rate in known) / words if words else None


def _departures(changes: Sequence[ChangeRow]) -> list[ChangeRow]:
    return [change for change in changes if not change.is_back]


def _drifted(change: ChangeRow, reading: Reading) -> Drifted:
    of_slice = [
        (row.at_s, row.profile[change.feature]) for row in reading.segments if _is_in(row, change) and change.feature in row.profile
    ]
    back_s = next(
        (
            other.at_s
            for other in reading.changes
            if other.is_back
            and (other.feature, other.label, other.value) == (change.feature, change.label, change.value)
            and other.at_s > change.at_s
        ),
        None,
    )
    values = sorted(value for _, value in of_slice)
    low, high = (values[len(values) // 100], values[-1 - len(values) // 100]) if values else (0.0, 0.0)
    before = [value for at_s, value in of_slice if at_s < change.since_s]
    since = [value for at_s, value in of_slice if change.since_s <= at_s and (back_s is None or at_s < back_s)]
    known = feature(change.feature)
    return Drifted(change, known.unit, known.meaning, low, high, _shares(before, low, high), _shares(since, low, high), back_s is not None)


def _is_in(row: SegmentRow, change: ChangeRow) -> bool:
    """Whether the segment is of the slice. A slice of all that was beyond what can be watched has none."""
    value_of = DRIFT_SLICES.get(change.label)
    return value_of is not None and value_of(row) == change.value


def _shares(values: Sequence[float], low: float, high: float) -> tuple[float, ...]:
    """Of the bins; what lies outside counts in the outermost."""
    counts = [0] * BINS
    for value in values:
        place = (value - low) / (high - low) * BINS if high > low else BINS / 2
        counts[min(max(int(place), 0), BINS - 1)] += 1
    return tuple(count / len(values) for count in counts) if values else tuple(0.0 for _ in counts)


def _badness(row: SegmentRow) -> tuple[bool, float, float]:
    """Late ones first, the latest at the top; then what the recogniser was least sure of."""
    return row.outcome == "late", row.response_ms if row.outcome == "late" else 0.0, -row.profile.get("log_probability", 0.0)


def _probes(rows: Sequence[ProbeRow]) -> tuple[Probes, ...]:
    """By release, in the order of their first clip."""
    by_release: dict[str, list[ProbeRow]] = {}
    for row in rows:
        by_release.setdefault(row.release, []).append(row)
    return tuple(_probes_of(release, of_it) for release, of_it in by_release.items())


def _probes_of(release: str, rows: Sequence[ProbeRow]) -> Probes:
    counts = [row.errors for row in rows]
    ttfs_ms = quantiles(row.ttfs_ms for row in rows if row.ttfs_ms is not None)
    return Probes(release, len(rows), total(counts), rate_ci95(counts), ttfs_ms, sum(row.late for row in rows))
