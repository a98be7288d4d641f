"""Where a run's word errors are: slices of the collection, each held against the rest of it, the most costly first. Pure.

Slices are of clips with speech in languages that put spaces between words: characters and words heard in silence would not add with their
errors. Slices of one dimension add up to the whole, except those of conditions, of which a clip may have several.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asr_server.accuracy.wer import ErrorCounts, total
from eval.intervals import Sampled, ci95, draws, least_difference
from eval.result import ClipResult, RunResult
from eval.slices.bands import NAMED, Place, places
from eval.speakers import owners

LEAST_CLIPS = 5
"""Fewer clips, in a slice or outside, tell nothing about clips that were not recorded: an interval from draws of one clip is a point."""
LEAST_SPEAKERS = 3
"""The same of speakers: what one or two of them have in common may be their voices. Slices by speaker are of one, and are asked about
that one."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Clips that have one thing in common, and how they compare with all others. Rates and shares are from 0: 0.08 is 8 %."""

    dimension: str
    slice: str
    clip_ids: tuple[str, ...]
    speakers: int
    """How many different ones; clips without a speaker count one each."""
    words: int
    errors: int
    wer: float | None
    """None when there are no reference words."""
    ci95: tuple[float, float] | None
    share_of_errors: float
    share_of_words: float
    rest_wer: float | None
    """Of all clips outside the slice; None when no words are outside."""
    excess_errors: float
    """Errors beyond those that the rest's rate would give for as many words; below 0 where the slice is better than the rest."""
    sure_excess_errors: float
    """The same at the least difference from the rest that is sure, 0 where none is: what data of this kind would pay at least. A slice
    of half the collection that is hardly worse has much excess and little of it sure."""
    clear: bool
    """Worse than the rest beyond doubt, although many slices were looked at: LEAST_CLIPS of LEAST_SPEAKERS or more in the slice and
    outside, and the lower bound of the difference above 0 (`least_difference`, corrected for the number of slices)."""

    @property
    def clips(self) -> int:
        return len(self.clip_ids)

    @property
    def label(self) -> str:
        """To be read without its dimension beside it."""
        return f"{self.dimension} {self.slice}" if self.dimension in NAMED else self.slice


def spoken_clips(run: RunResult) -> list[ClipResult]:
    """Those whose errors are of words."""
    return [clip for clip in run.clips.values() if clip.kind == "words"]


def slices_of(run: RunResult) -> Sequence[Slice]:
    """Every slice; what would pay most to collect data for comes first: by the excess that is sure, then by excess."""
    clips = spoken_clips(run)
    members: dict[Place, list[ClipResult]] = {}
    for clip in clips:
        for place in places(clip):
            members.setdefault(place, []).append(clip)
    if not clips:
        return []
    drawn = draws([clip.speaker for clip in clips], seed=0)
    # Slices of the very same clips are one question.
    asked = len({_ids(inside) for place, inside in members.items() if _units(place, inside, clips)})
    found = [_slice(place, inside, clips, drawn, asked) for place, inside in members.items()]
    return sorted(found, key=lambda one: (-one.sure_excess_errors, -one.excess_errors, one.dimension, one.slice))


def _ids(clips: Sequence[ClipResult]) -> tuple[str, ...]:
    return tuple(clip.id for clip in clips)


def _speakers(clips: Sequence[ClipResult]) -> int:
    """How many different ones; clips without a speaker count one each."""
    return len(set(owners([clip.speaker for clip in clips])))


def _units(place: Place, inside: Sequence[ClipResult], everything: Sequence[ClipResult]) -> int:
    """How many tell of the side that has fewer of them: speakers, of a speaker the clips. 0 when they are too few to tell."""
    ids = set(_ids(inside))
    sides = (inside, [clip for clip in everything if clip.id not in ids])
    if min(len(side) for side in sides) < LEAST_CLIPS:
        return 0
    if place.dimension == "speaker":
        return len(inside)
    fewest = min(_speakers(side) for side in sides)
    return fewest if fewest >= LEAST_SPEAKERS else 0


def _least_difference(
    place: Place, inside: Sequence[ClipResult], everything: Sequence[ClipResult], drawn: NDArray[np.int64], asked: int
) -> float | None:
    """Of the slice from the rest; None where that cannot be told."""
    units, chosen = _units(place, inside, everything), set(_ids(inside))
    if not units:
        return None
    of, rest = ([clip.counts if (clip.id in chosen) is side else ErrorCounts.zero() for clip in everything] for side in (True, False))
    return least_difference(drawn, of, rest, units=units, asked=asked)


def _slice(place: Place, clips: Sequence[ClipResult], everything: Sequence[ClipResult], drawn: NDArray[np.int64], asked: int) -> Slice:
    ids = _ids(clips)
    counts, whole = total(clip.counts for clip in clips), total(clip.counts for clip in everything)
    rest_words, rest_errors = whole.words - counts.words, whole.errors - counts.errors
    rest_wer = rest_errors / rest_words if rest_words else None
    surely = max(_least_difference(place, clips, everything, drawn, asked) or 0.0, 0.0)
    return Slice(
        dimension=place.dimension,
        slice=place.slice,
        clip_ids=ids,
        speakers=_speakers(clips),
        words=counts.words,
        errors=counts.errors,
        wer=counts.rate,
        ci95=ci95([Sampled(clip.counts, clip.speaker) for clip in clips]),
        share_of_errors=counts.errors / whole.errors if whole.errors else 0.0,
        share_of_words=counts.words / whole.words if whole.words else 0.0,
        rest_wer=rest_wer,
        excess_errors=0.0 if rest_wer is None else counts.errors - counts.words * rest_wer,
        sure_excess_errors=counts.words * surely,
        clear=surely > 0.0,
    )
