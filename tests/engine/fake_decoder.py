"""A decoder that says what the test wants, one token a word, and knows where each word is; with an encoder that does nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from asr_server.engine.lockstep import Lockstep
from asr_server.engine.placing import PlacedWord
from asr_server.engine.spans import SpanClock
from asr_server.engine.steps import Answer, Detect, Encode, Encoded, Generate, Place, Reading, Step, Steps, Task
from asr_server.engine.tokens import TokenWord

Result = TypeVar("Result")


def reading(text: str, log_probability: float = -0.2, told: int = 0) -> Reading:
    """One token a word, the first `told` of them told already."""
    words = text.split()
    return Reading(list(range(len(words))), tuple(TokenWord(word, i, i + 1) for i, word in enumerate(words)), log_probability, told=told)


@dataclass
class FakeDecoder:
    """Answers each `generate` with the next of `answers`; words lie at `starts_s`, each until the next, the last until `end_s`."""

    answers: list[list[Reading]]
    starts_s: Sequence[float]
    end_s: float
    word_log_probability: float = -0.2
    no_speech_probability: float = 0.0
    tasks: list[Task] = field(default_factory=list)
    placed: list[Reading] = field(default_factory=list)
    encoded_samples: list[tuple[int, int]] = field(default_factory=list)
    """Samples and margin of each `encode`."""

    @property
    def placings(self) -> int:
        return len(self.placed)

    def result(self, steps: Steps[Result]) -> Result:
        """Of a decode whose steps are answered here."""
        results: list[Result | Exception] = []
        Lockstep[Result](self, lambda _, result: results.append(result)).run([(steps, SpanClock())])
        (result,) = results
        if isinstance(result, Exception):
            raise result
        return result

    def shape(self, step: Step) -> None:
        return None

    def answer(self, steps: Sequence[Step], clocks: Sequence[SpanClock]) -> Sequence[Answer]:
        (step,) = steps
        match step:
            case Encode(samples=samples, margin_samples=margin_samples):
                self.encoded_samples.append((len(samples), margin_samples))
                return [Encoded(None, 0, samples)]
            case Detect():
                return [[("en", 1.0)]]
            case Generate(task=task, limit=limit):
                self.tasks.append(task)
                answer = self.answers.pop(0)
                return [([replace(one, tokens=one.tokens[:limit], words=one.words[:limit]) for one in answer], self.no_speech_probability)]
            case Place(reading=asked):
                self.placed.append(asked)
                return [self._words(asked)]

    def _words(self, reading: Reading) -> tuple[PlacedWord, ...]:
        ends_s = [*self.starts_s[1:], self.end_s]
        return tuple(
            PlacedWord(word, start_s, end_s, self.word_log_probability * (word.end_token - word.first_token))
            for word, start_s, end_s in zip(reading.words, self.starts_s, ends_s, strict=False)
        )
