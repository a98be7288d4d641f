"""Collectors on loopback: OTLP over gRPC and over HTTP, as the published service defines it, keeping what they are sent."""

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest, ExportMetricsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import MetricsServiceServicer, add_MetricsServiceServicer_to_server
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceServicer, add_TraceServiceServicer_to_server
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status


@dataclass(frozen=True, slots=True)
class ReceivedEvent:
    name: str
    at_ns: int
    attributes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ReceivedSpan:
    """A span as a collector sees it. Ids in hex; `parent_id` is "" for a root."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: str
    start_ns: int
    end_ns: int
    attributes: dict[str, Any]
    events: tuple[ReceivedEvent, ...]
    status: str
    """UNSET, OK or ERROR."""
    message: str
    resource: dict[str, Any]


@dataclass(slots=True)
class Received:
    """What a collector was sent so far. Complete once the sender's telemetry was shut down."""

    endpoint: str
    """Base URL, for `OTEL_EXPORTER_OTLP_ENDPOINT`."""
    raw: list[bytes] = field(default_factory=list)
    """Each request as it came, serialized."""
    headers: list[dict[str, str]] = field(default_factory=list)
    raw_metrics: list[bytes] = field(default_factory=list)

    def metrics(self) -> set[str]:
        """Names of all that were measured."""
        return {
            metric.name
            for data in self.raw_metrics
            for resource in ExportMetricsServiceRequest.FromString(data).resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def spans(self) -> list[ReceivedSpan]:
        return [span for data in self.raw for span in _spans(ExportTraceServiceRequest.FromString(data))]

    def one(self, name: str) -> ReceivedSpan:
        """The only span of that name."""
        (span,) = [span for span in self.spans() if span.name == name]
        return span

    def children(self, parent: ReceivedSpan) -> list[ReceivedSpan]:
        """Spans directly below `parent`, by start."""
        below = [span for span in self.spans() if span.parent_id == parent.span_id]
        return sorted(below, key=lambda span: (span.start_ns, span.end_ns))

    def tree(self, root: ReceivedSpan) -> tuple[str, list[Any]]:
        """Names only: `(name, [trees of the children])`."""
        return root.name, [self.tree(child) for child in self.children(root)]


@contextmanager
def otlp_grpc() -> Iterator[Received]:
    server = grpc.server(ThreadPoolExecutor(max_workers=2))
    port = server.add_insecure_port("127.0.0.1:0")
    received = Received(f"http://127.0.0.1:{port}")

    class Collector(TraceServiceServicer):
        def Export(self, request: ExportTraceServiceRequest, context: Any) -> ExportTraceServiceResponse:  # noqa: N802 - its name on the wire
            received.headers.append({key: value for key, value in context.invocation_metadata() if isinstance(value, str)})
            received.raw.append(request.SerializeToString())
            return ExportTraceServiceResponse()

    class Measured(MetricsServiceServicer):
        def Export(self, request: ExportMetricsServiceRequest, context: Any) -> ExportMetricsServiceResponse:  # noqa: N802 - as above
            received.raw_metrics.append(request.SerializeToString())
            return ExportMetricsServiceResponse()

    add_TraceServiceServicer_to_server(Collector(), server)  # type: ignore[no-untyped-call]
    add_MetricsServiceServicer_to_server(Measured(), server)  # type: ignore[no-untyped-call]
    server.start()
    try:
        yield received
    finally:
        server.stop(grace=None).wait()


@contextmanager
def otlp_http() -> Iterator[Received]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path not in ("/v1/traces", "/v1/metrics") or self.headers["Content-Type"] != "application/x-protobuf":
                self.send_error(404)
                return
            if self.path == "/v1/metrics":
                received.raw_metrics.append(body)
                answer = ExportMetricsServiceResponse().SerializeToString()
            else:
                received.headers.append({key.lower(): value for key, value in self.headers.items()})
                received.raw.append(body)
                answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
            """Tests are quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    received = Received(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _spans(request: ExportTraceServiceRequest) -> Iterator[ReceivedSpan]:
    for group in request.resource_spans:
        resource = _attributes(group.resource.attributes)
        for scope in group.scope_spans:
            for span in scope.spans:
                yield ReceivedSpan(
                    name=span.name,
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    kind=Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
                    start_ns=span.start_time_unix_nano,
                    end_ns=span.end_time_unix_nano,
                    attributes=_attributes(span.attributes),
                    events=tuple(ReceivedEvent(event.name, event.time_unix_nano, _attributes(event.attributes)) for event in span.events),
                    status=Status.StatusCode.Name(span.status.code).removeprefix("STATUS_CODE_"),
                    message=span.status.message,
                    resource=resource,
                )


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    return getattr(value, kind) if kind else None
