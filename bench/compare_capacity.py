"""Two results of `bench capacity` held against each other: A, of what runs, and B, of the candidate. Pure.

**Streams.** B fails when it carries fewer. Near its limit a server passes now and then, so one step is excused: when the fewest streams
that B failed at are the most that A carries, and a repeat of B passed there. Points where the bench itself was too slow prove nothing
either way; when they decide, the comparison fails as not valid.

**Whole files.** B fails when it answers fewer requests a second by more than UNARY_TOLERATED, on the same machine. A capacity has no
baseline that would tell how fast the machine was: what is tolerated is what the mood of a shared machine alone does.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from asr_server.errors import WrongCall
from bench.compare import FailedGate
from bench.differences import differences, different, machine_notes, said, same_machine, setup_notes
from bench.result import CapacityPoint, CapacityResult
from eval.compare.systems import SystemDifference

SAME_SETUP = {
    "manifest_sha256": "manifest",
    "clips": "clips",
    "max_duration_s": "longest clip, s",
    "preset": "preset",
    "vad_stop_ms": "VAD stop",
    "interim_results": "partials",
}
"""Settings without which streams are not of the same thing."""
NOTED_SETUP = {"own_server": "server started for the run", "config": "settings of the server", "budget_ms": "budget"}
UNARY_TOLERATED = 1 / 3
"""Where one run's machine is quicker or slower by 15 % (one standard deviation, as tests/bench/timing_simulation.py has it), 3 % of pairs
of the same thing differ by more; by more than a fifth, 15 % do."""


@dataclass(frozen=True, slots=True)
class CapacityComparison:
    before: CapacityResult
    after: CapacityResult

    @property
    def failed_gates(self) -> tuple[FailedGate, ...]:
        """Why the candidate fails; empty when it does not."""
        return tuple(_failed_gates(self))

    @property
    def differences(self) -> tuple[SystemDifference, ...]:
        """Code, data definition, release, and the machine and libraries under them."""
        return tuple(differences(self.before, self.after))

    @property
    def notes(self) -> tuple[str, ...]:
        """What the reader must know before believing the rest."""
        return tuple(_notes(self))

    @property
    def points(self) -> tuple[tuple[int, CapacityPoint | None, CapacityPoint | None], ...]:
        """By number of streams, what each of the two has there."""
        before = {point.streams: point for point in self.before.curve}
        after = {point.streams: point for point in self.after.curve}
        return tuple((streams, before.get(streams), after.get(streams)) for streams in sorted({*before, *after}))

    def as_json(self) -> dict[str, object]:
        return {
            "failed_gates": [asdict(gate) for gate in self.failed_gates],
            "notes": list(self.notes),
            "max_streams": {"before": self.before.max_streams, "after": self.after.max_streams},
            "curve": [{"streams": streams, "before": _point(one), "after": _point(other)} for streams, one, other in self.points],
            "unary": {"before": self.before.fields["unary"], "after": self.after.fields["unary"]},
            "systems": {
                "before": self.before.system,
                "after": self.after.system,
                "differences": [asdict(one) for one in self.differences],
            },
        }


def compare_capacity(before: CapacityResult, after: CapacityResult) -> CapacityComparison:
    """Raises WrongCall for results of another promise or of another load."""
    if (before.slo_ms, before.percentile) != (after.slo_ms, after.percentile):
        raise WrongCall(f"not comparable: {_promise(before)}, then {_promise(after)}")
    for name in different(before.setup, after.setup, SAME_SETUP):
        raise WrongCall(f"not comparable: {SAME_SETUP[name]} {said(before.setup[name])}, then {said(after.setup[name])}")
    return CapacityComparison(before, after)


def _failed_gates(comparison: CapacityComparison) -> Iterator[FailedGate]:
    yield from _streams_gate(comparison.before, comparison.after)
    yield from _unary_gate(comparison.before, comparison.after)


def _streams_gate(before: CapacityResult, after: CapacityResult) -> Iterator[FailedGate]:
    if after.max_streams >= before.max_streams:
        return
    limit = min((point for point in after.curve if not point.passed and point.streams <= before.max_streams), key=_streams, default=None)
    if limit is None:
        yield FailedGate("max_streams", f"max_streams: B was not tried with the {before.max_streams} streams that A carries")
    elif not limit.valid:
        yield FailedGate("valid", f"valid: B with {limit.streams} streams is not: {'; '.join(limit.invalid_because)}")
    elif limit.streams < before.max_streams or not any(limit.repeats_passed):
        because = "; ".join(limit.failed_because)
        yield FailedGate("max_streams", f"max_streams: {after.max_streams}, {before.max_streams} before; with {limit.streams}: {because}")


def _unary_gate(before: CapacityResult, after: CapacityResult) -> Iterator[FailedGate]:
    one, other = before.requests_per_s, after.requests_per_s
    if one is None or other is None or not same_machine(before, after):
        return
    if other < one * (1 - UNARY_TOLERATED):
        yield FailedGate("unary", f"unary: {other:.2f} whole files a second, {one:.2f} before; {UNARY_TOLERATED:.0%} fewer are tolerated")


def _notes(comparison: CapacityComparison) -> Iterator[str]:
    before, after = comparison.before, comparison.after
    yield from machine_notes(before, after)
    yield from setup_notes(before, after, NOTED_SETUP)
    told = [result.requests_per_s is not None for result in (before, after)]
    if all(told) and not same_machine(before, after):
        yield "whole files a second are not judged: another machine"
    elif any(told) and not all(told):
        yield f"whole files a second are not judged: not measured in {'B' if told[0] else 'A'}"


def _point(point: CapacityPoint | None) -> dict[str, object] | None:
    if point is None:
        return None
    return {"passed": point.passed, "valid": point.valid, "ttfs_ms": point.ttfs_ms, **point.troubles}


def _streams(point: CapacityPoint) -> int:
    return point.streams


def _promise(result: CapacityResult) -> str:
    return f"{result.percentile:g} of 100 clips within {result.slo_ms:g} ms"
