"""A decoder that says what the test wants, one token a word, and knows where each word is."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from asr_server.engine.placing import PlacedWord
from asr_server.engine.reading import Encoded, Reading, Task
from asr_server.engine.spans import SpanClock
from asr_server.engine.tokens import TokenWord


def reading(text: str, log_probability: float = -0.2) -> Reading:
    """One token a word."""
    words = text.split()
    return Reading(list(range(len(words))), tuple(TokenWord(word, i, i + 1) for i, word in enumerate(words)), log_probability)


@dataclass
class FakeDecoder:
    """Answers each `generate` with the next of `answers`; words lie at `starts_s`, each until the next, the last until `end_s`."""

    answers: list[list[Reading]]
    starts_s: Sequence[float]
    end_s: float
    word_log_probability: float = -0.2
    no_speech_probability: float = 0.0
    tasks: list[Task] = field(default_factory=list)
    placings: int = 0

    def generate(self, encoded: Encoded, task: Task, limit: int) -> tuple[list[Reading], float]:
        self.tasks.append(task)
        answer = self.answers.pop(0)
        return [Reading(one.tokens[:limit], one.words[:limit], one.log_probability) for one in answer], self.no_speech_probability

    def place(self, encoded: Encoded, reading: Reading, language: str, clock: SpanClock) -> tuple[PlacedWord, ...]:
        self.placings += 1
        ends_s = [*self.starts_s[1:], self.end_s]
        return tuple(
            PlacedWord(word, start_s, end_s, self.word_log_probability)
            for word, start_s, end_s in zip(reading.words, self.starts_s, ends_s, strict=False)
        )
