"""Where the time of one decode went."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from asr_server.engine.engine import EngineSpan


class SpanClock:
    """Collects the spans of one decode; used by one thread and thrown away."""

    def __init__(self) -> None:
        self._spans: list[EngineSpan] = []

    @contextmanager
    def span(self, name: str) -> Iterator[None]:
        """Times what is done inside. A step that fails is not counted: the decode fails with it."""
        start_s = time.monotonic()
        yield
        self._spans.append(EngineSpan(name, start_s, time.monotonic()))

    @property
    def spans(self) -> tuple[EngineSpan, ...]:
        """In the order they ended."""
        return tuple(self._spans)
