"""What endpointing lives on: where the words of a text are, and whether a sentence ends with them. One alignment tells both."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from asr_server.engine.placing import PlacedWord
from asr_server.engine.steps import Encoded, Reading, Steps, find_words
from asr_server.engine.tokens import TokenWord


@dataclass(frozen=True, slots=True)
class Cues:
    """Of the new words of a reading."""

    words: tuple[PlacedWord, ...]
    end_probability: float
    """Of the mark that ends a sentence: the text's own, or a full stop in the place of other punctuation."""


def find_cues(encoded: Encoded, reading: Reading, closed: Sequence[int], language: str) -> Steps[Cues]:
    """`reading` has new words; `closed` are its tokens as a sentence ends (`Tokens.closed`).

    The words keep the text they have. Not aligned again if the guard has seen where they are and they end as a sentence does.
    """
    if list(closed) == reading.tokens:
        placed = reading.placed or (yield from find_words(encoded, reading, language))
        return Cues(placed[reading.told_words :], math.exp(placed[-1].last_log_probability))
    text_end = len(closed) - 1
    last = replace(reading.words[-1], end_token=text_end)
    full_stop = TokenWord("", text_end, len(closed))
    asked = replace(reading, tokens=list(closed), words=(*reading.words[:-1], last, full_stop), placed=None)
    *before, spoken, stop = yield from find_words(encoded, asked, language)
    if text_end < len(reading.tokens):
        spoken = replace(spoken, end_s=stop.end_s)  # the word has punctuation, and its time
    return Cues((*before, spoken)[reading.told_words :], math.exp(stop.log_probability))
