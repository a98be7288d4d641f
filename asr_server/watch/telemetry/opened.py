"""One observer for a server's life: traces and metrics, as far as somebody takes them."""

import logging
import threading
import time
from collections.abc import Iterable, Mapping

from opentelemetry.context import Context
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from asr_server.errors import BadSettings
from asr_server.watch.observer import AllCalls, CallObserver, NullCallObserver
from asr_server.watch.telemetry.exporters import ExporterChoice, TelemetryOptions, choose_exporters, metric_exporter, span_exporters
from asr_server.watch.telemetry.guard import Guard
from asr_server.watch.telemetry.metrics import Looked, Metrics
from asr_server.watch.telemetry.sampling import TailSampler
from asr_server.watch.telemetry.scraped import Scraped
from asr_server.watch.telemetry.spans import Spans, TracedCall

logger = logging.getLogger(__name__)

# How long a shutdown that ran out of time waits for the exporters to notice.
_ABANDON_S = 1.0


def open_telemetry(options: TelemetryOptions, environ: Mapping[str, str]) -> "Telemetry":
    """Telemetry as asked for. Raises `BadSettings`.

    `environ` (pass `os.environ`) says which exporters to build and where they send. All else the standard defines, headers, TLS, timeouts,
    sampler, limits, resource, propagators, the library reads from the process environment itself.
    """
    choice = choose_exporters(options, environ)
    try:
        return Telemetry(options, list(span_exporters(choice)), readers=list(_readers(choice)))
    except BadSettings:
        raise
    except Exception as error:  # the library raises many kinds for a bad variable; all of them mean this one thing
        raise BadSettings(f"telemetry cannot be set up from the OTEL_* variables: {error}") from error


def _readers(choice: ExporterChoice) -> Iterable[MetricReader]:
    if choice.prometheus is not None:
        yield Scraped.listening_on(choice.prometheus)
    if choice.metrics is not None:
        yield PeriodicExportingMetricReader(metric_exporter(choice.metrics))


def _propagator() -> TextMapPropagator:
    # Imported late: the module reads OTEL_PROPAGATORS on import and raises there when a name is unknown.
    from opentelemetry.propagate import get_global_textmap  # noqa: PLC0415

    return get_global_textmap()


class Telemetry:
    """An `Observer` that makes spans and metrics, which other threads hand to exporters. Without any it listens to nothing.

    Never raises from a report: the first failure is logged, later ones pass in silence.
    """

    def __init__(
        self,
        options: TelemetryOptions,
        exporters: list[SpanExporter],
        *,
        readers: list[MetricReader] | None = None,
        epoch_offset_ns: int | None = None,
    ) -> None:
        """`epoch_offset_ns`: Unix time less `time.monotonic()`; taken now unless given, once, so that all times agree with each other."""
        self._options = options
        self._exporters = exporters
        self._guard = Guard()
        self._propagator = _propagator()
        own = {SERVICE_NAME: options.service_name, SERVICE_VERSION: options.version}
        # Merged once more, because what is passed to `create` wins over the environment and the operator should have the last word.
        resource = Resource.create(own).merge(OTELResourceDetector().detect())
        # Providers of our own, not the process's: a program that embeds the server may have some.
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        if exporters:
            self._provider.add_span_processor(TailSampler(options.keep_share, [BatchSpanProcessor(exporter) for exporter in exporters]))
        self._meters = MeterProvider(readers or [], resource, shutdown_on_exit=False)
        self._metrics = Metrics(self._meters.get_meter("asr_server", options.version)) if readers else None
        self._spans = Spans(
            self._provider.get_tracer("asr_server", options.version),
            epoch_offset_ns=time.time_ns() - time.monotonic_ns() if epoch_offset_ns is None else epoch_offset_ns,
            transcripts=options.transcripts,
        )

    @property
    def enabled(self) -> bool:
        """Whether anything is exported."""
        return bool(self._exporters) or self._metrics is not None

    def look_at(self, *looked: Looked) -> None:
        """More to measure, when somebody looks; read on other threads."""
        if self._metrics is not None:
            self._metrics.look_at(*looked)

    def call(self, method: str, metadata: Mapping[str, str], at_s: float) -> CallObserver:
        """Begin the trace of a call, or continue the caller's where `metadata` has a `traceparent`."""
        traced: CallObserver = NullCallObserver()
        if self._exporters:
            with self._guard:
                parent = self._propagator.extract(metadata, Context())
                traced = TracedCall(self._spans, self._guard, parent, method.lstrip("/"), at_s)
        if self._metrics is None:
            return traced
        return AllCalls(traced, self._metrics.call(method, metadata, at_s))

    def shutdown(self) -> bool:
        """Deliver what is left, then stop. True if it was handed over in time.

        Blocks for `shutdown_timeout_s` and a second at most. Call it once, after the last call was closed: what is reported later is lost.
        """
        # The library's own shutdown takes no timeout and may wait half a minute for a collector that does not answer.
        threads = [
            threading.Thread(target=provider.shutdown, name="telemetry-shutdown", daemon=True)
            for provider in (self._provider, self._meters)
        ]
        for thread in threads:
            thread.start()
        give_up_s = time.monotonic() + self._options.shutdown_timeout_s
        for thread in threads:
            thread.join(max(give_up_s - time.monotonic(), 0.0))
        if not any(thread.is_alive() for thread in threads):
            return True
        logger.warning("telemetry: the last spans or metrics were not delivered within %g s", self._options.shutdown_timeout_s)
        for exporter in self._exporters:
            exporter.shutdown()  # ends a retry that is being waited for
        for thread in threads:
            thread.join(_ABANDON_S)
        return False
