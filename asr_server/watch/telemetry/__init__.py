"""Traces and metrics by OpenTelemetry: what observers are told, handed to collectors. The only importer of that library.

Knows values and names, and neither who reports them nor what they are for; nothing in here blocks or raises into a call.
"""

from asr_server.watch.telemetry.exporters import ExporterChoice, TelemetryOptions, choose_exporters
from asr_server.watch.telemetry.metrics import (
    DRIFT_FEATURE,
    DRIFT_KIND,
    DRIFT_SLICE,
    FEEDBACK_KIND,
    WORD_KIND,
    Count,
    Gauge,
    Gauges,
    Looked,
    Metrics,
)
from asr_server.watch.telemetry.opened import Telemetry, open_telemetry

__all__ = [
    "DRIFT_FEATURE",
    "DRIFT_KIND",
    "DRIFT_SLICE",
    "FEEDBACK_KIND",
    "WORD_KIND",
    "Count",
    "ExporterChoice",
    "Gauge",
    "Gauges",
    "Looked",
    "Metrics",
    "Telemetry",
    "TelemetryOptions",
    "choose_exporters",
    "open_telemetry",
]
