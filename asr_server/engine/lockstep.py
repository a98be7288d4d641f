"""Several decodes as one: in rounds, in which each has one step done, equal steps of different decodes together.

Knows no model: which steps are equal, and how they are done, is the network's business.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from asr_server.engine.spans import SpanClock
from asr_server.engine.steps import Answer, Place, Step, Steps

Result = TypeVar("Result")


class Network(Protocol):
    """A model that does the steps of decodes."""

    def shape(self, step: Step) -> Hashable:
        """Steps of equal shape can be done in one. None: only by itself."""

    def answer(self, steps: Sequence[Step], clocks: Sequence[SpanClock]) -> Sequence[Answer]:
        """What each of the steps asks for; they are of one shape. `clocks`, one for each, are told what time it took."""


@dataclass(slots=True, eq=False)
class _Running(Generic[Result]):
    """A decode that waits for an answer."""

    number: int
    steps: Steps[Result]
    clock: SpanClock
    step: Step


class Lockstep(Generic[Result]):
    """Drives decodes to their ends on the calling thread; used once.

    `done` is told the number of each decode and its result, or the exception it ended with, as soon as that is so: who is early does not
    wait for the others. What `done` raises ends it all.
    """

    def __init__(self, network: Network, done: Callable[[int, Result | Exception], None]) -> None:
        self._network = network
        self._done = done

    def run(self, decodes: Iterable[tuple[Steps[Result], SpanClock]]) -> None:
        """Numbers are places in `decodes`; what a decode's steps took is on its clock."""
        running: list[_Running[Result]] = []
        for number, (steps, clock) in enumerate(decodes):
            running += self._go_on(number, steps, clock, None)
        while running:
            round_, running = running, []
            for group in self._groups(round_):
                for one, answer in zip(group, self._answers(group), strict=True):
                    running += self._go_on(one.number, one.steps, one.clock, answer)

    def _go_on(
        self, number: int, steps: Steps[Result], clock: SpanClock, answer: Answer | Exception | None
    ) -> tuple[_Running[Result], ...]:
        """To the decode's next step, the first if it has not begun; empty when it has ended."""
        outcome: Result | Exception
        try:
            step = steps.throw(answer) if isinstance(answer, Exception) else steps.send(answer)
        except StopIteration as end:
            outcome = end.value
        except Exception as error:  # noqa: BLE001 - whatever a decode raises is its own, and the others go on
            outcome = error
        else:
            return (_Running(number, steps, clock, step),)
        self._done(number, outcome)
        return ()

    def _groups(self, running: Sequence[_Running[Result]]) -> list[list[_Running[Result]]]:
        """Those whose steps are done together; first those that place words, the last step of most decodes."""
        groups: dict[Any, list[_Running[Result]]] = {}
        for one in running:
            shape = self._network.shape(one.step) if len(running) > 1 else None
            groups.setdefault(id(one) if shape is None else shape, []).append(one)
        return sorted(groups.values(), key=lambda group: not isinstance(group[0].step, Place))

    def _answers(self, group: Sequence[_Running[Result]]) -> Sequence[Answer | Exception]:
        """Where a step for several fails, each is tried alone: the fault may be one's only."""
        try:
            return self._network.answer([one.step for one in group], [one.clock for one in group])
        except Exception as error:  # noqa: BLE001 - raised again in the decode
            return [error] if len(group) == 1 else [answer for one in group for answer in self._answers([one])]
