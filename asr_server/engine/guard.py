"""The runaway guard: finds text that was not spoken because the decoder did not stop, and speech it did not read because it stopped early.

Pure; works on words, knows no model.

A decoder that runs away says the end of its text again, often all of it and often many times. People repeat themselves as well, so a repeat
only raises suspicion; where the words lie in the audio decides. Spoken ones take their time, false ones are squeezed together or
lie behind the end of the audio.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

import numpy as np

from audio_norm import Samples

_SENTENCE_ENDS = (".", "?", "!", "\u3002", "\uff1f", "\uff01")
_NOT_LETTERS = re.compile(r"[\W_]+")

MAX_SPOKEN_TOKENS_PER_S = 10.0
"""Nobody speaks faster. Fast English is 6; repeats that were not spoken measured 11 to 40."""

LONE_WORD_S = 0.6
"""A word that is said several times by itself, its pause included."""
HURRIED = 0.4
"""A repeat that takes less than this of the longest one was not spoken. Words end where the next begins: a pause after the longest is no
part of it, so no more counts of it than is usual."""
TWICE_S = 0.7
"""A word that is said twice takes at least this long. One word of half a second is often written twice."""

SPARSE_TOKENS_PER_S = 2.3
"""Half of all clips have 3.3, one in twenty fewer than this."""

UNREAD_S = 1.0
"""More than the silence that is kept after speech, and than an alignment errs."""

UNREAD_OPEN_S = 0.4
"""The same behind a text that does not end as a sentence does: a last word is easily left out."""

UNREAD_POWER = 0.05
"""Of the mean power of the audio: -13 dB."""

TOLD_AGAIN = 0.75
"""Share of the words that were told from which on a text that has them once more, in their order, is taken for another telling. Sentences
that only begin alike ("It was here that ...") have half of them."""
_WORDS_BEFORE = 3
"""A telling from the beginning of the sentence has words before those that were told, of which only the last seconds are given."""

_TOKENS_PER_S = 8
_DENSE_TOKENS_PER_S = 25
"""In scripts that the tokenizer knows little of, it takes two or three tokens a letter."""
_SPARE_TOKENS = 10
_DENSE = frozenset(
    (
        *("am", "ar", "as", "bn", "bo", "el", "fa", "gu", "he", "hi", "hy", "ja", "ka", "km", "kn", "ko"),
        *("lo", "ml", "mr", "my", "ne", "pa", "ps", "sa", "sd", "si", "ta", "te", "th", "ur", "yi", "yue", "zh"),
    )
)


@dataclass(frozen=True, slots=True)
class HeardWord:
    """A word of the text, with where it was found in the audio (seconds from its start)."""

    text: str
    tokens: int
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Repeat:
    """The end of a text says the same `times` over: `unit` words each, then `rest` words of one more, broken off."""

    unit: int
    times: int
    rest: int


def token_limit(audio_s: float, language: str) -> int:
    """More tokens than anybody says in `audio_s`: where decoding is stopped."""
    return _SPARE_TOKENS + int(audio_s * (_DENSE_TOKENS_PER_S if language in _DENSE else _TOKENS_PER_S))


def repeated_tail(words: Sequence[str], short_times: int = 2) -> Repeat | None:
    """The shortest unit that the text ends on repeating, one or two words at least `short_times`. Case and punctuation are nothing."""
    plain = _plain(words)
    for unit in range(1, len(plain) // 2 + 1):
        same = 0
        while same < len(plain) - unit and plain[-1 - same] == plain[-1 - same - unit]:
            same += 1
        times, rest = divmod(same + unit, unit)
        if times >= (2 if unit >= 3 else short_times):
            return Repeat(unit, times, rest)
    return None


def is_suspicious(words: Sequence[str], tokens: int, limit: int, short_times: int = 2) -> bool:
    """Whether it is worth the time to look where the words lie; `short_times` as in `repeated_tail`."""
    return tokens >= limit or repeated_tail(words, short_times) is not None


def words_spoken(words: Sequence[HeardWord], audio_s: float, *, broken_off: bool) -> int:
    """How many words, from the first, are to be kept: without those behind the audio and without repeats nobody had the time to say.

    `broken_off`: decoding was stopped at its limit, so the text does not end where a sentence does.
    """
    kept = len(words)
    # Repeats first: taken from the end of the whole text, they are in step with the one that was spoken.
    while (repeat := repeated_tail([word.text for word in words[:kept]])) is not None:
        end = kept - (repeat.rest if broken_off else 0)
        repeats = [words[end - (number + 1) * repeat.unit : end - number * repeat.unit] for number in range(repeat.times)]
        longest_s = min(max(_duration_s(said, audio_s) for said in repeats), LONE_WORD_S * repeat.unit)
        squeezed = sum(_is_squeezed(said, audio_s) or _duration_s(said, audio_s) < HURRIED * longest_s for said in repeats)
        if repeat.unit == 1 and repeat.times == 2 and audio_s - repeats[-1][0].start_s < TWICE_S:
            squeezed = 1
        if not squeezed:
            break
        true = max(repeat.times - squeezed, 1)
        if repeat.unit == 1 and repeat.times > 2:
            # What is left of a lone word said over and over always has time enough; there is only how often it can have been said.
            true = min(true, max(1, int((audio_s - repeats[-1][0].start_s) / LONE_WORD_S)))
        kept = end - repeat.unit * (repeat.times - true)
    return next((index for index, word in enumerate(words[:kept]) if word.start_s >= audio_s), kept)


def said_again(said: Sequence[str], new: Sequence[str]) -> int:
    """How many of the first words of `new` are the last of `said` over again. Case and punctuation are nothing."""
    before, after = _plain(said), _plain(new)
    return next((count for count in range(min(len(before), len(after)), 0, -1) if before[-count:] == after[:count]), 0)


def starts_over(said: Sequence[str], new: Sequence[str]) -> bool:
    """Whether `new` tells what was `said` once more, perhaps in other words here and there or with some before it."""
    before, after = _plain(said), _plain(new)[: len(said) + _WORDS_BEFORE]
    if not before or not after:
        return False
    same = sum(block.size for block in SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks())
    return said_again(said, new) > 0 or same >= max(TOLD_AGAIN * len(before), 2)


def words_not_new(said: Sequence[HeardWord], new: Sequence[HeardWord], new_s: float) -> int:
    """How many of the first words of `new` only say again what `said` ends with: more before `new_s`, where the new audio begins, than
    behind it, or without the time there to be said."""
    again = new[: said_again([word.text for word in said], [word.text for word in new])]
    if not again:
        return 0
    before_s, behind_s = new_s - again[0].start_s, again[-1].end_s - new_s
    tokens = sum(word.tokens for word in again)
    return len(again) if before_s > behind_s or tokens > MAX_SPOKEN_TOKENS_PER_S * behind_s else 0


def may_stop_early(words: Sequence[str], tokens: int, audio_s: float) -> bool:
    """Whether a text ends in the middle of a sentence, or is so short, that it is worth the time to look how far into the audio it goes."""
    return _is_open(words) or (audio_s > UNREAD_S and tokens < SPARSE_TOKENS_PER_S * audio_s)


def is_unread(words: Sequence[HeardWord], samples: Samples, rate_hz: int) -> bool:
    """Whether sound like the rest of it, long enough for words, follows the last word."""
    end = int(words[-1].end_s * rate_hz) if words else 0
    rest = samples[end:]
    unread_s = UNREAD_OPEN_S if _is_open([word.text for word in words]) else UNREAD_S
    return len(rest) > unread_s * rate_hz and bool(np.mean(np.square(rest)) > UNREAD_POWER * np.mean(np.square(samples)))


def _is_open(words: Sequence[str]) -> bool:
    """Whether there is a text, and it does not end as a sentence does."""
    return bool(words) and not words[-1].endswith(_SENTENCE_ENDS)


def _plain(words: Sequence[str]) -> list[str]:
    return [_NOT_LETTERS.sub("", word.lower()) for word in words]


def _duration_s(words: Sequence[HeardWord], audio_s: float) -> float:
    return min(words[-1].end_s, audio_s) - words[0].start_s


def _is_squeezed(words: Sequence[HeardWord], audio_s: float) -> bool:
    return sum(word.tokens for word in words) > MAX_SPOKEN_TOKENS_PER_S * _duration_s(words, audio_s)
