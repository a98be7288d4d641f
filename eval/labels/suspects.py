"""Texts that a recogniser contradicts although it is sure of itself: where to look first for errors of the labels.

"Sure" and "contradicts" are read from the run itself, since confidences of two recognisers do not compare. Sure is a clip in the more
confident half of the run. Contradicted is a clip whose error rate is far out among those: above their upper quartile by more than one and a
half times the distance of their quartiles (Tukey's fence), and at least `LEAST_ERROR_RATE`. Apart from that: a text that begins before or
ends after what was heard, or the other way round, in a clip that is not of the least confident quarter.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal

import numpy as np

from asr_server.accuracy.alignment import Pair, align
from asr_server.accuracy.language import primary_tag
from asr_server.accuracy.manifest import Clip
from asr_server.accuracy.normalize import TEXT_RULES, normalize
from asr_server.errors import WrongCall
from eval.labels.findings import Finding
from eval.result import ClipResult, RunResult

_HESITATION = re.compile(r"\b(?:uh+|um+|er|erm|uhm|hm+)\b", re.IGNORECASE)

LEAST_ERROR_RATE = 0.1
LEAST_WORDS_AT_END = 2
"""So many words in a row at one end, said and not heard or heard and not said, are another extent; one may be an error."""

Why = Literal["other words", "only spaces differ", "text begins earlier", "text ends later", "audio begins earlier", "audio ends later"]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What was taken for sure and for contradicted, read from the run."""

    confidence: float
    """Median: from here a clip counts as sure."""
    confidence_of_ends: float
    """Lower quartile: from here the ends of a clip count."""
    error_rate: float
    """Above it a sure clip is suspect."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """One clip whose text may not be what is said."""

    clip: Clip
    why: Why
    confidence: float
    error_rate: float
    heard: str
    """As the recogniser wrote it."""
    differ: tuple[Pair, ...]
    """The words that differ, as compared."""


@dataclass(frozen=True, slots=True)
class _Compared:
    clip: Clip
    result: ClipResult
    confidence: float
    pairs: tuple[Pair, ...]

    @property
    def differ(self) -> tuple[Pair, ...]:
        return tuple(pair for pair in self.pairs if pair.kind != "equal")

    @property
    def error_rate(self) -> float:
        """Errors a reference word."""
        return len(self.differ) / sum(1 for pair in self.pairs if pair.kind != "insert")


def check_same_rules(run: RunResult) -> None:
    """Raises WrongCall when the words of the run were made by other text rules than ours."""
    if run.text_rules != TEXT_RULES:
        raise WrongCall(f"{run.path}: its words are of the text rules {run.text_rules!r}, here are {TEXT_RULES!r}: run it again")


def suspects(clips: Sequence[Clip], run: RunResult) -> tuple[Bounds | None, list[Suspect]]:
    """Most suspicious first. No bounds when no clip with a text was heard. Raises WrongCall when manifest and run have no clip in common.

    The text is the manifest's, whatever it was when the run was made.
    """
    if not any(clip.id in run.clips for clip in clips):
        raise WrongCall(f"{run.path} has no clip of this manifest; it is of {run.manifest}")
    compared = [one for clip in clips if (one := _compare(clip, run.clips)) is not None]
    if not compared:
        return None, []
    bounds = _bounds(compared)
    found = [suspect for one in compared if (suspect := _suspect(one, bounds)) is not None]
    return bounds, sorted(found, key=lambda one: -one.confidence * one.error_rate)


def _compare(clip: Clip, results: Mapping[str, ClipResult]) -> _Compared | None:
    result = results.get(clip.id)
    if result is None or result.heard.confidence is None:
        return None
    words = normalize(clip.text, clip.language)
    return _Compared(clip, result, result.heard.confidence, align(words, result.hypothesis_words)) if words else None


def _bounds(compared: Sequence[_Compared]) -> Bounds:
    quarter, half = (float(bound) for bound in np.quantile([one.confidence for one in compared], [0.25, 0.5]))
    low, high = np.quantile([one.error_rate for one in compared if one.confidence >= half], [0.25, 0.75])
    return Bounds(half, quarter, min(max(float(high + 1.5 * (high - low)), LEAST_ERROR_RATE), 1.0))


def _suspect(one: _Compared, bounds: Bounds) -> Suspect | None:
    why: Why | None = _at_ends(one.pairs) if one.confidence >= bounds.confidence_of_ends else None
    if why is None and one.confidence >= bounds.confidence and one.error_rate > bounds.error_rate:
        why = "only spaces differ" if _joined(one, "reference") == _joined(one, "hypothesis") else "other words"
    if why is None:
        return None
    return Suspect(one.clip, why, one.confidence, one.error_rate, one.result.heard.text, one.differ)


def _joined(one: _Compared, side: Literal["reference", "hypothesis"]) -> str:
    return "".join(getattr(pair, side) for pair in one.pairs)


def _at_ends(pairs: Sequence[Pair]) -> Why | None:
    """None also when nothing at all was heard rightly: then there is no end to speak of."""
    if not any(pair.kind == "equal" for pair in pairs):
        return None
    if _run(pairs, "delete") >= LEAST_WORDS_AT_END:
        return "text begins earlier"
    if _run(pairs[::-1], "delete") >= LEAST_WORDS_AT_END:
        return "text ends later"
    if _run(pairs, "insert") >= LEAST_WORDS_AT_END:
        return "audio begins earlier"
    if _run(pairs[::-1], "insert") >= LEAST_WORDS_AT_END:
        return "audio ends later"
    return None


def _run(pairs: Sequence[Pair], kind: str) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair.kind == kind, pairs))


def hesitations_left_out(clips: Sequence[Clip], run: RunResult) -> list[Finding]:
    """Clips in which the recogniser wrote hesitations and whose text has none: there "uh" is not kept. English only."""
    findings = []
    for clip in clips:
        result = run.clips.get(clip.id)
        if result is None or primary_tag(clip.language) != "en" or _HESITATION.search(clip.text):
            continue
        if heard := _HESITATION.findall(result.heard.text):
            findings.append(Finding((clip.id,), f"heard: {', '.join(heard)}; text: {clip.text}"))
    return findings
