"""Where a run's word errors are: slices of the collection, each held against the rest of it, the most costly first. Pure.

Slices are of clips with speech in languages that put spaces between words: characters and words heard in silence would not add with their
errors. Slices of one dimension add up to the whole, except those of conditions, of which a clip may have several.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eval.intervals import Sampled, ci95
from eval.result import ClipResult, RunResult
from eval.slices.bands import NAMED, Place, places
from eval.wer import ErrorCounts, total

LEAST_CLIPS = 5
"""Fewer clips tell nothing about clips that were not recorded: an interval from draws of one clip is a point."""


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
    """The same at the lower end of `ci95`, 0 where that is not above the rest: what data of this kind would pay at least. A slice of half
    the collection that is hardly worse has much excess and little of it sure."""
    clear: bool
    """Worse than the rest beyond doubt: LEAST_CLIPS or more, and the whole interval above the rest's rate."""

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
    whole = total(clip.counts for clip in clips)
    found = [_slice(place, inside, whole) for place, inside in members.items()]
    return sorted(found, key=lambda one: (-one.sure_excess_errors, -one.excess_errors, one.dimension, one.slice))


def _slice(place: Place, clips: Sequence[ClipResult], whole: ErrorCounts) -> Slice:
    counts = total(clip.counts for clip in clips)
    rest_words, rest_errors = whole.words - counts.words, whole.errors - counts.errors
    rest_wer = rest_errors / rest_words if rest_words else None
    interval = ci95([Sampled(clip.counts, clip.speaker) for clip in clips])
    clear = len(clips) >= LEAST_CLIPS and rest_wer is not None and interval is not None and interval[0] > rest_wer
    return Slice(
        dimension=place.dimension,
        slice=place.slice,
        clip_ids=tuple(clip.id for clip in clips),
        speakers=len({clip.speaker or ("", clip.id) for clip in clips}),
        words=counts.words,
        errors=counts.errors,
        wer=counts.rate,
        ci95=interval,
        share_of_errors=counts.errors / whole.errors if whole.errors else 0.0,
        share_of_words=counts.words / whole.words if whole.words else 0.0,
        rest_wer=rest_wer,
        excess_errors=0.0 if rest_wer is None else counts.errors - counts.words * rest_wer,
        sure_excess_errors=counts.words * (interval[0] - rest_wer) if clear and interval is not None and rest_wer is not None else 0.0,
        clear=clear,
    )


def by_dimension(slices: Sequence[Slice]) -> Mapping[str, Sequence[Slice]]:
    """The same slices, told apart by dimension; the order within each stays."""
    dimensions = dict.fromkeys(one.dimension for one in slices)
    return {dimension: [one for one in slices if one.dimension == dimension] for dimension in dimensions}
