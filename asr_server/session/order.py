"""The order in which a stream's answers leave, whatever order they come in."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from asr_server.events import Finalized, UtteranceEnded
from asr_server.session.stability import StablePrefix
from asr_server.transcript import Hypothesis


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

    def leave(self) -> Iterator[Awaited | UtteranceEnded | Finalized]:
        """Everything up to the first final that still waits for its hypothesis."""
        while self._leaving:
            head = self._leaving[0]
            if isinstance(head, Awaited) and head.hypothesis is None:
                return
            yield self._leaving.popleft()
