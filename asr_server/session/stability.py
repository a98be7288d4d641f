"""Which part of a partial may be shown as stable, and how later readings keep it.

A word becomes stable when two successive hypotheses agree on it and on everything before it, and on at least `HOLD_BACK` units
after it: the end of a growing window is cut inside a word, and the model guesses there. (Local agreement: Liu, Spanakis, Niehues,
"Low-Latency Sequence-to-Sequence Speech Recognition and Translation by Partial Hypothesis Selection", Interspeech 2020.)

What has been shown as stable is kept for good, also by the final: a client may already have acted on it. Where a later reading
disagrees, it is aligned with the stable words and only what comes after them is taken from it.
"""

import re
from dataclasses import dataclass, replace

from asr_server.transcript import Word

HOLD_BACK = 2
_UNSPACED_LANGUAGES = frozenset({"ja", "zh", "yue", "th", "lo", "km", "my"})
_PUNCTUATION = re.compile(r"[^\w']+")


def units(text: str, language: str) -> list[str]:
    """Words with the white space before them, or characters for languages written without spaces. Joined they are the text."""
    if language in _UNSPACED_LANGUAGES:
        return list(text)
    return re.findall(r"\s*\S+", text)


def _key(unit: str) -> str:
    """What makes two units the same word: not case, not punctuation."""
    return _PUNCTUATION.sub("", unit).casefold()


def align_prefix(stable: list[str], heard: list[str]) -> list[int | None]:
    """For each stable unit the index of the heard unit in its place (None: missing there), by least edit distance of all of `stable`
    with the best-fitting beginning of `heard`. Costs len(stable) * len(heard)."""
    rows, columns = len(stable), len(heard)
    cost = [[0] * (columns + 1) for _ in range(rows + 1)]
    for i in range(rows + 1):
        for j in range(columns + 1):
            if i == 0 or j == 0:
                cost[i][j] = i + j
                continue
            same = _key(stable[i - 1]) == _key(heard[j - 1])
            cost[i][j] = min(cost[i - 1][j - 1] + (not same), cost[i - 1][j] + 1, cost[i][j - 1] + 1)
    # Among equally good beginnings the one nearest in length: nothing is dropped or doubled on a guess.
    j = min(range(columns + 1), key=lambda end: (cost[rows][end], abs(end - rows)))
    places: list[int | None] = [None] * rows
    i = rows
    while i > 0:
        same = j > 0 and _key(stable[i - 1]) == _key(heard[j - 1])
        if j > 0 and cost[i][j] == cost[i - 1][j - 1] + (not same):
            i, j = i - 1, j - 1
            places[i] = j
        elif cost[i][j] == cost[i - 1][j] + 1:
            i -= 1
        else:
            j -= 1
    return places


@dataclass(frozen=True, slots=True)
class Kept:
    """A final reading with the stable beginning put back."""

    text: str
    words: tuple[Word, ...]
    overruled: bool
    """The reading had other *words* where stable ones were shown (case and punctuation aside)."""


class StablePrefix:
    """The stable text of one segment's partials. Feed it each hypothesis in order."""

    def __init__(self) -> None:
        self._stable: list[str] = []
        self._previous: list[str] = []

    @property
    def text(self) -> str:
        return "".join(self._stable)

    def show(self, text: str, language: str) -> tuple[str, str]:
        """Take the next hypothesis; gives (stable, unstable) text to show."""
        heard = units(text, language)
        merged = [*self._stable, *heard[self._after_stable(heard) :]]
        agreed = 0
        for ours, theirs in zip(merged, self._previous, strict=False):
            if ours != theirs:
                break
            agreed += 1
        self._stable = merged[: max(len(self._stable), agreed - HOLD_BACK)]
        self._previous = merged
        return self.text, "".join(merged[len(self._stable) :])

    def keep(self, text: str, words: tuple[Word, ...], language: str) -> Kept:
        """The final reading, beginning with every stable text shown. Words keep their times; a stable word the reading lacks gets
        the place between its neighbours."""
        if text.startswith(self.text):
            return Kept(text, words, overruled=False)
        heard = units(text, language)
        places = align_prefix(self._stable, heard)
        after = self._after_stable(heard)
        overruled = after != len(self._stable) or [_key(unit) for unit in self._stable] != [_key(unit) for unit in heard[:after]]
        kept_words = words
        if len(words) == len(heard):
            kept_words = (*self._stable_words(places, words), *words[after:])
        return Kept("".join([*self._stable, *heard[after:]]), kept_words, overruled=overruled)

    def _after_stable(self, heard: list[str]) -> int:
        """Index of the first heard unit that comes after the stable ones."""
        if heard[: len(self._stable)] == self._stable:
            return len(self._stable)
        places = [place for place in align_prefix(self._stable, heard) if place is not None]
        return places[-1] + 1 if places else 0

    def _stable_words(self, places: list[int | None], words: tuple[Word, ...]) -> list[Word]:
        placed: list[Word] = []
        for unit, place in zip(self._stable, places, strict=True):
            if place is not None:
                placed.append(replace(words[place], text=unit.strip()))
            else:
                here = placed[-1].end_sample if placed else words[0].start_sample if words else 0
                placed.append(Word(unit.strip(), here, here, 0.0))
        return placed
