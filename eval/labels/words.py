"""Words that a manifest writes in more than one way: "colour" and "color", "mail box" and "mailbox", "O.K." and "okay". English only:
elsewhere the rules are not known."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from asr_server.accuracy.language import primary_tag
from asr_server.accuracy.manifest import Clip
from asr_server.accuracy.normalize import american_spellings, normalize

Kind = Literal["spelling", "compound", "same word"]

_TOKEN = re.compile(r"(?:[^\W\d_]\.){2,}|[^\W_]+(?:[-'\u2019][^\W_]+)*")

SAME_WORDS = (("okay", "ok", "o.k."), ("etc", "et cetera"), ("alright", "all right"), ("goodbye", "good-bye", "good bye"))
"""Ways to write one thing that neither a spelling table nor a hyphen tells."""

_BOTH_RIGHT = frozenset(
    {
        "into",
        "onto",
        "maybe",
        "already",
        "altogether",
        "everyday",
        "anyway",
        "sometime",
        "sometimes",
        "awhile",
        "another",
        "cannot",
        "forever",
    }
)
"""Two words and one are both right and differ in meaning, so that both occur proves nothing."""

_SHORTEST_PART = 2


@dataclass(frozen=True, slots=True)
class Writing:
    """One word in several ways."""

    kind: Kind
    clips: dict[str, tuple[str, ...]]
    """Ids by way of writing, the most frequent first."""

    @property
    def minority(self) -> tuple[str, ...]:
        """Ids of the clips that write it another way than most."""
        return tuple(dict.fromkeys(clip for ids in list(self.clips.values())[1:] for clip in ids))

    @property
    def scored_alike(self) -> bool:
        """Whether the text rules make one word of them, so that the difference costs no errors."""
        return len({normalize(way) for way in self.clips}) == 1


def writings(clips: Sequence[Clip]) -> list[Writing]:
    """Every word that is written in more than one way, those of most clips first."""
    ids: dict[str, list[str]] = {}
    for clip in clips:
        if primary_tag(clip.language) == "en":
            for piece in dict.fromkeys(_pieces(clip.text)):
                ids.setdefault(piece, []).append(clip.id)
    groups = [*_known(ids), *_spellings(ids), *_compounds(ids)]
    found = [Writing(kind, {way: tuple(ids[way]) for way in _ranked(ways, ids)}) for kind, ways in groups]
    return sorted(found, key=lambda one: -sum(len(clips) for clips in one.clips.values()))


def _pieces(text: str) -> Iterator[str]:
    """Words, and two words in a row that only a space divides. Lower case."""
    tokens = list(_TOKEN.finditer(text.casefold()))
    yield from (token.group() for token in tokens)
    for first, second in pairwise(tokens):
        if text[first.end() : second.start()].isspace():
            yield f"{first.group()} {second.group()}"


def _ranked(ways: Sequence[str], ids: dict[str, list[str]]) -> list[str]:
    return sorted(ways, key=lambda way: (-len(ids[way]), way))


def _known(ids: dict[str, list[str]]) -> Iterator[tuple[Kind, list[str]]]:
    for group in SAME_WORDS:
        ways = [way for way in group if way in ids]
        if len(ways) > 1:
            yield "same word", ways


def _spellings(ids: dict[str, list[str]]) -> Iterator[tuple[Kind, list[str]]]:
    ways: dict[str, list[str]] = {}
    for british, american in american_spellings().items():
        if british in ids:
            ways.setdefault(american, []).append(british)
    for american, british_ways in ways.items():
        if american in ids:
            yield "spelling", [american, *british_ways]


def _compounds(ids: dict[str, list[str]]) -> Iterator[tuple[Kind, list[str]]]:
    known = {way for group in SAME_WORDS for way in group}
    for first, second in dict.fromkeys(parts for piece in ids if (parts := _two_parts(piece))):
        ways = [way for way in (f"{first}-{second}", f"{first} {second}", first + second) if way in ids]
        if len(ways) > 1 and first + second not in _BOTH_RIGHT and not known & set(ways):
            yield "compound", ways


def _two_parts(piece: str) -> tuple[str, str] | None:
    """What one hyphen or one space divides; None when it is not two words."""
    parts = re.split("[- ]", piece)
    if len(parts) != 2 or not all(part.isalpha() and len(part) >= _SHORTEST_PART for part in parts):
        return None
    return parts[0], parts[1]
