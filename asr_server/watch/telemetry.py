"""Traces by OpenTelemetry: one a call, a span for each segment and each of its stages. The only importer of that library.

Off unless the standard `OTEL_*` variables or an option turn it on, so that a server without a collector does not knock at one.
Values are reported after the fact with their monotonic times; spans are made then, with explicit start and end.
"""

import logging
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, get_args

from opentelemetry.context import Context
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context

from asr_server.errors import BadSettings
from asr_server.watch.attributes import ERROR_TYPE, RPC_METHOD, RPC_RESPONSE_STATUS_CODE, RPC_SYSTEM_NAME, SEGMENT, TRANSCRIPT
from asr_server.watch.observer import Attribute, Attributes, CallObserver, NullCallObserver, SegmentRecord, Stage

logger = logging.getLogger(__name__)

OtlpProtocol = Literal["grpc", "http/protobuf"]

# The codes that the conventions for RPC servers call errors; all others are the caller's doing.
_SERVER_ERRORS = frozenset({"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"})

# How long a shutdown that ran out of time waits for the exporters to notice.
_ABANDON_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetryOptions:
    service_name: str = "asr-server"
    """Used unless `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES` name another."""
    version: str
    """Of the server's code."""
    console: bool = False
    """Also print each span as one JSON line to stderr."""
    transcripts: bool = False
    """Export what was said (`asr.transcript`). Audio is never exported."""
    shutdown_timeout_s: float = 5.0
    """Longest wait for the last spans to be delivered."""

    def __post_init__(self) -> None:
        if not self.service_name:
            raise BadSettings("telemetry service_name is empty, must be a name")
        if self.shutdown_timeout_s <= 0:
            raise BadSettings(f"telemetry shutdown_timeout_s is {self.shutdown_timeout_s:g}, must be positive")


@dataclass(frozen=True, slots=True)
class ExporterChoice:
    """Where spans go. Both absent: nowhere."""

    otlp: OtlpProtocol | None = None
    endpoint: str | None = None
    """For OTLP; None: the exporter's own default."""
    console: bool = False


def choose_exporters(options: TelemetryOptions, environ: Mapping[str, str]) -> ExporterChoice:
    """What `options` and the standard variables ask for. Raises `BadSettings` for values that are not accepted.

    `OTEL_TRACES_EXPORTER` decides; where it is not set, an OTLP endpoint means "otlp" and nothing means nothing. An empty variable counts
    as not set.
    """
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return ExporterChoice()
    base, full = environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").strip(), environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "").strip()
    asked = environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() or ("otlp" if base or full else "none")
    names = {name.strip() for name in asked.split(",")}
    if not names <= {"otlp", "console", "none"} or ("none" in names and len(names) > 1):
        raise BadSettings(f'OTEL_TRACES_EXPORTER is "{asked}", accepted are "none", or "otlp" and "console" with a comma between')
    console = options.console or "console" in names
    if "otlp" not in names:
        return ExporterChoice(console=console)
    protocol = _otlp_protocol(environ)
    if not full and base:
        full = base if protocol == "grpc" else f"{base.rstrip('/')}/v1/traces"
    return ExporterChoice(otlp=protocol, endpoint=full or None, console=console)


def _otlp_protocol(environ: Mapping[str, str]) -> OtlpProtocol:
    for variable in ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        if value := environ.get(variable, "").strip().lower():
            for protocol in get_args(OtlpProtocol):
                if value == protocol:
                    return protocol  # type: ignore[no-any-return]  # get_args forgets the types
            raise BadSettings(f'{variable} is "{value}", accepted are "grpc" and "http/protobuf"')
    return "grpc"


def open_telemetry(options: TelemetryOptions, environ: Mapping[str, str]) -> "Telemetry":
    """Telemetry as asked for. Raises `BadSettings`.

    `environ` (pass `os.environ`) says which exporters to build and where they send. All else the standard defines, headers, TLS, timeouts,
    sampler, limits, resource, propagators, the library reads from the process environment itself.
    """
    choice = choose_exporters(options, environ)
    try:
        return Telemetry(options, list(_build_exporters(choice)))
    except Exception as error:  # the library raises many kinds for a bad variable; all of them mean this one thing
        raise BadSettings(f"telemetry cannot be set up from the OTEL_* variables: {error}") from error


def _build_exporters(choice: ExporterChoice) -> Iterable[SpanExporter]:
    if choice.console:
        # Not stdout: that is for the server's `ready` line.
        yield ConsoleSpanExporter(out=sys.stderr, formatter=lambda span: span.to_json(indent=None) + "\n")
    # Imported where needed: each brings a client stack that a server without a collector should not have to load.
    if choice.otlp == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as OverGrpc  # noqa: PLC0415

        yield OverGrpc(endpoint=choice.endpoint)
    if choice.otlp == "http/protobuf":
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as OverHttp  # noqa: PLC0415

        yield OverHttp(endpoint=choice.endpoint)


def _propagator() -> TextMapPropagator:
    # Imported late: the module reads OTEL_PROPAGATORS on import and raises there when a name is unknown.
    from opentelemetry.propagate import get_global_textmap  # noqa: PLC0415

    return get_global_textmap()


class Telemetry:
    """An `Observer` that makes spans and hands them to exporters on other threads. Without exporters it listens to nothing.

    Never raises from a report: the first failure is logged, later ones pass in silence.
    """

    def __init__(self, options: TelemetryOptions, exporters: list[SpanExporter], *, epoch_offset_ns: int | None = None) -> None:
        """`epoch_offset_ns`: Unix time less `time.monotonic()`; taken now unless given, once, so that all times agree with each other."""
        self._options = options
        self._exporters = exporters
        self._guard = _Guard()
        self._propagator = _propagator()
        own = {SERVICE_NAME: options.service_name, SERVICE_VERSION: options.version}
        # Merged once more, because what is passed to `create` wins over the environment and the operator should have the last word.
        resource = Resource.create(own).merge(OTELResourceDetector().detect())
        # A provider of our own, not the process's: a program that embeds the server may have one.
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        for exporter in exporters:
            self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._spans = _Spans(
            self._provider.get_tracer("asr_server", options.version),
            epoch_offset_ns=time.time_ns() - time.monotonic_ns() if epoch_offset_ns is None else epoch_offset_ns,
            transcripts=options.transcripts,
        )

    @property
    def enabled(self) -> bool:
        """Whether anything is exported."""
        return bool(self._exporters)

    def call(self, method: str, metadata: Mapping[str, str], at_s: float) -> CallObserver:
        """Begin the trace of a call, or continue the caller's where `metadata` has a `traceparent`."""
        if self.enabled:
            with self._guard:
                parent = self._propagator.extract(metadata, Context())
                return _TracedCall(self._spans, self._guard, parent, method.lstrip("/"), at_s)
        return NullCallObserver()

    def shutdown(self) -> bool:
        """Deliver what is left, then stop. True if it was handed over in time.

        Blocks for `shutdown_timeout_s` and a second at most. Call it once, after the last call was closed: what is reported later is lost.
        """
        # The library's own shutdown takes no timeout and may wait half a minute for a collector that does not answer.
        thread = threading.Thread(target=self._provider.shutdown, name="telemetry-shutdown", daemon=True)
        thread.start()
        thread.join(self._options.shutdown_timeout_s)
        if not thread.is_alive():
            return True
        logger.warning("telemetry: the last spans were not delivered within %g s", self._options.shutdown_timeout_s)
        for exporter in self._exporters:
            exporter.shutdown()  # ends a retry that is being waited for
        thread.join(_ABANDON_S)
        return False


@dataclass(frozen=True, slots=True)
class _Spans:
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


class _TracedCall:
    """The span of one call and those below it. Calls nothing that can block."""

    __slots__ = ("_context", "_guard", "_open", "_span", "_spans")

    def __init__(self, spans: _Spans, guard: "_Guard", parent: Context, method: str, at_s: float) -> None:
        self._spans = spans
        self._guard = guard
        self._span = spans.start(method, parent, {RPC_SYSTEM_NAME: "grpc", RPC_METHOD: method}, at_s, SpanKind.SERVER)
        self._context = set_span_in_context(self._span, Context())
        self._open = True

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
            attributes = {**record.attributes, SEGMENT: record.index, TRANSCRIPT: record.text}
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


class _Guard:
    """Lets no exception through, and logs the first."""

    __slots__ = ("_logged",)

    def __init__(self) -> None:
        self._logged = False

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> bool:
        if not isinstance(error, Exception):
            return False
        if not self._logged:
            self._logged = True
            logger.error("telemetry failed; spans may be missing from now on, further failures are not logged", exc_info=error)
        return True
