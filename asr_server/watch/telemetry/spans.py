"""Calls and segments as spans: one tree a call, made from values after the fact, with the times that were reported."""

from dataclasses import dataclass

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, format_trace_id, set_span_in_context

from asr_server.watch.attributes import (
    ERROR_TYPE,
    RPC_METHOD,
    RPC_RESPONSE_STATUS_CODE,
    RPC_SYSTEM_NAME,
    SEGMENT,
    SEGMENT_ID,
    TRANSCRIPT,
)
from asr_server.watch.observer import Attribute, Attributes, SegmentRecord, Stage
from asr_server.watch.telemetry.guard import Guard

# The codes that the conventions for RPC servers call errors; all others are the caller's doing.
_SERVER_ERRORS = frozenset({"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"})


@dataclass(frozen=True, slots=True)
class Spans:
    """Makes spans from values: monotonic seconds become Unix nanoseconds, and what may not be exported is left out."""

    tracer: Tracer
    epoch_offset_ns: int
    transcripts: bool

    def start(self, name: str, parent: Context, attributes: Attributes, start_s: float, kind: SpanKind = SpanKind.INTERNAL) -> Span:
        return self.tracer.start_span(name, parent, kind, self.allowed(attributes), start_time=self.epoch_ns(start_s))

    def allowed(self, attributes: Attributes) -> dict[str, Attribute]:
        return {name: value for name, value in attributes.items() if name != TRANSCRIPT or self.transcripts}

    def epoch_ns(self, at_s: float) -> int:
        return round(at_s * 1e9) + self.epoch_offset_ns


class TracedCall:
    """The span of one call and those below it. Calls nothing that can block."""

    __slots__ = ("_context", "_guard", "_open", "_span", "_spans")

    def __init__(self, spans: Spans, guard: Guard, parent: Context, method: str, at_s: float) -> None:
        self._spans = spans
        self._guard = guard
        self._span = spans.start(method, parent, {RPC_SYSTEM_NAME: "grpc", RPC_METHOD: method}, at_s, SpanKind.SERVER)
        self._context = set_span_in_context(self._span, Context())
        self._open = True

    @property
    def trace_id(self) -> str:
        context = self._span.get_span_context()
        return format_trace_id(context.trace_id) if context.is_valid else ""

    def describe(self, attributes: Attributes) -> None:
        with self._guard:
            if self._open:
                self._span.set_attributes(self._spans.allowed(attributes))

    def event(self, name: str, attributes: Attributes, at_s: float) -> None:
        with self._guard:
            if self._open:
                self._span.add_event(name, self._spans.allowed(attributes), self._spans.epoch_ns(at_s))

    def segment(self, record: SegmentRecord) -> None:
        with self._guard:
            named = {SEGMENT_ID: record.id} if record.id else {}
            attributes = {**record.attributes, **named, SEGMENT: record.index, TRANSCRIPT: record.text}
            span = self._spans.start(SEGMENT, self._context, attributes, record.start_s)
            self._stages(record.stages, span)
            if record.failed:
                span.set_status(Status(StatusCode.ERROR, record.failed))
            span.end(self._spans.epoch_ns(record.end_s))

    def close(self, status: str, message: str, at_s: float) -> None:
        with self._guard:
            if not self._open:
                return
            self._open = False
            self._span.set_attribute(RPC_RESPONSE_STATUS_CODE, status)
            if status in _SERVER_ERRORS:
                self._span.set_attribute(ERROR_TYPE, status)
                self._span.set_status(Status(StatusCode.ERROR, message))
            self._span.end(self._spans.epoch_ns(at_s))

    def _stages(self, stages: tuple[Stage, ...], parent: Span) -> None:
        context = set_span_in_context(parent, Context())
        for stage in stages:
            span = self._spans.start(stage.name, context, stage.attributes, stage.start_s)
            self._stages(stage.parts, span)
            span.end(self._spans.epoch_ns(stage.end_s))
