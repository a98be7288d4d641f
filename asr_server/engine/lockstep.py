"""Several decodes as one: in rounds, in which each has one step done, equal steps of different decodes together.

Knows no model: which steps are equal, and how they are done, is the network's business.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from asr_server.engine.spans import SpanClock
from asr_server.engine.steps import Answer, Place, Step, Steps, Tell

Result = TypeVar("Result")


class Unwanted(Exception):
    """Nobody waits for the decode any more."""


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
    is_told: bool
    """Whether its text was told: nobody waits for the rest."""


class Lockstep(Generic[Result]):
    """Drives decodes to their ends on the calling thread; used once.

    `done` is told the number of each decode and its result, or the exception it ended with, as soon as that is so: who is early does not
    wait for the others. `told` is told what a decode tells before its end. `wanted` is asked before each step of the model whether
    anybody still waits for the decode; if not, it ends with `Unwanted`. What any of them raises ends it all.
    """

    def __init__(
        self,
        network: Network,
        done: Callable[[int, Result | Exception], None],
        told: Callable[[int, Any], None] = lambda _, __: None,
        wanted: Callable[[int], bool] = lambda _: True,
    ) -> None:
        self._network = network
        self._done = done
        self._told = told
        self._wanted = wanted

    def run(self, decodes: Iterable[tuple[Steps[Result], SpanClock]]) -> None:
        """Numbers are places in `decodes`; what a decode's steps took is on its clock."""
        running: list[_Running[Result]] = []
        for number, (steps, clock) in enumerate(decodes):
            running += self._go_on(number, steps, clock, None, is_told=False)
        while running:
            round_, running = self._still_wanted(running), []
            for group in self._groups(round_):
                for one, answer in zip(group, self._answers(group), strict=True):
                    running += self._go_on(one.number, one.steps, one.clock, answer, is_told=one.is_told)

    def _go_on(
        self, number: int, steps: Steps[Result], clock: SpanClock, answer: Answer | Exception | None, *, is_told: bool
    ) -> tuple[_Running[Result], ...]:
        """To the decode's next step for the model, the first if it has not begun; empty when it has ended."""
        outcome: Result | Exception
        sent = answer
        while True:
            try:
                step = steps.throw(sent) if isinstance(sent, Exception) else steps.send(sent)
            except StopIteration as end:
                outcome = end.value
                break
            except Exception as error:  # noqa: BLE001 - whatever a decode raises is its own, and the others go on
                outcome = error
                break
            if not isinstance(step, Tell):
                return (_Running(number, steps, clock, step, is_told),)
            self._told(number, step.so_far)
            sent, is_told = None, True
        self._done(number, outcome)
        return ()

    def _still_wanted(self, running: Sequence[_Running[Result]]) -> list[_Running[Result]]:
        wanted = []
        for one in running:
            if self._wanted(one.number):
                wanted.append(one)
            else:
                one.steps.close()
                self._done(one.number, Unwanted())
        return wanted

    def _groups(self, running: Sequence[_Running[Result]]) -> list[list[_Running[Result]]]:
        """Those whose steps are done together; first those that place words, the last step before a text is told, and last those of texts
        that were told."""
        groups: dict[Any, list[_Running[Result]]] = {}
        for one in running:
            shape = self._network.shape(one.step) if len(running) > 1 else None
            groups.setdefault((id(one),) if shape is None else (shape, one.is_told), []).append(one)
        return sorted(groups.values(), key=lambda group: (group[0].is_told, not isinstance(group[0].step, Place)))

    def _answers(self, group: Sequence[_Running[Result]]) -> Sequence[Answer | Exception]:
        """Where a step for several fails, each is tried alone: the fault may be one's only."""
        try:
            return self._network.answer([one.step for one in group], [one.clock for one in group])
        except Exception as error:  # noqa: BLE001 - raised again in the decode
            return [error] if len(group) == 1 else [answer for one in group for answer in self._answers([one])]
