"""From an encoding to the text that was said: decodes, sees whether the text can be what was said, and mends it where it cannot.

Knows no library; what the model has to do it asks for in `steps`.
"""

from dataclasses import dataclass, replace

from asr_server.engine import guard
from asr_server.engine.engine import Guard
from asr_server.engine.no_speech import NoSpeechRule
from asr_server.engine.placing import RATE_HZ, PlacedWord
from asr_server.engine.steps import Encoded, Reading, Steps, Task, find_words, generate
from asr_server.engine.tokens import TokenWord

MAX_TOKENS = 224  # half of Whisper's text window; the other half is for a prompt

MIN_ADDED_LOG_PROBABILITY = -1.0
"""Mean a token of what follows when reading goes on after an early stop; missed speech had -0.5."""


@dataclass(frozen=True, slots=True)
class Read:
    """What was made of one encoding: readings that passed the guard, best first."""

    readings: tuple[Reading, ...]
    no_speech_probability: float
    guard: Guard = ""
    runs_on: bool = False
    """The best one did not stop, and there is no telling where it should have."""


class Reader:
    """Immutable; may be used from several threads."""

    def __init__(self, no_speech: NoSpeechRule) -> None:
        self._no_speech = no_speech

    def read(self, encoded: Encoded, task: Task) -> Steps[Read]:
        """Decode, then see that the best text is what was said; other readings that look run away are left out."""
        new_s = encoded.audio_s - task.begun_s
        limit = min(len(task.begun) + guard.token_limit(new_s, task.language), MAX_TOKENS)
        (best, *others), no_speech_probability = yield from generate(encoded, task, limit)
        # Nobody looks where their words are: a word that is said twice is no reason to leave one out.
        others = [reading for reading in others if not _is_suspicious(reading, limit, short_times=3)]
        if _is_suspicious(best, limit):
            placed = yield from find_words(encoded, best, task.language)
            broken_off = len(best.tokens) >= limit
            # Of a text that was broken off the last word may have been cut in the middle.
            whole = placed[: max(len(placed) - 1, best.told_words)] if broken_off else placed
            spoken = _spoken(whole, best.told_words, encoded.audio_s, task.begun_s, broken_off=broken_off)
            if len(spoken) < len(whole):
                return Read((_shortened(best, spoken), *others), no_speech_probability, guard="cut")
            best = replace(best, placed=placed)
            if broken_off:
                return Read((best, *others), no_speech_probability, runs_on=True)
        words = [word.text for word in best.new_words]
        may_stop_early = guard.may_stop_early(words, len(best.new_tokens), new_s)
        if may_stop_early and not self.is_no_speech(best, no_speech_probability, new_s):
            best, verdict = yield from self._read_on(encoded, best, task, limit)
            return Read((best, *others), no_speech_probability, verdict)
        return Read((best, *others), no_speech_probability)

    def _read_on(self, encoded: Encoded, best: Reading, task: Task, limit: int) -> Steps[tuple[Reading, Guard]]:
        """If `best` stops where others go on speaking, the same and what follows; else as it is."""
        placed = best.placed or (yield from find_words(encoded, best, task.language))
        if not guard.is_unread([word.heard for word in placed], encoded.samples, RATE_HZ):
            return replace(best, placed=placed), ""
        (longer, *_), _ = yield from generate(encoded, replace(task, begun=tuple(best.tokens), max_alternatives=1), limit)
        longer = replace(longer, told=best.told)
        replaced = yield from find_words(encoded, longer, task.language)
        spoken = _spoken(replaced, best.told_words, encoded.audio_s, task.begun_s, broken_off=len(longer.tokens) >= limit)
        if len(spoken) <= len(placed) or _log_probability(spoken[len(placed) :]) < MIN_ADDED_LOG_PROBABILITY:
            return replace(best, placed=placed), ""
        return _shortened(longer, spoken), "continued"

    def is_no_speech(self, reading: Reading, no_speech_probability: float, new_s: float) -> bool:
        """Whether what is new in a reading of `new_s` of new audio was not said by anybody."""
        return self._no_speech.rejects(
            no_speech_probability=no_speech_probability,
            log_probability=reading.log_probability,
            tokens=len(reading.new_tokens),
            audio_s=new_s,
        )


def _is_suspicious(reading: Reading, limit: int, short_times: int = 2) -> bool:
    texts = [word.text for word in reading.words]
    told, new = texts[: reading.told_words], texts[reading.told_words :]
    return guard.is_suspicious(new, len(reading.tokens), limit, short_times) or guard.said_again(told, new) > 0


def _spoken(placed: tuple[PlacedWord, ...], told_words: int, audio_s: float, new_s: float, *, broken_off: bool) -> tuple[PlacedWord, ...]:
    """The words that were told, and those after them that were said; the new audio begins at `new_s`."""
    told, new = placed[:told_words], placed[told_words:]
    new = new[guard.words_not_new([word.heard for word in told], [word.heard for word in new], new_s) :]
    return (*told, *new[: guard.words_spoken([word.heard for word in new], audio_s, broken_off=broken_off)])


def _shortened(reading: Reading, spoken: tuple[PlacedWord, ...]) -> Reading:
    """Some words of a reading, those told among them, as sure as the alignment was of the new ones."""
    tokens: list[int] = []
    placed = []
    for word in spoken:
        first = len(tokens)
        tokens += reading.tokens[word.word.first_token : word.word.end_token]
        placed.append(replace(word, word=TokenWord(word.word.text, first, len(tokens))))
    log_probability = _log_probability(spoken[reading.told_words :])
    return Reading(tokens, tuple(word.word for word in placed), log_probability, tuple(placed), reading.told)


def _log_probability(words: tuple[PlacedWord, ...]) -> float:
    """Mean a token."""
    return sum(word.log_probability for word in words) / max(sum(word.tokens for word in words), 1)
