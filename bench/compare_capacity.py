"""Two results of `bench capacity` held against each other: A, of what runs, and B, of the candidate. Pure.

B fails when it carries fewer streams and its repeats agree about it: at A's most streams, or at the fewest below that B failed at, not one
repeat passed. Near its limit a server passes now and then; a single step that some repeats still made is no regression. Points where the
bench itself was too slow prove nothing either way; when they decide, the comparison fails as not valid.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from asr_server.errors import WrongCall
from bench.compare import FailedGate
from bench.result import CapacityPoint, CapacityResult

SAME_SETUP = {
    "manifest_sha256": "manifest",
    "clips": "clips",
    "max_duration_s": "longest clip, s",
    "vad_stop_ms": "VAD stop",
    "interim_results": "partials",
}
"""Settings without which streams are not of the same thing."""


@dataclass(frozen=True, slots=True)
class CapacityComparison:
    before: CapacityResult
    after: CapacityResult

    @property
    def failed_gates(self) -> tuple[FailedGate, ...]:
        """Why the candidate fails; empty when it does not."""
        return tuple(_failed_gates(self))

    @property
    def points(self) -> tuple[tuple[int, CapacityPoint | None, CapacityPoint | None], ...]:
        """By number of streams, what each of the two has there."""
        before = {point.streams: point for point in self.before.curve}
        after = {point.streams: point for point in self.after.curve}
        return tuple((streams, before.get(streams), after.get(streams)) for streams in sorted({*before, *after}))

    def as_json(self) -> dict[str, object]:
        return {
            "failed_gates": [asdict(gate) for gate in self.failed_gates],
            "max_streams": {"before": self.before.max_streams, "after": self.after.max_streams},
            "curve": [{"streams": streams, "before": _point(one), "after": _point(other)} for streams, one, other in self.points],
            "unary": {"before": self.before.fields["unary"], "after": self.after.fields["unary"]},
            "systems": {"before": self.before.fields["system"], "after": self.after.fields["system"]},
        }


def compare_capacity(before: CapacityResult, after: CapacityResult) -> CapacityComparison:
    """Raises WrongCall for results of another promise or of another load."""
    if (before.slo_ms, before.percentile) != (after.slo_ms, after.percentile):
        raise WrongCall(f"not comparable: {_promise(before)}, then {_promise(after)}")
    for name, what in SAME_SETUP.items():
        one, other = before.fields["setup"][name], after.fields["setup"][name]
        if one != other:
            raise WrongCall(f"not comparable: {what} {one}, then {other}")
    return CapacityComparison(before, after)


def _failed_gates(comparison: CapacityComparison) -> Iterator[FailedGate]:
    before, after = comparison.before, comparison.after
    if after.max_streams >= before.max_streams:
        return
    limit = min((point for point in after.curve if not point.passed and point.streams <= before.max_streams), key=_streams, default=None)
    if limit is None:
        yield FailedGate("max_streams", f"max_streams: B was not tried with the {before.max_streams} streams that A carries")
    elif not limit.valid:
        yield FailedGate("valid", f"valid: B with {limit.streams} streams is not: {'; '.join(map(str, limit.fields['invalid_because']))}")
    elif not any(limit.repeats_passed):
        because = "; ".join(limit.failed_because)
        yield FailedGate("max_streams", f"max_streams: {after.max_streams}, {before.max_streams} before; with {limit.streams}: {because}")


def _point(point: CapacityPoint | None) -> dict[str, object] | None:
    if point is None:
        return None
    return {"passed": point.passed, "valid": point.valid, "ttfs_ms": point.ttfs_ms, **point.troubles}


def _streams(point: CapacityPoint) -> int:
    return point.streams


def _promise(result: CapacityResult) -> str:
    return f"{result.percentile:g} of 100 clips within {result.slo_ms:g} ms"
