"""Two results of `bench latency` held against each other: A, of what runs, and B, of the candidate. Pure.

**Slower** stages fail, by the rule of bench/slower.py. **Words** must not get fewer: a clip newly lost, answered before its end, or failed
fails; more errors, or more lost words, fail when they are clearly more: p of the paired difference is below SIGNIFICANT, and the difference
above WORDS_TOLERATED of the reference words. Six clips or more are needed for that; `eval compare` is the gate of accuracy. **Late** finals
fail when they are clearly more; one that the slower machine explains does not count. **Invalid** runs fail: the bench was too slow to tell.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from asr_server.accuracy.wer import ErrorCounts, total
from asr_server.errors import WrongCall
from bench.differences import differences, different, machine_notes, said, setup_notes
from bench.paired import Shift, share
from bench.result import COUNTS, ClipTimes, LatencyResult
from bench.slower import SEEN_MS, StageDifference, Tolerance, stage_differences, times_as_slow
from eval.compare.systems import SystemDifference
from eval.intervals import Difference, difference

WORDS_TOLERATED = 0.005
SIGNIFICANT = 0.05
FEWEST_TO_TELL = 6
"""Clips that all get worse have p below SIGNIFICANT from here on (signs flipped: 2 of 64 ways)."""
MOOD_SAID = 1.25
"""Machines that differ by more are mentioned."""

SAME_SETUP = {"preset": "preset", "vad_stop_ms": "VAD stop", "interim_results": "partials", "end": "end of a call by"}
"""Settings without which times are not of the same thing."""
NOTED_SETUP = {
    "own_server": "server started for the run",
    "config": "settings of the server",
    "model_alone": "model of floor and baseline",
    "warm_up_clips": "clips to warm up",
    "eager_results": "eager results",
    "budget_ms": "budget",
}


@dataclass(frozen=True, slots=True)
class FailedGate:
    """One reason why the candidate fails."""

    gate: str
    message: str
    """One line for the user, beginning with the gate."""


@dataclass(frozen=True, slots=True)
class Words:
    """Reference words that came out wrong, as shares."""

    before: float
    after: float
    shift: Difference

    @property
    def clearly_more(self) -> bool:
        return self.shift.p_value < SIGNIFICANT and self.shift.rate > WORDS_TOLERATED

    def as_json(self) -> dict[str, object]:
        return {
            "before": round(self.before, 5),
            "after": round(self.after, 5),
            "difference": round(self.shift.rate, 5),
            "ci95": self.shift.ci95 and [round(bound, 5) for bound in self.shift.ci95],
            "p": self.shift.p_value,
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    before: LatencyResult
    after: LatencyResult
    machine: float | None
    """How long it took in B for work that took 1 in A; None when that is not known."""
    stages: tuple[StageDifference, ...]
    wer: Words | None
    """None when the clips have no words."""
    lost_words: Words | None
    late: Shift
    """Finals a clip."""
    newly_lost: tuple[str, ...]
    newly_early: tuple[str, ...]
    newly_failed: tuple[str, ...]
    """Ids of clips."""

    @property
    def failed_gates(self) -> tuple[FailedGate, ...]:
        """Why the candidate fails; empty when it does not."""
        return tuple(_failed_gates(self))

    @property
    def blind(self) -> tuple[StageDifference, ...]:
        return tuple(stage for stage in self.stages if stage.is_blind)

    @property
    def differences(self) -> tuple[SystemDifference, ...]:
        """Code, data definition, release, and the machine and libraries under them."""
        return tuple(differences(self.before, self.after))

    @property
    def notes(self) -> tuple[str, ...]:
        """What the reader must know before believing the rest."""
        return tuple(_notes(self))

    def as_json(self) -> dict[str, object]:
        one, other = self.before, self.after
        return {
            "failed_gates": [asdict(gate) for gate in self.failed_gates],
            "notes": list(self.notes),
            "machine": {"times_as_slow": None if self.machine is None else round(self.machine, 3)},
            "stages": [stage.as_json() for stage in self.stages],
            **{name: {"before": one.times_ms[name], "after": other.times_ms[name]} for name in ("floor_ms", "baseline_ms")},
            "ratios": ratios(self),
            "wer": None if self.wer is None else self.wer.as_json(),
            "lost_words": None if self.lost_words is None else self.lost_words.as_json(),
            "counts": {name: {"before": one.counts[name], "after": other.counts[name]} for name in COUNTS},
            "newly_lost": list(self.newly_lost),
            "newly_early": list(self.newly_early),
            "newly_failed": list(self.newly_failed),
            "systems": {"before": one.system, "after": other.system, "differences": [asdict(one) for one in self.differences]},
        }


def compare(before: LatencyResult, after: LatencyResult, tolerance: Tolerance) -> Comparison:
    """Raises WrongCall for runs that are not of the same thing: other clips, streams, settings or rules for texts."""
    _check_comparable(before, after)
    machine = times_as_slow(before, after)
    pairs = [(clip, after.clips[clip.id]) for clip in before.clips.values()]
    return Comparison(
        before,
        after,
        machine,
        stage_differences(before, after, tolerance=tolerance, machine=machine),
        wer=_words([one.counts for one, _ in pairs], [other.counts for _, other in pairs]),
        lost_words=_words([one.lost for one, _ in pairs], [other.lost for _, other in pairs]),
        late=share([_late(one, 1.0) for one, _ in pairs], [_late(other, max(machine or 1.0, 1.0)) for _, other in pairs]),
        newly_lost=tuple(one.id for one, other in pairs if other.is_lost and not one.is_lost),
        newly_early=tuple(one.id for one, other in pairs if other.is_early and not one.is_early),
        newly_failed=tuple(one.id for one, other in pairs if other.error and not one.error),
    )


def ratios(comparison: Comparison) -> dict[str, dict[str, float | None]]:
    """Medians as multiples of what the same run measured alone: these hold on a machine that is faster one day than the next."""

    def of(run: LatencyResult, times: str, alone: str) -> float | None:
        measured_ms, alone_ms = run.times_ms[times]["p50"], run.times_ms[alone]["p50"]
        return round(measured_ms / alone_ms, 3) if measured_ms is not None and alone_ms else None

    wanted = {"response_to_floor": ("response_ms", "floor_ms"), "ttfs_to_baseline": ("ttfs_ms", "baseline_ms")}
    runs = {"before": comparison.before, "after": comparison.after}
    return {name: {which: of(run, *fields) for which, run in runs.items()} for name, fields in wanted.items()}


def _failed_gates(comparison: Comparison) -> Iterator[FailedGate]:
    for which, run in (("A", comparison.before), ("B", comparison.after)):
        if run.invalid_because:
            yield FailedGate("valid", f"valid: {which} is not: {'; '.join(run.invalid_because)}")
    for stage in comparison.stages:
        for figure, what in ((stage.typical, "the typical clip"), (stage.tail, "the 95th percentile")):
            if figure is not None and figure.is_slower:
                shift = figure.scaled
                yield FailedGate(
                    stage.stage,
                    f"{stage.stage}: {what} is {shift.ms:.0f} ms slower (95 % between {shift.low_ms:.0f} and {shift.high_ms:.0f}; "
                    f"{figure.tolerated_ms:.0f} are tolerated)",
                )
    if comparison.late.low_ms > 0:
        late = [run.counts["late"] for run in (comparison.before, comparison.after)]
        yield FailedGate("late", f"late: {late[1]} finals over their budget, {late[0]} before")
    newly = {
        "lost": ("no final", comparison.newly_lost),
        "early": ("no final for the end", comparison.newly_early),
        "failed": ("an error", comparison.newly_failed),
    }
    for name, (what, clips) in newly.items():
        if clips:
            yield FailedGate(name, f"{name}: {what} of {len(clips)} clips that were heard before: {', '.join(clips[:5])}")
    for name, words in (("wer", comparison.wer), ("lost_words", comparison.lost_words)):
        if words is not None and words.clearly_more:
            yield FailedGate(name, f"{name}: {words.after:.2%} of the words, {words.before:.2%} before (p {words.shift.p_value:.3f})")


def _notes(comparison: Comparison) -> Iterator[str]:
    one, other = comparison.before, comparison.after
    yield from machine_notes(one, other)
    yield from setup_notes(one, other, NOTED_SETUP)
    if different(one.setup, other.setup, ("manifest_sha256",)):
        yield "another manifest: the clips have the same ids and texts; whether they are the same recordings is not known"
    if comparison.machine is None:
        yield "how fast the machine was is not known: no baseline, or not of the same model and libraries; times are compared as measured"
    elif not 1 / MOOD_SAID < comparison.machine < MOOD_SAID:
        yield f"the machine took {comparison.machine:.2f} times as long for the same work in B, by the baselines"
    if len(one.clips) < FEWEST_TO_TELL:
        yield f"{len(one.clips)} clips cannot tell whether words got worse: {FEWEST_TO_TELL} or more can"
    for stage in comparison.blind:
        yield (
            f"{stage.stage}: a slowdown of {SEEN_MS:.0f} ms might have gone unseen, only one of {stage.typical.sees_from_ms:.0f} ms would "
            f"surely have shown; more clips, or a quieter machine, see more"
        )


def _check_comparable(before: LatencyResult, after: LatencyResult) -> None:
    if before.streams != after.streams:
        raise WrongCall(f"not comparable: {before.streams} streams in {before.name}, {after.streams} in {after.name}")
    for name in different(before.setup, after.setup, SAME_SETUP):
        raise WrongCall(f"not comparable: {SAME_SETUP[name]} {said(before.setup[name])}, then {said(after.setup[name])}")
    if before.text_rules != after.text_rules:
        raise WrongCall(f"not comparable: texts by the rules {before.text_rules}, then {after.text_rules}")
    if only := sorted(before.clips.keys() ^ after.clips.keys()):
        raise WrongCall(f"not comparable: {len(only)} clips are in one of the two only, such as {only[0]}")
    if not before.clips:
        raise WrongCall("not comparable: no clips")
    for clip in before.clips.values():
        if clip.reference != after.clips[clip.id].reference:
            raise WrongCall(f"not comparable: another reference for the clip {clip.id}")


def _words(before: Sequence[ErrorCounts], after: Sequence[ErrorCounts]) -> Words | None:
    shift = difference(before, after, [None] * len(before))
    one, other = total(before).rate, total(after).rate
    return None if shift is None or one is None or other is None else Words(one, other, shift)


def _late(clip: ClipTimes, machine: float) -> int:
    """Finals over their budget that would be on a machine which takes `machine` times as long."""
    return sum(final.late and final.response_ms > final.budget_ms * machine for final in clip.finals)
