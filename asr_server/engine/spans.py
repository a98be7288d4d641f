"""Where the time of one decode went."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from asr_server.engine.engine import EngineSpan


class SpanClock:
    """Collects the spans of one decode; used by one thread and thrown away."""

    def __init__(self) -> None:
        self._spans: list[EngineSpan] = []

    def add(self, span: EngineSpan) -> None:
        self._spans.append(span)

    @property
    def spans(self) -> tuple[EngineSpan, ...]:
        """In the order they ended."""
        return tuple(self._spans)


@contextmanager
def spent_on(name: str, clocks: Sequence[SpanClock]) -> Iterator[None]:
    """Times what is done inside, for each of the decodes it is done for. A step that fails is not counted: the decode fails with it, or the
    step is done again, with all that it consists of."""
    start_s = time.monotonic()
    yield
    span = EngineSpan(name, start_s, time.monotonic())
    for clock in clocks:
        clock.add(span)
