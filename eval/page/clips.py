"""The clips a page shows one by one: which they are, and how reference and hypothesis stand against each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from asr_server.accuracy.alignment import Kind, Pair, align
from eval.page.audio import NoSound, Sound
from eval.page.facts import Fact, facts_of_clip
from eval.result import ClipResult, RunResult

WHOLE_WORDS = 80
"""Up to so many steps an alignment is shown whole."""
CONTEXT_WORDS = 6
"""Of a longer one: right words kept on either side of an error; a longer run of them is told by its length."""


@dataclass(frozen=True, slots=True)
class Token:
    """One step of an alignment, or a gap: a run of right words that is left out."""

    kind: Kind | Literal["gap"]
    said: str = ""
    heard: str = ""
    words: int = 1
    """How many a gap stands for."""


@dataclass(frozen=True, slots=True)
class ShownClip:
    clip: ClipResult
    tokens: tuple[Token, ...]
    facts: tuple[Fact, ...]
    sound: Sound | NoSound | None
    """None: nobody asked for it."""

    @property
    def unit(self) -> Literal["word", "character"]:
        return "character" if self.clip.kind == "characters" else "word"

    @property
    def kinds(self) -> str:
        """Of its errors, for the filter: "S", "D", "I" and, when the recogniser failed, "F"."""
        counts = self.clip.counts
        found = (("S", counts.substitutions), ("D", counts.deletions), ("I", counts.insertions), ("F", self.clip.error))
        return " ".join(kind for kind, there in found if there)


def worst_of(run: RunResult, most: int) -> list[ClipResult]:
    """Clips with errors, most errors first; of equally many those with the higher rate, then by id."""
    wrong = [clip for clip in run.clips.values() if clip.counts.errors]
    return sorted(wrong, key=lambda clip: (-clip.counts.errors, clip.counts.words, clip.id))[:most]


def show(clips: Sequence[ClipResult], sounds: Mapping[str, Sound | NoSound]) -> tuple[ShownClip, ...]:
    """`sounds`: by id of the clip."""
    return tuple(
        ShownClip(clip, tokens_of(align(clip.reference_words, clip.hypothesis_words)), facts_of_clip(clip), sounds.get(clip.id))
        for clip in clips
    )


def tokens_of(pairs: Sequence[Pair], *, whole_words: int = WHOLE_WORDS, context_words: int = CONTEXT_WORDS) -> tuple[Token, ...]:
    """Every error, with the right words around it."""
    if len(pairs) <= whole_words:
        return tuple(Token(pair.kind, pair.reference, pair.hypothesis) for pair in pairs)
    tokens: list[Token] = []
    right: list[Token] = []
    for pair in pairs:
        if pair.kind == "equal":
            right.append(Token("equal", pair.reference, pair.hypothesis))
            continue
        tokens += _shortened(right, before=bool(tokens), after=True, context_words=context_words)
        right = []
        tokens.append(Token(pair.kind, pair.reference, pair.hypothesis))
    return (*tokens, *_shortened(right, before=bool(tokens), after=False, context_words=context_words))


def _shortened(right: list[Token], *, before: bool, after: bool, context_words: int) -> list[Token]:
    """A run of right words; `before`, `after`: whether an error stands there."""
    head, tail = context_words * before, context_words * after
    left_out = len(right) - head - tail
    if left_out <= context_words:
        return right
    return [*right[:head], Token("gap", words=left_out), *right[len(right) - tail :]]
