"""An observer that keeps what it is told."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from asr_server.watch.observer import Attribute, Attributes, SegmentRecord


@dataclass(slots=True)
class FakeCall:
    method: str
    metadata: dict[str, str]
    began_s: float
    described: dict[str, Attribute] = field(default_factory=dict)
    events: list[tuple[str, dict[str, Attribute], float]] = field(default_factory=list)
    segments: list[SegmentRecord] = field(default_factory=list)
    closes: list[tuple[str, str, float]] = field(default_factory=list)
    """Status, message, time. A call that is observed rightly has exactly one."""
    _closed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def trace_id(self) -> str:
        return ""

    def describe(self, attributes: Attributes) -> None:
        self.described.update(attributes)

    def event(self, name: str, attributes: Attributes, at_s: float) -> None:
        self.events.append((name, dict(attributes), at_s))

    def segment(self, record: SegmentRecord) -> None:
        self.segments.append(record)

    def close(self, status: str, message: str, at_s: float) -> None:
        self.closes.append((status, message, at_s))
        self._closed.set()

    async def status(self) -> tuple[str, str]:
        """Status and message, once it has ended."""
        async with asyncio.timeout(5):
            await self._closed.wait()
        ((status, message, _),) = self.closes
        return status, message


@dataclass(slots=True)
class FakeObserver:
    calls: list[FakeCall] = field(default_factory=list)

    def call(self, method: str, metadata: Mapping[str, str], at_s: float) -> FakeCall:
        call = FakeCall(method, dict(metadata), at_s)
        self.calls.append(call)
        return call

    @property
    def only(self) -> FakeCall:
        (call,) = self.calls
        return call
