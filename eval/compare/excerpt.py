"""The stretch of a clip that two runs heard differently, with a few words around: a whole chapter need not be read for one word. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from asr_server.accuracy.alignment import align
from eval.compare.changes import ClipChange

CONTEXT_WORDS = 6


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The same stretch as it was said and as it was heard; "..." where words are left out."""

    said: str
    before: str
    after: str


def excerpt(change: ClipChange) -> Excerpt:
    """What differs and CONTEXT_WORDS on either side."""
    before, after = change.before.split(), change.after.split()
    first = _shared(before, after)
    last = _shared(before[first:][::-1], after[first:][::-1])
    start, cut = max(first - CONTEXT_WORDS, 0), max(last - CONTEXT_WORDS, 0)
    said_from, said_to = _said(change, start, len(before) - cut)
    return Excerpt(
        _part(change.reference.split(), said_from, said_to),
        _part(before, start, len(before) - cut),
        _part(after, start, len(after) - cut),
    )


def _shared(one: Sequence[str], two: Sequence[str]) -> int:
    """How many words both begin with."""
    return next((index for index, words in enumerate(zip(one, two, strict=False)) if words[0] != words[1]), min(len(one), len(two)))


def _said(change: ClipChange, start: int, end: int) -> tuple[int, int]:
    """Where in the reference the words from `start` to `end` of the text before belong."""
    pairs = align(change.reference, change.before)
    words = len(change.reference.split())
    earlier = [pair.reference_index for pair in pairs if pair.hypothesis_index >= start]
    later = [pair.reference_index for pair in pairs if pair.hypothesis_index >= end]
    return min(earlier, default=words) if start else 0, min(later, default=words)


def _part(words: Sequence[str], start: int, end: int) -> str:
    return " ".join([*(["..."] if start else []), *words[start:end], *(["..."] if end < len(words) else [])])
