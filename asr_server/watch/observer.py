"""How the server tells listeners what happens: plain values, times attached, reported when they are known. No telemetry library here.

All times are seconds of `time.monotonic()`. Attribute names are those listed in `watch/attributes.py`.
An observer must not raise and must not block; it is called on the event loop.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

Attribute = str | bool | int | float | Sequence[str]
Attributes = Mapping[str, Attribute]


@dataclass(frozen=True, slots=True)
class Stage:
    """A named piece of work with its own clock: a slice of the budget, or a part of one (`asr.encode`)."""

    name: str
    start_s: float
    end_s: float
    attributes: Attributes = field(default_factory=dict)
    parts: tuple["Stage", ...] = ()

    @property
    def spent_ms(self) -> float:
        return (self.end_s - self.start_s) * 1000


@dataclass(frozen=True, slots=True)
class SegmentRecord:
    """Everything about one finished segment: its stages in order, and attributes of the whole (ledger, release, counts)."""

    index: int
    start_s: float
    end_s: float
    stages: tuple[Stage, ...]
    attributes: Attributes
    text: str = ""
    """For observers that were explicitly allowed to see text."""
    failed: str = ""
    """What went wrong, when something did."""
    trace_id: str = ""
    """Of the call, where it is traced."""
    id: str = ""
    """What its final was told as."""


class CallObserver(Protocol):
    """Listens to one call (stream or unary)."""

    @property
    def trace_id(self) -> str:
        """32 hex digits under which the call can be found; empty where it is not traced."""

    def describe(self, attributes: Attributes) -> None:
        """Attributes of the whole call, known once its config was read."""

    def event(self, name: str, attributes: Attributes, at_s: float) -> None:
        """Something happened at a point in time: speech start or end, a partial."""

    def segment(self, record: SegmentRecord) -> None: ...

    def close(self, status: str, message: str, at_s: float) -> None:
        """The call has ended with this gRPC status name ("OK", "CANCELLED", ...)."""


class Observer(Protocol):
    def call(self, method: str, metadata: Mapping[str, str], at_s: float) -> CallObserver:
        """A call has begun; `metadata` may carry a `traceparent`."""


class NullCallObserver:
    """Listens to nothing."""

    trace_id = ""

    def describe(self, attributes: Attributes) -> None: ...
    def event(self, name: str, attributes: Attributes, at_s: float) -> None: ...
    def segment(self, record: SegmentRecord) -> None: ...
    def close(self, status: str, message: str, at_s: float) -> None: ...


class AllCalls:
    """Several who listen to one call, each told everything in its turn."""

    __slots__ = ("_listeners",)

    def __init__(self, *listeners: CallObserver) -> None:
        self._listeners = listeners

    @property
    def trace_id(self) -> str:
        return next(filter(None, (listener.trace_id for listener in self._listeners)), "")

    def describe(self, attributes: Attributes) -> None:
        for listener in self._listeners:
            listener.describe(attributes)

    def event(self, name: str, attributes: Attributes, at_s: float) -> None:
        for listener in self._listeners:
            listener.event(name, attributes, at_s)

    def segment(self, record: SegmentRecord) -> None:
        for listener in self._listeners:
            listener.segment(record)

    def close(self, status: str, message: str, at_s: float) -> None:
        for listener in self._listeners:
            listener.close(status, message, at_s)


class All:
    """Several observers, each told everything in its turn."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def call(self, method: str, metadata: Mapping[str, str], at_s: float) -> CallObserver:
        return AllCalls(*(observer.call(method, metadata, at_s) for observer in self._observers))


class NullObserver:
    def call(self, method: str, metadata: Mapping[str, str], at_s: float) -> CallObserver:
        return NullCallObserver()
