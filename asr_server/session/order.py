"""The order in which a stream's answers leave, whatever order they come in."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

from asr_server.events import Final, Finalized, UtteranceEnded, WordPlaces
from asr_server.session.stability import StablePrefix
from asr_server.transcript import Hypothesis, Word


@dataclass(slots=True)
class Awaited:
    """A final whose hypothesis may still be out."""

    job: int
    segment: int
    start_sample: int
    end_sample: int
    prefix: StablePrefix
    eager_text: str = ""
    """Told last before the segment was closed; empty: nothing."""
    hypothesis: Hypothesis | None = None
    word_places: WordPlaces = WordPlaces.UNWANTED
    """When its words are to come."""

    @property
    def final(self) -> Final:
        """With what was shown as stable. Only of one that was answered."""
        assert self.hypothesis is not None, "only answered finals leave"
        kept, overruled = self.prefix.kept_in(self.hypothesis)
        return Final(self.job, self.segment, self.start_sample, self.end_sample, kept, overruled)

    @property
    def words_follow(self) -> bool:
        """Whether its text was heard without the words, which come after it."""
        hypothesis = self.hypothesis
        return self.word_places is WordPlaces.AFTER and hypothesis is not None and bool(hypothesis.text) and not hypothesis.words

    def with_words(self, words: tuple[Word, ...]) -> "Awaited":
        assert self.hypothesis is not None, "words follow an answer"
        return replace(self, hypothesis=replace(self.hypothesis, words=words), word_places=WordPlaces.UNWANTED)


class Order:
    """Finals, ends of utterances and answers to `finalize`, first come, first out."""

    def __init__(self) -> None:
        self._leaving: deque[Awaited | UtteranceEnded | Finalized] = deque()
        self._awaited: dict[int, Awaited] = {}

    def __len__(self) -> int:
        return len(self._leaving)

    def add(self, answer: Awaited | UtteranceEnded | Finalized) -> None:
        self._leaving.append(answer)
        if isinstance(answer, Awaited):
            self._awaited[answer.job] = answer

    def answer(self, job: int, hypothesis: Hypothesis) -> bool:
        """False: no such final is awaited."""
        awaited = self._awaited.pop(job, None)
        if awaited is None:
            return False
        awaited.hypothesis = hypothesis
        return True

    def place(self, job: int, words: tuple[Word, ...]) -> None:
        """The words of a final that waits for others before it, and was answered without them."""
        for place, answer in enumerate(self._leaving):
            if isinstance(answer, Awaited) and answer.job == job and answer.words_follow:
                self._leaving[place] = answer.with_words(words)

    def leave(self) -> Iterator[Awaited | UtteranceEnded | Finalized]:
        """Everything up to the first final that still waits for its hypothesis."""
        while self._leaving:
            head = self._leaving[0]
            if isinstance(head, Awaited) and head.hypothesis is None:
                return
            yield self._leaving.popleft()
