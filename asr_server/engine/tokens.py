"""Whisper's vocabulary as the engine uses it: prompts, hints, text, and which tokens make a word."""

import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

MAX_HINT_TOKENS = 64
"""Phrases that do not fit any more are left out. They are read in one pass, but take room and time in every step after it."""

BEGUN_STEP = 4
"""The mark that no timestamps are wanted is said again before a text to go on from, up to a multiple of so many tokens. 162 clips, base,
preset fast: WER 9.29 without, 9.03 so."""

# The hints stand where the text before this window would, and must not look like it: the model goes on from there and leaves out what it
# takes for said. Phrases that were the beginning of what was said, base / tiny.en: WER 10.1 / 4.1 with this heading, 31.9 / 23.7 without.
# Names among the phrases were then spelled right 13 / 11 times of 13 (5 without hints); ten phrases not said changed the WER of other
# clips by 0.0 / +0.7.
_HINTS = " Glossary: {}."

_UNSPACED = frozenset({"ja", "km", "lo", "my", "th", "yue", "zh"})
_PHRASES_KNOWN = 64
"""Lists of phrases whose fitting ones are kept."""
_BYTES = 256
"""Tokens of one byte; all others but the special ones are made by merging two."""
_OPENING_CATEGORIES = frozenset({"Ps", "Pi"})
_EITHER_WAY = frozenset("\"'")


@dataclass(frozen=True, slots=True)
class TokenWord:
    """A word, punctuation attached, and its tokens `first_token` to `end_token` (not in)."""

    text: str
    first_token: int
    end_token: int


class Tokens:
    """Immutable after construction; may be used from several threads."""

    def __init__(self, tokenizer: Tokenizer, *, multilingual: bool) -> None:
        self._tokenizer = tokenizer
        self._start = self._id("<|startoftranscript|>")
        self._previous = self._id("<|startofprev|>")
        self._no_timestamps = self._id("<|notimestamps|>")
        self.end = self._id("<|endoftext|>")
        self._mark = self._id("!")
        # A stream asks for the same phrases at every decode, and everybody who might join others is asked, too: a hundred take 15 ms.
        self._fitting = lru_cache(_PHRASES_KNOWN)(self._choose_fitting)
        self._task = (self._id("<|transcribe|>"),) if multilingual else ()
        self.languages: Mapping[str, int] = self._language_ids() if multilingual else {}
        """Primary tag to token; empty for a model of one language."""

    @classmethod
    def load(cls, path: Path, *, multilingual: bool) -> "Tokens":
        """From a `tokenizer.json`. Raises ValueError if it is none."""
        try:
            written = json.loads(path.read_text(encoding="utf-8"))
            _complete(written["model"])
            tokenizer = Tokenizer.from_str(json.dumps(written))
        except Exception as error:  # `tokenizers` raises nothing more special for what it does not understand
            raise ValueError(f"{path.name} is no tokenizer of Whisper's: {type(error).__name__}: {error}") from error
        return cls(tokenizer, multilingual=multilingual)

    def task(self, language: str) -> list[int]:
        """What is to be done, as the decoder is told: transcribe this language."""
        return [self._start, *((self.languages[language],) if self.languages else ()), *self._task]

    def prompt(self, language: str, phrases: Sequence[str] = ()) -> list[int]:
        """All tokens before the text. Those of `phrases` that are `fitting` stand as text that came before: the model spells as it did
        there."""
        hints = self._hints(self.fitting(phrases))
        return [*([self._previous, *hints] if hints else []), *self.task(language), self._no_timestamps]

    def prompt_with(self, begun: Sequence[int], language: str, phrases: Sequence[str] = ()) -> list[int]:
        """The same with a text to go on from, for a model that reads it in one pass (`reordered`).

        Without phrases one mark stands as the text that came before: with none at all the model now and then does not stop, and says what
        was given again. 80 clips, cut at three words each, greedy, no guard: 253 words inserted with none, 38 with "!", 124 with "."; 18
        when the text is stepped through. Substitutions and deletions are the same.

        Texts of about the same length make prompts of one length, which can be decoded together (`BEGUN_STEP`).
        """
        hints = self._hints(self.fitting(phrases)) or [self._mark]
        marks = [self._no_timestamps] * (1 + -len(begun) % BEGUN_STEP)
        return [self._previous, *hints, *self.task(language), *marks, *begun, self._no_timestamps]

    def start_of(self, prompt: Sequence[int]) -> int:
        """Where in a prompt the transcript begins."""
        return prompt.index(self._start)

    def fitting(self, phrases: Sequence[str]) -> tuple[str, ...]:
        """The phrases there is room for (`MAX_HINT_TOKENS`, the heading included), filled in their order: one that does not fit is left
        out, a shorter one after it may still fit."""
        return self._fitting(tuple(phrases))

    def _choose_fitting(self, phrases: tuple[str, ...]) -> tuple[str, ...]:
        fitting: tuple[str, ...] = ()
        for phrase in phrases:
            if len(self._hints((*fitting, phrase))) <= MAX_HINT_TOKENS:
                fitting = (*fitting, phrase)
        return fitting

    def said(self, words: Sequence[str], language: str) -> tuple[int, ...]:
        """The tokens of words that were told, as the model would have written them. Punctuation that opens at the end is left out: it is
        part of the word to come."""
        told = list(words)
        while told and _opens(told[-1]):
            told.pop()
        text = ""
        for word in told:
            spaced = language not in _UNSPACED or (text[-1:].isascii() and word[:1].isascii())
            text += f" {word}" if spaced else word
        return tuple(self._encode(text))

    def text(self, tokens: Sequence[int]) -> str:
        """Without surrounding space."""
        return self._decode(tokens).strip()

    def words(self, tokens: Sequence[int], language: str) -> tuple[TokenWord, ...]:
        """The words of `tokens`, in order, together all of them. In scripts without spaces every character is a word."""
        words: list[TokenWord] = []
        for text, first, end in self._characters(tokens):
            bare = text.strip()
            if words and _joins(words[-1].text, text, bare, spaced=language not in _UNSPACED):
                words[-1] = TokenWord((words[-1].text + text).strip(), words[-1].first_token, end)
            else:
                words.append(TokenWord(bare, first, end))
        return tuple(words)

    def _characters(self, tokens: Sequence[int]) -> list[tuple[str, int, int]]:
        """The shortest runs of tokens that decode to whole characters; what is broken at the end stays with the last."""
        runs: list[tuple[str, int, int]] = []
        first = 0
        for end in range(1, len(tokens) + 1):
            text = self._decode(tokens[first:end])
            if "\ufffd" not in text or end == len(tokens):
                runs.append((text, first, end))
                first = end
        return runs

    def _hints(self, phrases: Sequence[str]) -> list[int]:
        """The heading and all phrases; nothing when there are none."""
        text = _HINTS.format(", ".join(phrase.strip() for phrase in phrases)) if phrases else ""
        return self._encode(text)

    def _encode(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def _decode(self, tokens: Sequence[int]) -> str:
        return self._tokenizer.decode(list(tokens))

    def _language_ids(self) -> dict[str, int]:
        """Language tokens stand between the start and the first task."""
        names = {token: self._tokenizer.id_to_token(token) for token in range(self._start + 1, self._id("<|translate|>"))}
        return {name.strip("<|>"): token for token, name in names.items() if name}

    def _id(self, token: str) -> int:
        found = self._tokenizer.token_to_id(token)
        if found is None:
            raise ValueError(f"the tokenizer has no {token}: not a Whisper model")
        return found


def _complete(model: dict[str, Any]) -> None:
    """Add the merges of two characters that a byte-pair vocabulary has a token for and no rule to make it.

    The tokenizer published with the multilingual models lacks the first of all, that of a space and "t". Without it " the", " to", " that"
    and 1,171 more words are written in pieces that the model never writes them in, and takes for something else.
    """
    vocabulary, merges = model["vocab"], model["merges"]
    made = {"".join(merge.split(" ") if isinstance(merge, str) else merge) for merge in merges}
    for token, number in sorted(vocabulary.items(), key=lambda item: item[1]):
        if len(token) == 2 and token not in made:
            # Behind the bytes, tokens are numbered in the order of their merges, which is also that of their precedence.
            merges.insert(number - _BYTES, " ".join(token) if isinstance(merges[0], str) else list(token))


def _joins(before: str, text: str, bare: str, *, spaced: bool) -> bool:
    """Whether a run belongs to the word before it: no space between them, or nothing but punctuation that closes."""
    if not bare or _opens(before):
        return True
    if all(_is_punctuation(character) for character in bare):
        return text == bare or not _opens(bare)
    return not text[:1].isspace() and (spaced or (before[-1:].isascii() and text[:1].isascii()))


def _is_punctuation(character: str) -> bool:
    return unicodedata.category(character).startswith("P")


def _opens(text: str) -> bool:
    """Whether it is punctuation that belongs to the word after it; straight quotes may."""
    return all(character in _EITHER_WAY or unicodedata.category(character) in _OPENING_CATEGORIES for character in text)
