"""What stood on a display when: how soon the first words, how often new ones, how far behind the speech, how many taken back. Pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from operator import attrgetter

from asr_server.accuracy.alignment import align
from asr_server.accuracy.normalize import is_spaceless

_NOT_OF_A_WORD = re.compile(r"[^\w']+")
_ALIKE = str.maketrans({"’": "'", "-": " ", "–": " ", "—": " "})  # noqa: RUF001 - the signs that texts have
"""Ways to write the same words: "twenty-one" and "twenty one"."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One text as it came: a partial, or the final of its segment."""

    segment: int
    text: str
    at_ms: float
    """From the moment a microphone had the first speech sample of the clip until the text was here."""
    lag_ms: float
    """The same from the moment it had the end of the audio that the text covers."""
    is_final: bool


@dataclass(frozen=True, slots=True)
class Revised:
    """Shown words that did not last, and what they are a share of. Counts that add."""

    words: int = 0
    """Words shown and then changed or withdrawn by the next text of the segment; one that changes twice counts twice."""
    final_words: int = 0

    def __add__(self, other: "Revised") -> "Revised":
        return Revised(self.words + other.words, self.final_words + other.final_words)

    @property
    def rate(self) -> float | None:
        """Of the final words, after the unstable partial word ratio (Shangguan et al., "Analyzing the Quality and Stability of a Streaming
        End-to-End On-Device Speech Recognizer", Interspeech 2020). None without final words."""
        return self.words / self.final_words if self.final_words else None


def first_text_ms(shown: Sequence[Shown]) -> float | None:
    """Until the first words stood there, in a partial or, without one, in a final."""
    return min((text.at_ms for text in shown if words(text.text)), default=None)


def cadence_ms(shown: Sequence[Shown]) -> list[float]:
    """Between each partial and the next of its segment. Not to the final: what lies before it is the VAD stop."""
    return [after.at_ms - before.at_ms for texts in _segments(shown) for before, after in pairwise(texts) if not after.is_final]


def partial_lags_ms(shown: Sequence[Shown]) -> list[float]:
    return [text.lag_ms for text in shown if not text.is_final]


def revised(shown: Sequence[Shown], language: str = "en") -> Revised:
    """Each text of a segment against the next one, by a shortest alignment: a word that only moved was not changed. Case, punctuation
    and hyphens make no other word. A segment whose final never came counts only as far as it was shown."""
    changed = final_words = 0
    for texts in _segments(shown):
        spoken = [words(text.text, language) for text in texts]
        changed += sum(_gone(before, after) for before, after in pairwise(spoken))
        final_words += sum(len(said) for said, text in zip(spoken, texts, strict=True) if text.is_final)
    return Revised(changed, final_words)


def words(text: str, language: str = "en") -> list[str]:
    """What a reader sees as words, without case and punctuation, divided at hyphens; characters for languages written without spaces."""
    plain = text.translate(_ALIKE)
    units = plain if is_spaceless(language) else plain.split()
    return [word for unit in units if (word := _NOT_OF_A_WORD.sub("", unit).strip("'").casefold())]


def _gone(before: Sequence[str], after: Sequence[str]) -> int:
    return sum(pair.kind in {"substitute", "delete"} for pair in align(" ".join(before), " ".join(after)))


def _segments(shown: Sequence[Shown]) -> Iterable[list[Shown]]:
    """The texts of each segment in the order in which they came."""
    by_segment = sorted(shown, key=attrgetter("segment"))
    return (list(texts) for _, texts in groupby(by_segment, key=attrgetter("segment")))
