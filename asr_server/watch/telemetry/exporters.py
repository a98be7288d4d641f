"""Where telemetry goes: what the options and the standard `OTEL_*` variables ask for.

Off unless asked for, so that a server without a collector does not knock at one.
"""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from opentelemetry.sdk.metrics.export import MetricExporter
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SpanExporter

from asr_server.errors import BadSettings

OtlpProtocol = Literal["grpc", "http/protobuf"]
PROMETHEUS_PORT = 9464
"""The standard's default."""


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
    prometheus: str = ""
    """host:port to answer Prometheus on; empty: only where the variables ask for it."""
    keep_share: float = 1.0
    """Of traces in which nothing is late, degraded or failed; those in which something is are all kept."""
    shutdown_timeout_s: float = 5.0
    """Longest wait for the last spans to be delivered."""

    def __post_init__(self) -> None:
        if not self.service_name:
            raise BadSettings("telemetry service_name is empty, must be a name")
        if self.shutdown_timeout_s <= 0:
            raise BadSettings(f"telemetry shutdown_timeout_s is {self.shutdown_timeout_s:g}, must be positive")
        if not 0 <= self.keep_share <= 1:
            raise BadSettings(f"telemetry keep_share is {self.keep_share:g}, must be 0 to 1")


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Otlp:
    """A collector; without an endpoint the exporter's own default."""

    protocol: OtlpProtocol
    endpoint: str | None = None


@dataclass(frozen=True, slots=True)
class ExporterChoice:
    """All absent: nobody listens."""

    spans: Otlp | None = None
    spans_to_console: bool = False
    metrics: Otlp | None = None
    prometheus: Address | None = None


def choose_exporters(options: TelemetryOptions, environ: Mapping[str, str]) -> ExporterChoice:
    """What `options` and the standard variables ask for. Raises `BadSettings` for values that are not accepted.

    `OTEL_TRACES_EXPORTER` and `OTEL_METRICS_EXPORTER` decide; where one is not set, an OTLP endpoint means "otlp" and nothing means
    nothing. An empty variable counts as not set.
    """
    if _set(environ, "OTEL_SDK_DISABLED").lower() == "true":
        return ExporterChoice()
    spans = _names(environ, "TRACES", ("otlp", "console"))
    metrics = _names(environ, "METRICS", ("otlp", "prometheus"))
    prometheus = _address(options.prometheus) if options.prometheus else None
    if "prometheus" in metrics and prometheus is None:
        prometheus = _prometheus_address(environ)
    return ExporterChoice(
        spans=_otlp(environ, "TRACES") if "otlp" in spans else None,
        spans_to_console=options.console or "console" in spans,
        metrics=_otlp(environ, "METRICS") if "otlp" in metrics else None,
        prometheus=prometheus,
    )


def _set(environ: Mapping[str, str], variable: str) -> str:
    return environ.get(variable, "").strip()


def _names(environ: Mapping[str, str], signal: str, accepted: tuple[str, ...]) -> set[str]:
    """Of exporters."""
    endpoint = _set(environ, "OTEL_EXPORTER_OTLP_ENDPOINT") or _set(environ, f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")
    variable = f"OTEL_{signal}_EXPORTER"
    asked = _set(environ, variable).lower() or ("otlp" if endpoint else "none")
    names = {name.strip() for name in asked.split(",")}
    if not names <= {*accepted, "none"} or ("none" in names and len(names) > 1):
        both = '" and "'.join(accepted)
        raise BadSettings(f'{variable} is "{asked}", accepted are "none", or "{both}" with a comma between')
    return names - {"none"}


def _otlp(environ: Mapping[str, str], signal: str) -> Otlp:
    protocol = _protocol(environ, signal)
    full, base = _set(environ, f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT"), _set(environ, "OTEL_EXPORTER_OTLP_ENDPOINT")
    if not full and base:
        full = base if protocol == "grpc" else f"{base.rstrip('/')}/v1/{signal.lower()}"
    return Otlp(protocol, full or None)


def _protocol(environ: Mapping[str, str], signal: str) -> OtlpProtocol:
    for variable in (f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        if value := _set(environ, variable).lower():
            for protocol in get_args(OtlpProtocol):
                if value == protocol:
                    return protocol  # type: ignore[no-any-return]  # get_args forgets the types
            raise BadSettings(f'{variable} is "{value}", accepted are "grpc" and "http/protobuf"')
    return "grpc"


def _prometheus_address(environ: Mapping[str, str]) -> Address:
    host = _set(environ, "OTEL_EXPORTER_PROMETHEUS_HOST") or "localhost"
    return _address(f"{host}:{_set(environ, 'OTEL_EXPORTER_PROMETHEUS_PORT') or PROMETHEUS_PORT}", "OTEL_EXPORTER_PROMETHEUS_PORT: ")


def _address(text: str, where: str = "telemetry prometheus: ") -> Address:
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isascii() and port.isdecimal() and int(port) < 1 << 16):
        raise BadSettings(f'{where}"{text}" is not accepted: host:port, a port from 0 to 65535')
    return Address(host.removeprefix("[").removesuffix("]"), int(port))


def span_exporters(choice: ExporterChoice) -> Iterable[SpanExporter]:
    if choice.spans_to_console:
        # Not stdout: that is for the server's `ready` line.
        yield ConsoleSpanExporter(out=sys.stderr, formatter=lambda span: span.to_json(indent=None) + "\n")
    if choice.spans is None:
        return
    # Imported where needed: each brings a client stack that a server without a collector should not have to load.
    if choice.spans.protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as OverGrpc  # noqa: PLC0415

        yield OverGrpc(endpoint=choice.spans.endpoint)
    else:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as OverHttp  # noqa: PLC0415

        yield OverHttp(endpoint=choice.spans.endpoint)


def metric_exporter(otlp: Otlp) -> MetricExporter:
    if otlp.protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as OverGrpc  # noqa: PLC0415

        return OverGrpc(endpoint=otlp.endpoint)
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as OverHttp  # noqa: PLC0415

    return OverHttp(endpoint=otlp.endpoint)
