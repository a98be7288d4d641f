"""Is a candidate worse than the release it would replace? Two runs over the same clips, held side by side, and a verdict. Pure.

The candidate fails when any of these holds:

- word error rate: over the clips of both runs it is higher by more than the tolerance; character error rate: the same, of languages without
  word spaces. The difference itself decides, not its significance: a gate that waits for significance lets
  any loss pass that the collection is too small to prove, and one that fails on significance alone makes the tolerance mean nothing once
  the collection is large. The interval and p are told beside it, so that the reader sees whether more clips would help. The same clips
  heard the same way differ by exactly 0; of the doubtful words that chance moves as many get right as wrong, which is far less than half a
  point of a few thousand words. In a collection so small that one error is more than the tolerance the gate stops at that one error: it
  says that the collection is small and that it may be chance, and leaves it to a person. A gate errs towards stopping.
- set: one set is worse by more than the tolerance, and significantly so after Holm's correction (signs of the speakers' changes flipped,
  p < 0.05). This finds what the corpus rate hides: many callers' speech lost while the rest improves. Here significance is asked for, since
  of many small sets some are always a little worse. A set of few speakers cannot be significant however bad it is (a note names those):
  what one voice loses says nothing of others; the sets' table shows it all the same.
- words in silence: in recordings without speech more words a minute than before, by more than tolerated.
- missing clips, failed clips: clips that are in the old run only, or that failed only in the new one. A candidate must not get better by
  leaving out.
- loudness given, length given: the recogniser was given audio that differs in loudness, or in length, by more than tolerated, in the median
  of the clips. It shows broken gain or trimming that a robust recogniser hides.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Literal

from asr_server.errors import WrongCall
from eval.compare.changes import (
    Both,
    ClipChange,
    GivenChange,
    RateChange,
    SetChange,
    Shift,
    SilenceChange,
    clip_changes,
    given_change,
    rate_change,
    set_changes,
    silence_change,
)
from eval.compare.systems import SystemDifference, notes, system_differences
from eval.result import Kind, RunResult

GateName = Literal[
    "word error rate",
    "character error rate",
    "set",
    "words in silence",
    "missing clips",
    "failed clips",
    "loudness given",
    "length given",
]

SIGNIFICANT = 0.05
_RATE_OF: dict[Kind, GateName] = {"words": "word error rate", "characters": "character error rate"}


@dataclass(frozen=True, slots=True)
class Tolerances:
    """How much worse, or how different, a candidate may be."""

    rate: float = 0.005
    """Of the word or character error rate, absolute: half a point."""
    silence: float = 1.0
    """Words a minute more in recordings without speech."""
    loudness_lu: float = 1.0
    """The data definition aims at one loudness within 0.1 LU; 1 LU is just audible."""
    length: float = 0.1
    """Share of the length. A tenth of a clip of 5 s is all the silence that the data definition keeps around its speech: keeping half as
    much, or a detector that hears the end 200 ms later, stays below."""

    def __post_init__(self) -> None:
        if bad := [field.name for field in fields(self) if not 0.0 <= getattr(self, field.name) < math.inf]:
            raise WrongCall(f"a tolerance must be 0 or more: {', '.join(bad)}")


DEFAULT_TOLERANCES = Tolerances()


@dataclass(frozen=True, slots=True)
class FailedGate:
    """One reason why the candidate fails."""

    gate: GateName
    message: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs side by side: `before` is the release that runs, `after` the candidate."""

    before: RunResult
    after: RunResult
    tolerances: Tolerances
    clips_in_both: int
    wer: RateChange | None
    """None without clips of that kind; so are the next two."""
    characters: RateChange | None
    silence: SilenceChange | None
    sets: Sequence[SetChange]
    clips: Sequence[ClipChange]
    only_before: Sequence[str]
    only_after: Sequence[str]
    newly_failed: Sequence[str]
    given: GivenChange | None
    """None when one of the runs does not know what its recogniser was given."""
    differences: Sequence[SystemDifference]
    notes: Sequence[str]
    """What the reader should know before trusting the figures."""

    @property
    def failed_gates(self) -> list[FailedGate]:
        """Why the candidate fails; empty when it does not."""
        return [*self._rates(), *self._sets(), *self._silence(), *self._missing(), *self._given()]

    def _rates(self) -> list[FailedGate]:
        rates = ((_RATE_OF["words"], self.wer), (_RATE_OF["characters"], self.characters))
        worse = ((gate, rate) for gate, rate in rates if rate is not None and rate.difference > self.tolerances.rate)
        return [FailedGate(gate, f"{gate} {_rate(rate)}; {_significance(rate.p)}") for gate, rate in worse]

    def _sets(self) -> list[FailedGate]:
        whole = {
            kind for kind in _RATE_OF if [one.kind for one in self.sets].count(kind) == 1
        }  # a lone set is the collection, judged above
        tested = (one for one in self.sets if one.kind not in whole and one.p_holm < SIGNIFICANT)
        worse = (one for one in tested if one.rate.difference > self.tolerances.rate)
        return [FailedGate("set", f"set {one.set}: {_RATE_OF[one.kind]} {_rate(one.rate)}; {_significance(one.p_holm)}") for one in worse]

    def _silence(self) -> list[FailedGate]:
        change = self.silence
        if change is None or change.difference <= self.tolerances.silence:
            return []
        words = f"{change.words_after} in {change.minutes:.1f} minutes, {change.words_before} before"
        return [FailedGate("words in silence", f"words in silence: {words}, {change.difference:+.2f} a minute")]

    def _missing(self) -> list[FailedGate]:
        found: tuple[tuple[GateName, Sequence[str], str], ...] = (
            ("missing clips", self.only_before, "in the run before and not in the run after"),
            ("failed clips", self.newly_failed, "failed in the run after and not in the run before"),
        )
        return [FailedGate(gate, f"{gate}: {len(clips)} {what}: {_some(clips)}") for gate, clips, what in found if clips]

    def _given(self) -> list[FailedGate]:
        if self.given is None:
            return []
        loudness, length = self.given.loudness_lu, self.given.length
        found = []
        if loudness is not None and loudness.median_absolute > self.tolerances.loudness_lu:
            found.append(FailedGate("loudness given", _audio(loudness, lambda by: f"{by:.1f} LU", "louder", "quieter")))
        if length.median_absolute > self.tolerances.length:
            found.append(FailedGate("length given", _audio(length, lambda by: f"{by * 100:.0f} %", "longer", "shorter")))
        return found


def in_both(before: RunResult, after: RunResult) -> list[Both]:
    """The clips that both runs have. Raises WrongCall for runs that cannot be compared: other text rules, other references, no clip in
    common."""
    if before.text_rules != after.text_rules:
        raise WrongCall(f"other text rules: {before.path} has {before.text_rules!r}, {after.path} {after.text_rules!r}")
    both = [(clip, after.clips[name]) for name, clip in before.clips.items() if name in after.clips]
    if not both:
        raise WrongCall(f"{before.path} and {after.path} have no clip in common")
    if other := [one.id for one, two in both if (one.reference, one.language) != (two.reference, two.language)]:
        raise WrongCall(f"other text or language under the same id in {before.path} and {after.path}: {_some(other)}")
    return both


def compare(before: RunResult, after: RunResult, tolerances: Tolerances = DEFAULT_TOLERANCES) -> Comparison:
    """Raises WrongCall as `in_both` does."""
    both = in_both(before, after)
    wer, characters = rate_change(_of(both, "words")), rate_change(_of(both, "characters"))
    sets = set_changes(both)
    return Comparison(
        before,
        after,
        tolerances,
        clips_in_both=len(both),
        wer=wer,
        characters=characters,
        silence=silence_change(both),
        sets=sets,
        clips=clip_changes(both),
        only_before=[name for name in before.clips if name not in after.clips],
        only_after=[name for name in after.clips if name not in before.clips],
        newly_failed=[two.id for one, two in both if two.error and not one.error],
        given=given_change(
            both,
            loudness_lu=tolerances.loudness_lu,
            length=tolerances.length,
            knows_loudness=before.knows_loudness and after.knows_loudness,
        ),
        differences=system_differences(before, after),
        notes=[
            *notes(before, after),
            *_given_unknown(before, after, both),
            *_too_few_speakers(sets),
            *_too_small(wer, "word", tolerances),
            *_too_small(characters, "character", tolerances),
        ],
    )


def _of(clips: Sequence[Both], kind: Kind) -> list[Both]:
    return [both for both in clips if both[0].kind == kind]


def _given_unknown(before: RunResult, after: RunResult, both: Sequence[Both]) -> list[str]:
    """What was given that one run knows and the other does not."""
    knows_length = [any(pair[side].heard.given_s is not None for pair in both) for side in (0, 1)]
    knows_loudness = [run.knows_loudness and length for run, length in zip((before, after), knows_length, strict=True)]
    return [
        f"{what} given is not known of {(before, after)[known.index(False)].path}: not compared"
        for what, known in (("loudness", knows_loudness), ("length", knows_length))
        if any(known) and not all(known)
    ]


def _too_few_speakers(sets: Sequence[SetChange]) -> list[str]:
    """Of several sets, those whose least p (every speaker worse: one sign of 2**(speakers - 1)) is not significant after correction."""
    unable = [one.set for one in sets if len(sets) * 2.0 ** (1 - one.speakers) >= SIGNIFICANT]
    if len(sets) < 2 or not unable:
        return []
    return [f"{len(unable)} of {len(sets)} sets have too few speakers to fail by themselves: {_some(unable)}"]


def _too_small(rate: RateChange | None, unit: str, tolerances: Tolerances) -> list[str]:
    if rate is None or rate.words * tolerances.rate >= 1.0:
        return []
    return [f"{rate.words} {unit}s are few for a tolerance of {tolerances.rate * 100:g} points: a single error more fails already"]


def _rate(rate: RateChange) -> str:
    points = f"{rate.difference * 100:+.2f} points, {_interval(rate.ci95)}"
    return f"{rate.after * 100:.2f} %, {rate.before * 100:.2f} % before ({points})"


def _interval(bounds: tuple[float, float] | None) -> str:
    return "of a single clip" if bounds is None else f"95 % from {bounds[0] * 100:+.2f} to {bounds[1] * 100:+.2f}"


def _significance(p: float) -> str:
    return f"p {p_value(p)}, {'significant' if p < SIGNIFICANT else 'not significant: it may be chance'}"


def p_value(p: float) -> str:
    """For people: never "0"."""
    return f"{p:.3f}" if p >= 0.001 else "<0.001"


def _audio(shift: Shift, written: Callable[[float], str], more: str, less: str) -> str:
    if shift.both_ways:
        how = f"that differs by {written(shift.median_absolute)}, in both directions"
    else:
        how = f"{written(abs(shift.median))} {more if shift.median > 0.0 else less}"
    return f"the recogniser was given audio {how} (median of {shift.clips} clips, {shift.clips_beyond} beyond the tolerance)"


def _some(ids: Sequence[str]) -> str:
    return ", ".join(ids[:5]) + (f" and {len(ids) - 5} more" if len(ids) > 5 else "")
