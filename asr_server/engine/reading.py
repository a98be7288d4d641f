"""From an encoding to the text that was said: decodes, sees whether the text can be what was said, and mends it where it cannot.

Knows no library; the model stands behind `Decoder`.
"""

from dataclasses import dataclass, replace
from typing import Protocol

from asr_server.engine import guard
from asr_server.engine.engine import Guard
from asr_server.engine.no_speech import NoSpeechRule
from asr_server.engine.placing import RATE_HZ, PlacedWord
from asr_server.engine.spans import SpanClock
from asr_server.engine.tokens import TokenWord
from audio_norm import Samples

MAX_TOKENS = 224  # half of Whisper's text window; the other half is for a prompt

MIN_ADDED_LOG_PROBABILITY = -1.0
"""Mean a token of what follows when reading goes on after an early stop; missed speech had -0.5."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """Encoder output of `samples`, anchor included; `frames` were encoded."""

    states: object
    """The model's own."""
    frames: int
    samples: Samples

    @property
    def audio_s(self) -> float:
        return len(self.samples) / RATE_HZ


@dataclass(frozen=True, slots=True)
class Reading:
    """A text the decoder produced. `log_probability` is the mean over its tokens and the end of text."""

    tokens: list[int]
    words: tuple[TokenWord, ...]
    log_probability: float
    placed: tuple[PlacedWord, ...] | None = None
    """Where its words are, once somebody had to know."""


@dataclass(frozen=True, slots=True)
class Task:
    language: str
    beam_size: int
    max_alternatives: int = 1
    phrases: tuple[str, ...] = ()
    begun: tuple[int, ...] = ()
    """Tokens the text begins with; reading goes on from there, by one token at least."""


@dataclass(frozen=True, slots=True)
class Read:
    """What was made of one encoding: readings that passed the guard, best first."""

    readings: tuple[Reading, ...]
    no_speech_probability: float
    guard: Guard = ""
    runs_on: bool = False
    """The best one did not stop, and there is no telling where it should have."""


class Decoder(Protocol):
    """The steps of a model that reading takes."""

    def generate(self, encoded: Encoded, task: Task, limit: int) -> tuple[list[Reading], float]:
        """Readings of at most `limit` tokens, best first, one or more, and the probability of no speech."""

    def place(self, encoded: Encoded, reading: Reading, language: str, clock: SpanClock) -> tuple[PlacedWord, ...]:
        """Where the words of a reading are."""


class Reader:
    """Immutable; may be used from several threads."""

    def __init__(self, decoder: Decoder, no_speech: NoSpeechRule) -> None:
        self._decoder = decoder
        self._no_speech = no_speech

    def read(self, encoded: Encoded, task: Task, clock: SpanClock) -> Read:
        """Decode, then see that the best text is what was said; other readings that look run away are left out."""
        limit = min(guard.token_limit(encoded.audio_s, task.language), MAX_TOKENS)
        with clock.span("decode"):
            (best, *others), no_speech_probability = self._decoder.generate(encoded, task, limit)
        others = [reading for reading in others if not _is_suspicious(reading, limit)]
        if not _is_suspicious(best, limit):
            if guard.may_stop_early(len(best.tokens), encoded.audio_s) and not self.is_no_speech(
                best, no_speech_probability, encoded.audio_s
            ):
                best, verdict = self._read_on(encoded, best, task, limit, clock)
                return Read((best, *others), no_speech_probability, verdict)
            return Read((best, *others), no_speech_probability)
        placed = self._decoder.place(encoded, best, task.language, clock)
        broken_off = len(best.tokens) >= limit
        whole = placed[:-1] if broken_off else placed  # the last word may have been cut in the middle
        spoken = whole[: guard.words_spoken([word.heard for word in whole], encoded.audio_s, broken_off=broken_off)]
        if len(spoken) < len(whole):
            return Read((_shortened(best, spoken), *others), no_speech_probability, guard="cut")
        return Read((replace(best, placed=placed), *others), no_speech_probability, runs_on=broken_off)

    def _read_on(self, encoded: Encoded, best: Reading, task: Task, limit: int, clock: SpanClock) -> tuple[Reading, Guard]:
        """If `best` stops where others go on speaking, the same and what follows; else as it is."""
        placed = self._decoder.place(encoded, best, task.language, clock)
        if not guard.is_unread([word.heard for word in placed], encoded.samples, RATE_HZ):
            return replace(best, placed=placed), ""
        with clock.span("decode"):
            (longer, *_), _ = self._decoder.generate(encoded, replace(task, begun=tuple(best.tokens), max_alternatives=1), limit)
        replaced = self._decoder.place(encoded, longer, task.language, clock)
        spoken = replaced[: guard.words_spoken([word.heard for word in replaced], encoded.audio_s, broken_off=len(longer.tokens) >= limit)]
        added = _shortened(longer, spoken[len(placed) :])
        if len(spoken) <= len(placed) or added.log_probability < MIN_ADDED_LOG_PROBABILITY:
            return replace(best, placed=placed), ""
        return _shortened(longer, spoken), "continued"

    def is_no_speech(self, reading: Reading, no_speech_probability: float, audio_s: float) -> bool:
        return self._no_speech.rejects(
            no_speech_probability=no_speech_probability,
            log_probability=reading.log_probability,
            tokens=len(reading.tokens),
            audio_s=audio_s,
        )


def _is_suspicious(reading: Reading, limit: int) -> bool:
    return guard.is_suspicious([word.text for word in reading.words], len(reading.tokens), limit)


def _shortened(reading: Reading, spoken: tuple[PlacedWord, ...]) -> Reading:
    """Some words of a reading, as sure as the alignment was of them."""
    tokens = [token for word in spoken for token in reading.tokens[word.word.first_token : word.word.end_token]]
    log_probability = sum(word.log_probability for word in spoken) / max(len(tokens), 1)
    return Reading(tokens, tuple(word.word for word in spoken), log_probability, spoken)
