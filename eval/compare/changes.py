"""What changed between two runs of the same clips: rates, sets, single clips, words in silence, the audio that was given. Pure."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from asr_server.accuracy.wer import total
from eval.intervals import difference
from eval.recognisers import Heard
from eval.result import ClipResult, Kind
from eval.significance import holm
from eval.speakers import owners

UNMEASURED_LUFS = -70.0
"""Below the absolute gate of BS.1770-4 there is no loudness: audio that has none counts as this loud."""

ONE_WAY = 0.75
"""A median that is less of the median without signs hides that clips moved both ways."""

Both = tuple[ClipResult, ClipResult]
"""One clip in the run before and in the run after."""


@dataclass(frozen=True, slots=True)
class RateChange:
    """An error rate over the clips of both runs. Rates are from 0: 0.08 is 8 %, of words or of characters."""

    clips: int
    words: int
    errors_before: int
    errors_after: int
    difference: float
    """After less before: above 0 is worse."""
    ci95: tuple[float, float] | None
    """Of the paired bootstrap over speakers and clips; None of a single clip."""
    p: float
    """Two-sided, of flipped signs by speaker."""

    @property
    def before(self) -> float:
        return self.errors_before / self.words

    @property
    def after(self) -> float:
        return self.errors_after / self.words


@dataclass(frozen=True, slots=True)
class SetChange:
    """One set's rate of words or characters."""

    set: str
    kind: Kind
    rate: RateChange
    p_holm: float
    """The rate's p, corrected for the number of sets."""
    speakers: int
    """A clip without a speaker counts as one."""


@dataclass(frozen=True, slots=True)
class ClipChange:
    """One clip that was heard otherwise than before. Texts are normalised, as compared."""

    id: str
    set: str
    kind: Kind
    words: int
    errors_before: int
    errors_after: int
    reference: str
    before: str
    after: str
    given_lufs_before: float | None
    given_lufs_after: float | None

    @property
    def change(self) -> int:
        """Errors more than before."""
        return self.errors_after - self.errors_before


@dataclass(frozen=True, slots=True)
class SilenceChange:
    """Words heard in recordings in which nobody speaks, of those that both runs heard."""

    clips: int
    minutes: float
    words_before: int
    words_after: int

    @property
    def before(self) -> float:
        """Words a minute."""
        return self.words_before / self.minutes

    @property
    def after(self) -> float:
        return self.words_after / self.minutes

    @property
    def difference(self) -> float:
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class Shift:
    """How one measure of the audio differs, over clips: after less before."""

    clips: int
    median: float
    median_absolute: float
    """Of the differences without their signs: what is moved up in half of the clips and down in the others does not cancel out in it."""
    clips_beyond: int
    """Further off than tolerated."""

    @property
    def both_ways(self) -> bool:
        """The median tells little of how far clips moved, since some moved up and others down."""
        return abs(self.median) < ONE_WAY * self.median_absolute


@dataclass(frozen=True, slots=True)
class GivenChange:
    """The audio the recogniser was given, over clips of which both runs know it."""

    loudness_lu: Shift | None
    """None when one of the runs does not know it."""
    length: Shift
    """As a share of the length before: -0.5 is half as long."""


def rate_change(clips: Sequence[Both]) -> RateChange | None:
    """None when there are no reference words."""
    before, after = [one.counts for one, _ in clips], [two.counts for _, two in clips]
    found = difference(before, after, [one.speaker for one, _ in clips])
    if found is None:
        return None
    errors_before, errors_after = total(before).errors, total(after).errors
    return RateChange(len(clips), total(before).words, errors_before, errors_after, found.rate, found.ci95, found.p_value)


def set_changes(clips: Sequence[Both]) -> list[SetChange]:
    """Every set, the one that got worst first."""
    members: dict[tuple[str, Kind], list[Both]] = {}
    for both in clips:
        members.setdefault((both[0].set, both[0].kind), []).append(both)
    rates = [(key, rate) for key, inside in members.items() if key[1] != "silence" and (rate := rate_change(inside)) is not None]
    corrected = holm([rate.p for _, rate in rates])
    found = [
        SetChange(name, kind, rate, p, len(set(owners([one.speaker for one, _ in members[name, kind]]))))
        for ((name, kind), rate), p in zip(rates, corrected, strict=True)
    ]
    return sorted(found, key=lambda one: (-one.rate.difference, one.set, one.kind))


def clip_changes(clips: Sequence[Both]) -> list[ClipChange]:
    """Clips whose words differ, the one that got worst first."""
    found = [
        ClipChange(
            before.id,
            before.set,
            before.kind,
            before.counts.words,
            before.counts.errors,
            after.counts.errors,
            before.reference_words,
            before.hypothesis_words,
            after.hypothesis_words,
            before.heard.given_lufs,
            after.heard.given_lufs,
        )
        for before, after in clips
        if before.hypothesis_words != after.hypothesis_words
    ]
    return sorted(found, key=lambda one: (-one.change, one.id))


def silence_change(clips: Sequence[Both]) -> SilenceChange | None:
    """None when neither run heard a recording without speech that the other heard too."""
    heard = [(before, after) for before, after in clips if before.kind == "silence" and before.audio and after.audio]
    minutes = sum(before.audio.duration_s for before, _ in heard if before.audio) / 60
    if not minutes:
        return None
    words_before, words_after = (sum(len(both[side].hypothesis_words.split()) for both in heard) for side in (0, 1))
    return SilenceChange(len(heard), minutes, words_before, words_after)


def given_change(clips: Sequence[Both], *, loudness_lu: float, length: float, knows_loudness: bool = True) -> GivenChange | None:
    """None when of no clip both runs know what the recogniser was given. `loudness_lu`, `length`: what is tolerated; `knows_loudness`:
    whether both runs do."""
    known = [(one.heard, two.heard) for one, two in clips if one.heard.given_s is not None and two.heard.given_s is not None]
    lengths = [two.given_s / one.given_s - 1.0 for one, two in known if one.given_s and two.given_s is not None]
    if not lengths:
        return None
    differences_lu = [_lufs(two) - _lufs(one) for one, two in known]
    return GivenChange(_shift(differences_lu, loudness_lu) if knows_loudness else None, _shift(lengths, length))


def _lufs(heard: Heard) -> float:
    return UNMEASURED_LUFS if heard.given_lufs is None else heard.given_lufs


def _shift(differences: Sequence[float], tolerated: float) -> Shift:
    absolute = [abs(one) for one in differences]
    return Shift(len(absolute), statistics.median(differences), statistics.median(absolute), sum(1 for one in absolute if one > tolerated))
