"""Results of `python -m bench`, read back: what `compare` and the page work on."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from asr_server.errors import WrongCall
from bench.growth import Sample
from bench.quantiles import Quantiles
from eval.wer import ErrorCounts


@dataclass(frozen=True, slots=True)
class FinalTimes:
    """One final: when it came and how it spent its budget, by its own ledger."""

    start_s: float
    held_after_ms: float
    floor_ms: float | None
    """None when there was nothing to decode alone."""
    budget_ms: float
    response_ms: float
    endpoint_wait_ms: float
    spent_ms: Mapping[str, float]
    """Of each slice."""
    planned_ms: Mapping[str, float]
    late: bool
    degraded: bool


@dataclass(frozen=True, slots=True)
class ClipTimes:
    """One clip as it was spoken and heard."""

    id: str
    reference: str
    hypothesis: str
    speech_end_s: float
    ttfs_ms: float | None
    """None when no final came."""
    first_partial_ms: float | None
    baseline_ms: float | None
    """None when it was not measured."""
    counts: ErrorCounts
    lost_words: int
    """Reference words that were right with full context, and were not in the stream."""
    error: str
    finals: tuple[FinalTimes, ...]

    @property
    def deciding(self) -> FinalTimes | None:
        """The final that `ttfs_ms` is of: the last to come of those that began before the speech ended."""
        of_speech = [final for final in self.finals if final.start_s < self.speech_end_s]
        return max(of_speech, key=lambda final: final.held_after_ms, default=None)

    @property
    def is_lost(self) -> bool:
        """Something was said and no final came."""
        return not self.finals and bool(self.reference.strip())


@dataclass(frozen=True, slots=True)
class LatencyResult:
    """Of `bench latency`."""

    name: str
    clips: Mapping[str, ClipTimes]
    """By id, in the order in which they were spoken."""
    fields: Mapping[str, Any]
    """All of the JSON."""

    @property
    def streams(self) -> int:
        return int(self.fields["streams"])

    @property
    def finals(self) -> tuple[FinalTimes, ...]:
        return tuple(final for clip in self.clips.values() for final in clip.finals)

    def clip_at(self, share: float) -> ClipTimes | None:
        """The one whose TTFS is that quantile, by nearest rank as in `ttfs_ms`; None when there were no finals."""
        ordered = sorted((clip for clip in self.clips.values() if clip.ttfs_ms is not None), key=lambda clip: clip.ttfs_ms or 0.0)
        return ordered[max(ceil(share * len(ordered)) - 1, 0)] if ordered else None

    @property
    def invalid_because(self) -> tuple[str, ...]:
        """Empty for a run that is valid."""
        return tuple(map(str, self.fields["invalid_because"]))


@dataclass(frozen=True, slots=True)
class CapacityPoint:
    """What happened at one number of streams."""

    streams: int
    passed: bool
    valid: bool
    ttfs_ms: Quantiles
    failed_because: tuple[str, ...]
    repeats_passed: tuple[bool, ...]
    fields: Mapping[str, Any]
    """All of the point's JSON."""

    @property
    def troubles(self) -> Mapping[str, int]:
        """How often something happened that never should."""
        return {name: int(self.fields[name]) for name in ("late", "refused", "lost", "failed")}


@dataclass(frozen=True, slots=True)
class CapacityResult:
    """Of `bench capacity`."""

    name: str
    max_streams: int
    slo_ms: float
    percentile: float
    curve: tuple[CapacityPoint, ...]
    """By number of streams."""
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SoakResult:
    """Of `bench soak`."""

    name: str
    passed: bool
    failed_because: tuple[str, ...]
    samples: tuple[Sample, ...]
    fields: Mapping[str, Any]


Result = LatencyResult | CapacityResult | SoakResult


def read_result(path: Path) -> Result:
    """Raises WrongCall for a file that is not a result of a bench."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise WrongCall(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None
    except (json.JSONDecodeError, RecursionError):
        raise WrongCall(f"{path} is not JSON: wanted a result of `python -m bench ... --json`") from None
    return result_of(fields, str(path))


def result_of(fields: Any, name: str) -> Result:  # noqa: ANN401 - JSON, whose shape is found out here
    """The JSON of any bench as it is. `name`: what a reader knows it by. Raises WrongCall when it is none of this version's."""
    try:
        if "max_streams" in fields:
            return _capacity(fields, name)
        if "samples" in fields:
            return _soak(fields, name)
        return _latency(fields, name)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise WrongCall(f"{name} is not a result of this version's `python -m bench`: {type(error).__name__}: {error}") from None


def _latency(fields: Mapping[str, Any], name: str) -> LatencyResult:
    clips = [_clip(row) for row in fields["runs"]]
    return LatencyResult(name, {clip.id: clip for clip in clips}, fields)


def _clip(row: Mapping[str, Any]) -> ClipTimes:
    return ClipTimes(
        id=str(row["id"]),
        reference=str(row["ref"]),
        hypothesis=str(row["hyp"]),
        speech_end_s=float(row["speech_end_s"]),
        ttfs_ms=_number(row["ttfs_ms"]),
        first_partial_ms=_number(row["first_partial_ms"]),
        baseline_ms=_number(row["baseline_ms"]),
        counts=ErrorCounts(row["S"], row["D"], row["I"], row["words"]),
        lost_words=len(row["lost_words"]),
        error=str(row["error"]),
        finals=tuple(_final(final) for final in row["finals"]),
    )


def _final(row: Mapping[str, Any]) -> FinalTimes:
    ledger = row["ledger"]
    return FinalTimes(
        start_s=float(row["start_s"]),
        held_after_ms=float(row["held_after_ms"]),
        floor_ms=_number(row["floor_ms"]),
        budget_ms=float(ledger["budget_ms"]),
        response_ms=float(ledger["response_ms"]),
        endpoint_wait_ms=float(ledger["endpoint_wait_ms"]),
        spent_ms={str(part["name"]): float(part["spent_ms"]) for part in ledger["slices"]},
        planned_ms={str(part["name"]): float(part["planned_ms"]) for part in ledger["slices"]},
        late=bool(ledger["late"]),
        degraded=bool(ledger["degraded"]),
    )


def _capacity(fields: Mapping[str, Any], name: str) -> CapacityResult:
    curve = [
        CapacityPoint(
            streams=int(point["streams"]),
            passed=bool(point["passed"]),
            valid=bool(point["valid"]),
            ttfs_ms=dict(point["ttfs_ms"]),
            failed_because=tuple(map(str, point["failed_because"])),
            repeats_passed=tuple(bool(repeat["passed"]) for repeat in point["repeats"]),
            fields=point,
        )
        for point in fields["curve"]
    ]
    slo = fields["slo"]
    by_streams = tuple(sorted(curve, key=lambda point: point.streams))
    return CapacityResult(name, int(fields["max_streams"]), float(slo["ttfs_ms"]), float(slo["percentile"]), by_streams, fields)


def _soak(fields: Mapping[str, Any], name: str) -> SoakResult:
    samples = tuple(Sample(**one) for one in fields["samples"])
    return SoakResult(name, bool(fields["passed"]), tuple(map(str, fields["failed_because"])), samples, fields)


def _number(value: object) -> float | None:
    """JSON's null is nothing measured. Raises TypeError for anything but a number."""
    if value is None:
        return None
    if not isinstance(value, (int, float)):
        raise TypeError(f"{value!r} is not a number")
    return float(value)
