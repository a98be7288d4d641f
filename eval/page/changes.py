"""A comparison as a page shows it: clips that changed, word by word, and differences on an axis around no change."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from asr_server.accuracy.alignment import align
from eval.compare.changes import ClipChange
from eval.compare.comparison import Comparison
from eval.page.clips import Token, tokens_of
from eval.page.rates import axis_for

CHANGED = 10
"""Clips that got worse shown word by word; as many that got better."""


@dataclass(frozen=True, slots=True)
class ShownChange:
    change: ClipChange
    before: tuple[Token, ...]
    after: tuple[Token, ...]


@dataclass(frozen=True, slots=True)
class DifferenceAxis:
    """From -`end` to `end`, both shares. What is further off is drawn up to the end, and marked."""

    end: float

    def at(self, share: float) -> str:
        """Where it lies, as SVG wants it; what is beyond lies at the edge."""
        return f"{50 + _within(share / self.end) * 50:.2f}%"

    def start_of(self, share: float) -> str:
        """Where a block from no change to `share` begins."""
        return self.at(min(share, 0.0))

    def is_beyond(self, share: float) -> bool:
        return abs(share) > self.end

    def width_of(self, share: float) -> str:
        return f"{abs(_within(share / self.end)) * 50:.2f}%"


@dataclass(frozen=True, slots=True)
class Changes:
    """Clips that were heard otherwise than before, told apart by whether they have more errors now."""

    worse: Sequence[ShownChange]
    better: Sequence[ShownChange]
    clips_worse: int
    clips_better: int
    clips_equal: int
    """Other words, as many errors."""
    axis: DifferenceAxis
    """For the sets."""


def difference_axis(differences: Iterable[float]) -> DifferenceAxis:
    """At least three quarters of those that are not 0 have a place on it, up to 100 points."""
    return DifferenceAxis(axis_for(abs(one) for one in differences if one).end)


def changes_of(comparison: Comparison, *, most: int = CHANGED) -> Changes:
    """The greatest changes first, `most` of each kind word by word."""
    worse = [clip for clip in comparison.clips if clip.change > 0]
    better = [clip for clip in reversed(comparison.clips) if clip.change < 0]
    return Changes(
        worse=[_shown(clip) for clip in worse[:most]],
        better=[_shown(clip) for clip in better[:most]],
        clips_worse=len(worse),
        clips_better=len(better),
        clips_equal=len(comparison.clips) - len(worse) - len(better),
        axis=difference_axis(one.rate.difference for one in comparison.sets),
    )


def _shown(clip: ClipChange) -> ShownChange:
    before, after = (tokens_of(align(clip.reference, heard)) for heard in (clip.before, clip.after))
    return ShownChange(clip, before, after)


def _within(position: float) -> float:
    return max(-1.0, min(position, 1.0))
