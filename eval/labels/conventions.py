"""Conventions of writing: which of several ways each text follows, and which way to propose.

Only what can be told from the text itself, by rule. A convention that holds in each set but not across sets is named as such, since sets
come from different hands. Whether a difference costs errors is asked of the text rules, not assumed.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from asr_server.accuracy.language import primary_tag
from asr_server.accuracy.manifest import Clip
from asr_server.accuracy.normalize import normalize
from eval.labels.rules import CONVENTIONS, Convention, Variant

LEAST_CLIPS = 3
"""Of fewer clips no rule is made: what one of them does by chance would be one."""


@dataclass(frozen=True)
class Usage:
    """How the clips of a manifest follow one convention."""

    convention: Convention
    clips: Mapping[str, tuple[str, ...]]
    """Ids by variant, the most followed first; a clip that follows several stands under each."""
    by_set: Mapping[str, Mapping[str, int]]
    """Clips by set and variant."""

    @property
    def total(self) -> int:
        """Clips that have a say in it."""
        return len({clip for ids in self.clips.values() for clip in ids})

    @property
    def conflicting(self) -> bool:
        """More than one way is in use."""
        return len(self.clips) > 1

    @property
    def majority(self) -> Variant:
        """The way most clips follow; of equals the one the convention names first."""
        return self.convention.variant(next(iter(self.clips)))

    @property
    def minority(self) -> tuple[str, ...]:
        """Ids of the clips that follow another way than the majority's, also those that mix it in."""
        others = list(self.clips.values())[1:]
        return tuple(dict.fromkeys(clip for ids in others for clip in ids))

    @property
    def way_of_set(self) -> Mapping[str, str]:
        """The way most clips of each set follow."""
        return {name: max(counts, key=lambda way: counts[way]) for name, counts in self.by_set.items()}

    @property
    def sets_differ(self) -> bool:
        """Some sets follow another way than others do."""
        return len(set(self.way_of_set.values())) > 1

    @property
    def mixed_sets(self) -> tuple[str, ...]:
        """Sets that do not keep to one way themselves."""
        return tuple(name for name, counts in self.by_set.items() if len(counts) > 1)

    @cached_property
    def scored_alike(self) -> bool:
        """Whether the text rules make one of all ways in use, so that the difference costs no errors."""
        return self.convention.scored_alike(frozenset(self.clips))


@dataclass(frozen=True, slots=True)
class Guideline:
    """One line of a style guide."""

    convention: str
    rule: str
    because: str
    follow: int
    """Clips that follow it already."""
    change: int
    """Clips that would have to change."""


def usages(clips: Sequence[Clip], conventions: Sequence[Convention] = CONVENTIONS) -> list[Usage]:
    """Of each convention that any clip has a say in."""
    found = (_usage(convention, clips) for convention in conventions)
    return [usage for usage in found if usage.clips]


def _usage(convention: Convention, clips: Sequence[Clip]) -> Usage:
    ids: dict[str, list[str]] = {variant.name: [] for variant in convention.variants}
    by_set: dict[str, Counter[str]] = {}
    for clip in clips:
        if convention.english_only and primary_tag(clip.language) != "en":
            continue
        for name in convention.followed(clip.text):
            ids[name].append(clip.id)
            by_set.setdefault(clip.set, Counter())[name] += 1
    ranked = sorted((name for name in ids if ids[name]), key=lambda name: -len(ids[name]))
    return Usage(convention, {name: tuple(ids[name]) for name in ranked}, {name: dict(counts) for name, counts in sorted(by_set.items())})


def style_guide(found: Sequence[Usage]) -> list[Guideline]:
    """What to write from now on: the way of the majority, and why one would, where `LEAST_CLIPS` or more have a say. What takes most
    changes comes first."""
    told = (usage for usage in found if usage.total >= LEAST_CLIPS and not usage.convention.unwanted)
    return sorted((_guideline(usage) for usage in told), key=lambda line: -line.change)


def _guideline(usage: Usage) -> Guideline:
    majority, follow = usage.majority, len(usage.clips[usage.majority.name])
    because = f"{follow} of {usage.total} clips do; {majority.reason}"
    if others := _other_sets(usage):
        because += f"; {len(others)} of {len(usage.by_set)} sets mostly do not: {', '.join(others)}"
    return Guideline(usage.convention.name, majority.rule, because, follow, len(usage.minority))


def _other_sets(usage: Usage) -> list[str]:
    return [name for name, way in usage.way_of_set.items() if way != usage.majority.name]


@dataclass(frozen=True, slots=True)
class Rewritten:
    """Clips whose texts are one text to the text rules but are not written alike."""

    clips: tuple[str, ...]
    texts: tuple[str, ...]
    words_differ: bool
    """More differs than case, punctuation and spaces."""


def same_text_written_differently(clips: Sequence[Clip]) -> list[Rewritten]:
    """Groups of clips of one language, in the order of the manifest. An empty text is in none."""
    groups: dict[tuple[str, str], list[Clip]] = {}
    for clip in clips:
        if words := normalize(clip.text, clip.language):
            groups.setdefault((primary_tag(clip.language), words), []).append(clip)
    found = []
    for group in groups.values():
        texts = tuple(dict.fromkeys(clip.text for clip in group))
        if len(texts) > 1:
            words_differ = len({_bare(text) for text in texts}) > 1
            found.append(Rewritten(tuple(clip.id for clip in group), texts, words_differ))
    return found


def _bare(text: str) -> str:
    return " ".join("".join(character if character.isalnum() else " " for character in text.casefold()).split())
