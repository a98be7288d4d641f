"""Results of `python -m bench`, read back: what `compare` and the page work on."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from asr_server.accuracy.wer import ErrorCounts
from asr_server.errors import WrongCall
from bench import values
from bench.growth import Sample
from bench.quantiles import Quantiles, quantiles

MACHINE = ("cpu", "cores", "flags")
"""What is the machine of a result's `machine`; the rest are versions."""
YARDSTICK = ("ctranslate2", "faster_whisper")
"""Libraries that the baseline's speed hangs on: where one differs, it does not tell how fast the machine was."""
LATER_SETUP: Mapping[str, Any] = {"preset": "", "eager_results": False, "end": "silence", "config": None}
"""Settings that results of before they could be chosen do not name, and what was done then; of a preset it is not known which."""
_SETUP = ("manifest_sha256", "interim_results", "preset", "own_server", "config", "vad_stop_ms", "budget_ms")
LATENCY_SETUP = (*_SETUP, "eager_results", "end", "warm_up_clips", "model_alone")
CAPACITY_SETUP = (*_SETUP, "clips", "max_duration_s")
"""Of how it was measured, what comparing looks at."""
TIMES = ("ttfs_ms", "response_ms", "floor_ms", "baseline_ms")
COUNTS = ("late", "degraded", "lost", "early", "refused")
UNREAD = {"recovery": "overload", "quiet": "idle"}
"""Commands whose results are read by people alone, by a field that only theirs have."""
TROUBLES = ("late", "refused", "lost", "early", "failed")
"""What never should happen at any number of streams."""


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
    """None when nothing was said, and when no final came or only ones before the end of speech."""
    first_partial_ms: float | None
    baseline_ms: float | None
    """None when it was not measured."""
    counts: ErrorCounts
    lost: ErrorCounts
    """Deletions only: reference words that were right with full context, and were not in the stream."""
    error: str
    finals: tuple[FinalTimes, ...]

    @property
    def deciding(self) -> FinalTimes | None:
        """The final that `ttfs_ms` is of: the last to come of those that began before the speech ended. None without a `ttfs_ms`."""
        if self.ttfs_ms is None:
            return None
        of_speech = [final for final in self.finals if final.start_s < self.speech_end_s]
        return max(of_speech, key=lambda final: final.held_after_ms, default=None)

    @property
    def is_early(self) -> bool:
        """Something was said, finals came, and none for its end."""
        return self.ttfs_ms is None and bool(self.finals) and bool(self.reference.strip())

    @property
    def is_lost(self) -> bool:
        """Something was said and no final came."""
        return not self.finals and bool(self.reference.strip())


@dataclass(frozen=True, slots=True)
class LatencyResult:
    """Of `bench latency`."""

    name: str
    clips: Mapping[str, ClipTimes]
    """By id, in the order in which they ended."""
    streams: int
    invalid_because: tuple[str, ...]
    """Empty for a run that is valid."""
    times_ms: Mapping[str, Quantiles]
    """Of TIMES."""
    counts: Mapping[str, int]
    """Of COUNTS."""
    text_rules: str
    planned_ms: Mapping[str, float]
    """The parts of a time to final text that have a plan: VAD stop and the slices."""
    setup: Mapping[str, Any]
    machine: Mapping[str, Any]
    system: Mapping[str, Any]
    fields: Mapping[str, Any]
    """All of the JSON; where it is of before answers were timed, with none."""

    @property
    def finals(self) -> tuple[FinalTimes, ...]:
        return tuple(final for clip in self.clips.values() for final in clip.finals)

    def clip_at(self, share: float) -> ClipTimes | None:
        """The one whose TTFS is that quantile, by nearest rank as in `ttfs_ms`; None when there were no finals."""
        ordered = sorted((clip for clip in self.clips.values() if clip.ttfs_ms is not None), key=lambda clip: clip.ttfs_ms or 0.0)
        return ordered[max(ceil(share * len(ordered)) - 1, 0)] if ordered else None


@dataclass(frozen=True, slots=True)
class CapacityPoint:
    """What happened at one number of streams."""

    streams: int
    passed: bool
    valid: bool
    ttfs_ms: Quantiles
    at_percentile_ms: float | None
    """What the promise is held against: the percentile of all repeats together; None when it was not measured or is not told."""
    failed_because: tuple[str, ...]
    invalid_because: tuple[str, ...]
    repeats_passed: tuple[bool, ...]
    troubles: Mapping[str, int]
    """How often each of TROUBLES happened."""
    fields: Mapping[str, Any]
    """All of the point's JSON."""


@dataclass(frozen=True, slots=True)
class CapacityResult:
    """Of `bench capacity`."""

    name: str
    max_streams: int
    slo_ms: float
    percentile: float
    curve: tuple[CapacityPoint, ...]
    """By number of streams."""
    requests_per_s: float | None
    """Of whole files, one call each; None when that was not measured."""
    setup: Mapping[str, Any]
    machine: Mapping[str, Any]
    system: Mapping[str, Any]
    fields: Mapping[str, Any]

    @property
    def shown_share(self) -> str:
        """The percentile that is shown: the promised one, p95 where a point does not tell that one."""
        told = all(point.at_percentile_ms is not None for point in self.curve if point.ttfs_ms["p95"] is not None)
        return f"p{self.percentile:g}" if told else "p95"

    def shown_ms(self, point: CapacityPoint) -> float | None:
        """The time of that percentile; None where nothing was measured."""
        return point.ttfs_ms["p95"] if self.shown_share == "p95" else point.at_percentile_ms


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
    except (ValueError, RecursionError):
        raise WrongCall(f"{path} is not JSON: wanted a result of `python -m bench ... --json`") from None
    return result_of(fields, str(path))


def result_of(fields: Any, name: str) -> Result:  # noqa: ANN401 - JSON, whose shape is found out here
    """The JSON of any bench as it is. `name`: what a reader knows it by. Raises WrongCall when it is none of this version's."""
    try:
        for field, command in UNREAD.items():
            if field in fields:
                raise WrongCall(f"{name} is of `bench {command}`, which is neither compared nor made a page of")
        if "max_streams" in fields:
            return _capacity(fields, name)
        if "samples" in fields:
            return _soak(fields, name)
        return _latency(fields, name)
    except (TypeError, ValueError) as error:
        raise WrongCall(f"{name} is not a result of this version's `python -m bench`: {error}") from None


def _latency(fields: Mapping[str, Any], name: str) -> LatencyResult:
    clips = [_clip(row) for row in values.rows(fields, "runs")]
    setup = _setup(fields, LATENCY_SETUP)
    return LatencyResult(
        name=name,
        clips={clip.id: clip for clip in clips},
        streams=values.count(fields, "streams"),
        invalid_because=values.texts(fields, "invalid_because"),
        times_ms={one: values.times(fields, one) for one in TIMES},
        counts={one: values.count(fields, one) for one in COUNTS},
        text_rules=values.text(fields, "text_rules"),
        planned_ms={"vad_stop": values.number(setup, "vad_stop_ms"), **values.numbers(setup, "budget_ms")},
        setup=setup,
        machine=values.group(fields, "machine", (*MACHINE, *YARDSTICK)),
        system=values.group(fields, "system"),
        fields={"answer_ms": quantiles([]), **fields},
    )


def _setup(fields: Mapping[str, Any], wanted: Iterable[str]) -> Mapping[str, Any]:
    found = values.group(fields, "setup", [name for name in wanted if name not in LATER_SETUP])
    return {**LATER_SETUP, **found}


def _clip(row: object) -> ClipTimes:
    counts = ErrorCounts(*(values.count(row, name) for name in ("S", "D", "I", "words")))
    return ClipTimes(
        id=values.text(row, "id"),
        reference=values.text(row, "ref"),
        hypothesis=values.text(row, "hyp"),
        speech_end_s=values.number(row, "speech_end_s"),
        ttfs_ms=values.measured(row, "ttfs_ms"),
        first_partial_ms=values.measured(row, "first_partial_ms"),
        baseline_ms=values.measured(row, "baseline_ms", least=0.0),
        counts=counts,
        lost=ErrorCounts(deletions=len(values.rows(row, "lost_words")), words=counts.words),
        error=values.text(row, "error"),
        finals=tuple(_final(final) for final in values.rows(row, "finals")),
    )


def _final(row: object) -> FinalTimes:
    ledger = values.group(row, "ledger")
    slices = {values.text(part, "name"): part for part in values.rows(ledger, "slices")}
    return FinalTimes(
        start_s=values.number(row, "start_s"),
        held_after_ms=values.number(row, "held_after_ms"),
        floor_ms=values.measured(row, "floor_ms"),
        budget_ms=values.number(ledger, "budget_ms"),
        response_ms=values.number(ledger, "response_ms"),
        endpoint_wait_ms=values.number(ledger, "endpoint_wait_ms"),
        spent_ms={name: values.number(part, "spent_ms") for name, part in slices.items()},
        planned_ms={name: values.number(part, "planned_ms") for name, part in slices.items()},
        late=values.flag(ledger, "late"),
        degraded=bool(values.rows(ledger, "degraded")),
    )


def _capacity(fields: Mapping[str, Any], name: str) -> CapacityResult:
    slo = values.group(fields, "slo")
    percentile = values.number(slo, "percentile")
    curve = [_point(point, percentile) for point in values.rows(fields, "curve")]
    unary = values.value(fields, "unary")
    return CapacityResult(
        name=name,
        max_streams=values.count(fields, "max_streams"),
        slo_ms=values.number(slo, "ttfs_ms"),
        percentile=percentile,
        curve=tuple(sorted(curve, key=lambda point: point.streams)),
        requests_per_s=None if unary is None else values.number(unary, "requests_per_s", least=0.0),
        setup=_setup(fields, CAPACITY_SETUP),
        machine=values.group(fields, "machine", MACHINE),
        system=values.group(fields, "system"),
        fields=fields,
    )


def _point(point: Mapping[str, Any], percentile: float) -> CapacityPoint:
    ttfs_ms, of_repeats = values.times(point, "ttfs_ms"), values.value(point, "at_percentile_ms")
    at_percentile_ms = ttfs_ms.get(f"p{percentile:g}")
    if of_repeats is not None and "pooled" in of_repeats:
        at_percentile_ms = values.measured(of_repeats, "pooled")
    return CapacityPoint(
        streams=values.count(point, "streams"),
        passed=values.flag(point, "passed"),
        valid=values.flag(point, "valid"),
        ttfs_ms=ttfs_ms,
        at_percentile_ms=at_percentile_ms,
        failed_because=values.texts(point, "failed_because"),
        invalid_because=values.texts(point, "invalid_because"),
        repeats_passed=tuple(values.flag(repeat, "passed") for repeat in values.rows(point, "repeats")),
        troubles={one: values.count(point, one) for one in TROUBLES},
        fields=point,
    )


def _soak(fields: Mapping[str, Any], name: str) -> SoakResult:
    samples = tuple(Sample(**one) for one in values.rows(fields, "samples"))
    return SoakResult(name, values.flag(fields, "passed"), values.texts(fields, "failed_because"), samples, fields)
