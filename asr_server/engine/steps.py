"""The steps of a decode that only the model can do, and what passes between.

A decode is a generator: it yields a step and is sent its answer, so that whoever drives it (`lockstep`) may have equal steps of several
decodes done in one.

The functions here are for `yield from`; each yields one step and returns its answer.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from asr_server.engine.placing import RATE_HZ, PlacedWord
from asr_server.engine.tokens import TokenWord
from audio_norm import Samples


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
    """A text the decoder produced. `log_probability` is the mean over its new tokens and the end of text."""

    tokens: list[int]
    words: tuple[TokenWord, ...]
    log_probability: float
    placed: tuple[PlacedWord, ...] | None = None
    """Where its words are, once somebody had to know."""
    told: int = 0
    """Tokens it begins with that were told already. A word that begins with them is not new, whatever was added to it."""

    @property
    def told_words(self) -> int:
        return sum(word.first_token < self.told for word in self.words)

    @property
    def new_words(self) -> tuple[TokenWord, ...]:
        return self.words[self.told_words :]

    @property
    def new_tokens(self) -> list[int]:
        new = self.new_words
        return self.tokens[new[0].first_token :] if new else []


@dataclass(frozen=True, slots=True)
class Task:
    language: str
    beam_size: int
    max_alternatives: int = 1
    phrases: tuple[str, ...] = ()
    begun: tuple[int, ...] = ()
    """Tokens the text begins with; reading goes on from there, by one token at least."""
    begun_s: float = 0.0
    """Where in the audio begins what was not told already; before it lies what `begun` says."""

    @property
    def readings(self) -> int:
        """How many are wanted: a search gives no more than its beam is wide."""
        return max(1, min(self.max_alternatives, self.beam_size))


@dataclass(frozen=True, slots=True, eq=False)
class Encode:
    """`Encoded` of the samples and a margin of silence after them, 30 s in all at most."""

    samples: Samples
    margin_samples: int


@dataclass(frozen=True, slots=True, eq=False)
class Detect:
    """All languages with their probabilities."""

    encoded: Encoded


@dataclass(frozen=True, slots=True, eq=False)
class Generate:
    """Readings of at most `limit` tokens, best first, one or more, and the probability of no speech."""

    encoded: Encoded
    task: Task
    limit: int
    suppress: tuple[int, ...] = ()
    """Tokens not to be generated."""


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Where the words of a reading are; it has some."""

    encoded: Encoded
    reading: Reading
    language: str


@dataclass(frozen=True, slots=True, eq=False)
class Tell:
    """Nothing for the model to do: what is known so far, for those who need not wait for the rest."""

    so_far: object


Step: TypeAlias = Encode | Detect | Generate | Place
Languages: TypeAlias = list[tuple[str, float]]
Readings: TypeAlias = tuple[list[Reading], float]
PlacedWords: TypeAlias = tuple[PlacedWord, ...]
Answer: TypeAlias = Encoded | Languages | Readings | PlacedWords

Result = TypeVar("Result")
Steps: TypeAlias = Generator[Step | Tell, Any, Result]
"""A decode, or a part of one, on its way to a result. It is sent the `Answer` of the kind that the yielded step asks for."""


def encode(samples: Samples, margin_samples: int) -> Steps[Encoded]:
    answer: Encoded = yield Encode(samples, margin_samples)
    return answer


def detect(encoded: Encoded) -> Steps[Languages]:
    answer: Languages = yield Detect(encoded)
    return answer


def generate(encoded: Encoded, task: Task, limit: int) -> Steps[Readings]:
    answer: Readings = yield Generate(encoded, task, limit)
    return answer


def find_words(encoded: Encoded, reading: Reading, language: str) -> Steps[PlacedWords]:
    if not reading.tokens:
        return ()
    answer: PlacedWords = yield Place(encoded, reading, language)
    return answer


def tell(so_far: object) -> Steps[None]:
    yield Tell(so_far)
