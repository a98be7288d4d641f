"""Which words go wrong: confused pairs, words lost and made up, where they are lost, loops, kinds of words. Pure.

Of clips with speech in languages that put spaces between words; words heard in silence are counted apart. All words are as compared,
that is normalised, so a number is in digits.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeVar

from asr_server.accuracy.alignment import Pair, align
from asr_server.accuracy.normalize import normalize
from eval.result import ClipResult, RunResult
from eval.slices.kinds import WordKind, word_kinds
from eval.slices.slicing import spoken_clips

LOOP_TIMES = 3
"""The same words so often in a row are a loop, unless they were said in a row as often."""
LONGEST_LOOP_WORDS = 12

_Counted = TypeVar("_Counted", str, tuple[str, str])


@dataclass(frozen=True, slots=True)
class Confusion:
    """One word heard as another."""

    said: str
    heard: str
    count: int


@dataclass(frozen=True, slots=True)
class Lost:
    """One word of the references, and how often it was heard as nothing."""

    word: str
    count: int
    said: int
    """How often it stands in the references."""


@dataclass(frozen=True, slots=True)
class MadeUp:
    """One word heard where none was said."""

    word: str
    count: int


@dataclass(frozen=True, slots=True)
class SegmentEnds:
    """Words lost at the end of a segment, where a recogniser that closes too early loses them, against words lost elsewhere."""

    segments: int
    """With words in them, of clips whose segments' words add up to the words of the clip."""
    at_ends: int
    """Words lost after the last word of a segment. Between two segments that may be the beginning of the next one as well."""
    elsewhere: int
    words: int
    """Reference words of the same clips."""
    clips_left_out: int
    """Their words cannot be told apart by segment: a number spoken across a border becomes one word, or nothing was heard at all."""


@dataclass(frozen=True, slots=True)
class Loop:
    """Words heard again and again."""

    clip: str
    phrase: str
    times: int


@dataclass(frozen=True, slots=True)
class SilenceWords:
    """What was heard where nobody speaks."""

    clips: int
    with_words: int
    words: tuple[MadeUp, ...]


@dataclass(frozen=True, slots=True)
class WordAnalysis:
    """What happened to the words of a run. Lists are whole, the most frequent first."""

    substitutions: tuple[Confusion, ...]
    deletions: tuple[Lost, ...]
    insertions: tuple[MadeUp, ...]
    segment_ends: SegmentEnds
    loops: tuple[Loop, ...]
    kinds: tuple[WordKind, ...]
    silence: SilenceWords


def analyse_words(run: RunResult) -> WordAnalysis:
    """All of a run's words."""
    clips = spoken_clips(run)
    aligned = [(clip, align(clip.reference_words, clip.hypothesis_words)) for clip in clips]
    pairs = [pair for _, of_clip in aligned for pair in of_clip]
    said = Counter(word for clip in clips for word in clip.reference_words.split())
    return WordAnalysis(
        substitutions=tuple(Confusion(*words, count) for words, count in _counted(_substituted(pairs))),
        deletions=tuple(
            Lost(word, count, said[word]) for word, count in _counted(pair.reference for pair in pairs if pair.kind == "delete")
        ),
        insertions=_made_up(pair.hypothesis for pair in pairs if pair.kind == "insert"),
        segment_ends=segment_ends(aligned),
        loops=tuple(loop for clip in clips for loop in _loops_of(clip)),
        kinds=word_kinds(aligned),
        silence=_in_silence([clip for clip in run.clips.values() if clip.kind == "silence"]),
    )


def _substituted(pairs: Iterable[Pair]) -> Iterable[tuple[str, str]]:
    return ((pair.reference, pair.hypothesis) for pair in pairs if pair.kind == "substitute")


def _made_up(words: Iterable[str]) -> tuple[MadeUp, ...]:
    return tuple(MadeUp(word, count) for word, count in _counted(words))


def _counted(words: Iterable[_Counted]) -> list[tuple[_Counted, int]]:
    """The most frequent first; equally frequent ones by the alphabet, so that the same run gives the same list."""
    return sorted(Counter(words).items(), key=lambda item: (-item[1], item[0]))


def segment_ends(aligned: Sequence[tuple[ClipResult, Sequence[Pair]]]) -> SegmentEnds:
    """Where words are lost, of clips with their alignments."""
    segments = at_ends = elsewhere = words = left_out = 0
    for clip, pairs in aligned:
        ends = _ends(clip)
        if ends is None:
            left_out += 1
            continue
        lost = Counter(pair.hypothesis_index in ends for pair in pairs if pair.kind == "delete")
        segments += len(ends)
        at_ends += lost[True]
        elsewhere += lost[False]
        words += clip.counts.words
    return SegmentEnds(segments, at_ends, elsewhere, words, left_out)


def _ends(clip: ClipResult) -> frozenset[int] | None:
    """After how many words of the hypothesis segments end; None when that cannot be told."""
    counts = [len(normalize(segment.text, clip.language).split()) for segment in clip.heard.segments]
    ends = list(accumulate(count for count in counts if count))
    return frozenset(ends) if ends and ends[-1] == len(clip.hypothesis_words.split()) else None


def loops(reference: str, hypothesis: str) -> Mapping[str, int]:
    """Phrases that stand LOOP_TIMES or more in a row in the hypothesis and not in the reference, and how often. Of phrases that overlap the
    one that covers more words counts.

    assert loops("a b", "a b a b a b") == {"a b": 3}
    assert loops("no no no", "no no no no") == {}
    """
    said, heard = reference.split(), hypothesis.split()
    found: dict[str, int] = {}
    at = 0
    while at < len(heard):
        size, times = max(((size, _times(heard, at, size)) for size in range(1, LONGEST_LOOP_WORDS + 1)), key=_covered)
        if times < LOOP_TIMES:
            at += 1
            continue
        phrase = heard[at : at + size]
        if all(_times(said, place, size) < LOOP_TIMES or said[place : place + size] != phrase for place in range(len(said))):
            found[" ".join(phrase)] = max(times, found.get(" ".join(phrase), 0))
        at += size * times
    return found


def _times(words: Sequence[str], at: int, size: int) -> int:
    """How often the `size` words at `at` stand there in a row."""
    phrase, times = words[at : at + size], 1
    while words[at + times * size : at + (times + 1) * size] == phrase and len(phrase) == size:
        times += 1
    return times


def _covered(run: tuple[int, int]) -> tuple[int, int]:
    """Words in a loop; of equals the shorter phrase. What is no loop covers none."""
    size, times = run
    return (size * times if times >= LOOP_TIMES else 0, -size)


def _loops_of(clip: ClipResult) -> list[Loop]:
    return [Loop(clip.id, phrase, times) for phrase, times in loops(clip.reference_words, clip.hypothesis_words).items()]


def _in_silence(clips: Sequence[ClipResult]) -> SilenceWords:
    words = _made_up(word for clip in clips for word in clip.hypothesis_words.split())
    return SilenceWords(len(clips), sum(1 for clip in clips if clip.hypothesis_words), words)
