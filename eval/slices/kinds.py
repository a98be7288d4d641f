"""Kinds of words that recognisers find hard: numbers, names, long words. How often each kind is wrong, against all other words. Pure.

A word is wrong when it was heard as another one or not at all; words made up are of no kind.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from asr_server.accuracy.alignment import Pair
from asr_server.accuracy.language import primary_tag
from asr_server.accuracy.normalize import normalize
from asr_server.accuracy.wer import ErrorCounts, total
from eval.intervals import Sampled, ci95, draws, least_difference
from eval.result import ClipResult
from eval.slices.slicing import LEAST_SPEAKERS
from eval.speakers import owners

LONG_WORD_LETTERS = 10
NOUNS_CAPITALISED = frozenset({"de", "lb"})
"""Languages in which a capital letter does not tell a name."""
LEAST_SMALL = 0.25
"""Share of words with a small first letter, below which a text is a headline or all in capitals."""
LEAST_WORDS = 20
"""Of a kind, before its rate can be called clear."""

_SENTENCE_END = re.compile(r"[.?!:;]['\"\u2019\u201d)]*$")
_ABBREVIATION = re.compile(r"^[^\w]*[A-Z][a-z]{0,2}\.$")
"""Mr. Dr. Mrs. St. J.: a full stop that ends no sentence."""
_OPENING = "'\"\u2018\u201c(["


@dataclass(frozen=True, slots=True)
class WordKind:
    """The words of one kind, and how they compare with all others of the same clips. Rates are from 0: 0.08 is 8 %."""

    kind: str
    clips: int
    """In which the kind can be told."""
    words: int
    wrong: int
    rate: float | None
    ci95: tuple[float, float] | None
    rest_rate: float | None
    excess_errors: float
    """Wrong words beyond those that the rest's rate would give."""
    clear: bool
    """More often wrong than the rest beyond doubt: LEAST_WORDS or more, said by LEAST_SPEAKERS or more, and the lower bound of the
    difference above 0 (`least_difference`, corrected for the number of kinds)."""


Choice = Callable[[ClipResult], Collection[str] | None]
"""The words of a clip's reference that are of a kind; None when that cannot be told of this clip."""


def word_kinds(aligned: Sequence[tuple[ClipResult, Sequence[Pair]]]) -> tuple[WordKind, ...]:
    """Of clips with their alignments."""
    return tuple(_kind(name, choice, aligned) for name, choice in KINDS.items())


def numbers(clip: ClipResult) -> Collection[str]:
    """Words with a digit in them."""
    return {word for word in clip.reference_words.split() if any(letter.isdigit() for letter in word)}


def long_words(clip: ClipResult) -> Collection[str]:
    """Of LONG_WORD_LETTERS letters or more."""
    return {word for word in clip.reference_words.split() if len(word) >= LONG_WORD_LETTERS and word.isalpha()}


def names(clip: ClipResult) -> Collection[str] | None:
    """Words with a capital letter inside a sentence. None where capital letters tell nothing: a reference in one case, a headline, a
    language that writes every noun with a capital."""
    tokens = clip.reference.split()
    small = sum(1 for token in tokens if token.lstrip(_OPENING)[:1].islower())
    if primary_tag(clip.language) in NOUNS_CAPITALISED or small < LEAST_SMALL * len(tokens) or clip.reference.islower():
        return None
    inside = (after for before, after in pairwise(tokens) if not _SENTENCE_END.search(before) or _ABBREVIATION.match(before))
    capitalised = (token for token in inside if _is_name(token.lstrip(_OPENING)))
    return {word for token in capitalised for word in normalize(token, clip.language).split()[:1]}


def _is_name(token: str) -> bool:
    """Has a capital and is not the English "I" ("I'm", "I'll")."""
    return token[:1].isupper() and re.match(r"I\b", token) is None


KINDS: Mapping[str, Choice] = {"numbers": numbers, "names": names, "long words": long_words}


def _kind(kind: str, choice: Choice, aligned: Sequence[tuple[ClipResult, Sequence[Pair]]]) -> WordKind:
    inside: list[Sampled] = []
    rest: list[ErrorCounts] = []
    for clip, pairs in aligned:
        chosen = choice(clip)
        if chosen is None:
            continue
        said = [pair for pair in pairs if pair.kind != "insert"]
        inside.append(Sampled(_wrong([pair for pair in said if pair.reference in chosen]), clip.speaker))
        rest.append(_wrong([pair for pair in said if pair.reference not in chosen]))
    counts, rest_rate = total(one.counts for one in inside), total(rest).rate
    return WordKind(
        kind=kind,
        clips=len(inside),
        words=counts.words,
        wrong=counts.errors,
        rate=counts.rate,
        ci95=ci95(inside),
        rest_rate=rest_rate,
        excess_errors=0.0 if rest_rate is None else counts.errors - counts.words * rest_rate,
        clear=counts.words >= LEAST_WORDS and _is_more(inside, rest),
    )


def _is_more(inside: Sequence[Sampled], rest: Sequence[ErrorCounts]) -> bool:
    """Beyond doubt."""
    speakers = min(_speakers(inside, [one.counts for one in inside]), _speakers(inside, rest))
    if speakers < LEAST_SPEAKERS:
        return False
    drawn = draws([one.speaker for one in inside], seed=0)
    least = least_difference(drawn, [one.counts for one in inside], rest, units=speakers, asked=len(KINDS))
    return least is not None and least > 0.0


def _speakers(clips: Sequence[Sampled], counts: Sequence[ErrorCounts]) -> int:
    """Of clips with any words in `counts`; a clip without a speaker counts as one."""
    return len(set(owners([clip.speaker for clip, one in zip(clips, counts, strict=True) if one.words])))


def _wrong(pairs: Sequence[Pair]) -> ErrorCounts:
    substituted = sum(1 for pair in pairs if pair.kind == "substitute")
    return ErrorCounts(substituted, sum(1 for pair in pairs if pair.kind == "delete"), 0, len(pairs))
