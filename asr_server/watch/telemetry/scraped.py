"""Metrics for a Prometheus that comes and asks."""

from collections.abc import Callable

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics.export import MetricReader
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION
from prometheus_client import CollectorRegistry, start_http_server

from asr_server.errors import BadSettings
from asr_server.watch.telemetry.exporters import Address

_LABELS = frozenset({SERVICE_NAME, SERVICE_VERSION})
"""Of the resource, what is on every metric: rules and dashboards tell servers apart by it."""


class Scraped(PrometheusMetricReader):
    """Answers `GET /metrics` from a thread of its own until it is shut down."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(scope_info_enabled=False, resource_attribute_filter=_LABELS.__contains__, registry=registry)
        self._stop: Callable[[], None] = lambda: None

    @classmethod
    def listening_on(cls, address: Address) -> MetricReader:
        """Raises `BadSettings` when that is not possible."""
        # Not the process's registry: a program that embeds the server may have its own things there.
        registry = CollectorRegistry()
        reader = cls(registry)
        try:
            server, thread = start_http_server(address.port, address.host, registry)
        except OSError as error:
            raise BadSettings(f"telemetry prometheus: cannot listen on {address.host}:{address.port}: {error.strerror or error}") from None

        def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        reader._stop = stop
        return reader

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: object) -> None:
        self._stop()
        super().shutdown(timeout_millis, **kwargs)
