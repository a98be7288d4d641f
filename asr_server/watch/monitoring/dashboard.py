"""A dashboard for Grafana, as the JSON it imports. Pure: a list of panels laid out in rows.

Written for Grafana 10 and later (schema 39); every query is PromQL over the names of `watch.telemetry.metrics` as Prometheus spells them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

_WIDTH, _HEIGHT = 24, 8
_RATE = "[$__rate_interval]"
_OF = 'service_name=~"$service"'


@dataclass(frozen=True, slots=True)
class Query:
    expr: str
    legend: str


@dataclass(frozen=True, slots=True)
class Panel:
    """`lines`: values to draw as limits, in the panel's unit."""

    title: str
    unit: str
    queries: tuple[Query, ...]
    description: str = ""
    lines: tuple[float, ...] = ()
    stacked: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    title: str
    panels: tuple[Panel, ...]


def _quantiles(metric: str, labels: str = "", by: str = "") -> tuple[Query, ...]:
    inside, also = f"{{{','.join(filter(None, (_OF, labels)))}}}", f", {by}" if by else ""
    return tuple(
        Query(
            f"histogram_quantile({share}, sum by (le{also}) (rate({metric}_bucket{inside}{_RATE})))",
            f"p{round(share * 100)}" + (f" {{{{{by}}}}}" if by else ""),
        )
        for share in (0.5, 0.95, 0.99)
    )


def _rate_of(metric: str, by: str, labels: str = "") -> str:
    return f"sum by ({by}) (rate({metric}{{{','.join(filter(None, (_OF, labels)))}}}{_RATE}))"


_SEGMENTS = _rate_of("asr_segments_total", "service_name")
_BUSY = _rate_of("asr_threads_busy_seconds_total", "asr_purpose")
_LATE = _rate_of("asr_segments_total", "service_name", 'asr_outcome="late"')

ROWS = (
    Row(
        "Latency",
        (
            Panel(
                "Time to final text",
                "s",
                _quantiles("asr_time_to_final_duration_seconds"),
                "From the end of speech, as the server heard it.",
            ),
            Panel(
                "Response time", "s", _quantiles("asr_response_duration_seconds"), "From the moment the server may answer.", lines=(0.5,)
            ),
            Panel(
                "Latency by slice, p95",
                "s",
                (
                    Query(
                        f"histogram_quantile(0.95, sum by (le, asr_slice) (rate(asr_slice_duration_seconds_bucket{{{_OF}}}{_RATE})))",
                        "{{asr_slice}}",
                    ),
                ),
                "What finals spend of their budget, by slice.",
                lines=(0.3,),
            ),
            Panel(
                "Finals that came late",
                "percentunit",
                (Query(f"{_LATE} / ({_SEGMENTS} > 0)", "{{service_name}}"),),
                lines=(0.01,),
            ),
            Panel("Given up to save time", "ops", (Query(_rate_of("asr_degraded_total", "asr_what"), "{{asr_what}}"),), stacked=True),
            Panel(
                "Recognition by what was predicted",
                "none",
                _quantiles("asr_prediction_ratio"),
                "Away from 1 for long: the machine is not as it was calibrated.",
                lines=(1.5,),
            ),
        ),
    ),
    Row(
        "Accuracy",
        (
            Panel("Segments by outcome", "ops", (Query(_rate_of("asr_segments_total", "asr_outcome"), "{{asr_outcome}}"),), stacked=True),
            Panel("Runaway guard", "ops", (Query(_rate_of("asr_guard_total", "asr_what"), "{{asr_what}}"),), stacked=True),
            Panel("Eager texts", "ops", (Query(_rate_of("asr_eager_total", "asr_outcome"), "{{asr_outcome}}"),)),
            Panel(
                "Words a second of audio",
                "none",
                (
                    Query(
                        f"{_rate_of('asr_words_total', 'asr_model')} / {_rate_of('asr_audio_seconds_total', 'asr_model')}", "{{asr_model}}"
                    ),
                ),
            ),
        ),
    ),
    Row(
        "What users say, and golden clips",
        (
            Panel(
                "Answers of users",
                "ops",
                (Query(_rate_of("asr_feedback_total", "asr_feedback_kind"), "{{asr_feedback_kind}}"),),
                stacked=True,
            ),
            Panel(
                "Error rate of corrected texts",
                "percentunit",
                (
                    Query(
                        f'sum by (service_name) (increase(asr_labelled_total{{{_OF},asr_word="wrong"}}[6h])) '
                        f'/ (sum by (service_name) (increase(asr_labelled_total{{{_OF},asr_word="said"}}[6h])) > 0)',
                        "{{service_name}}",
                    ),
                ),
                "Over six hours.",
            ),
            Panel(
                "Error rate that the recogniser's doubt tells",
                "percentunit",
                (
                    Query(
                        f"{_rate_of('asr_expected_errors_total', 'asr_model')} / ({_rate_of('asr_words_total', 'asr_model')} > 0)",
                        "{{asr_model}}",
                    ),
                ),
                "Without labels, by the error model of the reference profile (`asr-server profile build --manifest` with texts).",
            ),
            Panel("Error rate of golden clips", "percentunit", (Query(f"asr_probe_wer{{{_OF}}}", "{{instance}}"),)),
        ),
    ),
    Row(
        "Drift",
        (
            Panel(
                "Features that differ from the reference",
                "none",
                (Query(f"sum by (asr_kind, asr_feature, asr_where) (asr_drift{{{_OF}}})", "{{asr_kind}}: {{asr_feature}}, {{asr_where}}"),),
                "By slice. The log and `asr-server report` tell since when and how far.",
                stacked=True,
            ),
        ),
    ),
    Row(
        "Capacity",
        (
            Panel("Calls open", "none", (Query(f"sum by (rpc_method) (rpc_server_active_calls{{{_OF}}})", "{{rpc_method}}"),)),
            Panel(
                "Calls by status",
                "ops",
                (Query(_rate_of("rpc_server_call_duration_seconds_count", "rpc_response_status_code"), "{{rpc_response_status_code}}"),),
                stacked=True,
            ),
            Panel(
                "Threads busy",
                "percentunit",
                (
                    Query(
                        f"{_BUSY} / ignoring (asr_purpose) group_left sum(asr_threads{{{_OF}}})",
                        "{{asr_purpose}}",
                    ),
                ),
                "Share of the threads' time, by what it was for.",
                lines=(0.7,),
                stacked=True,
            ),
            Panel("Decodes that wait", "none", (Query(f"asr_queue_depth{{{_OF}}}", "{{instance}}"),)),
            Panel("Segments decoded together", "none", _quantiles("asr_batch_size")),
            Panel("Event loop stood still", "s", (Query(f"asr_event_loop_stall_seconds{{{_OF}}}", "{{instance}}"),), lines=(0.1,)),
            Panel("Memory", "bytes", (Query(f"process_memory_usage_bytes{{{_OF}}}", "{{instance}}"),)),
        ),
    ),
)


def dashboard(rows: Sequence[Row] = ROWS) -> dict[str, Any]:
    """What Grafana's "Import" takes. The data source and the service are asked for at the top."""
    return {
        "uid": "asr-server",
        "title": "Speech recognition: budget, accuracy, capacity",
        "schemaVersion": 39,
        "timezone": "browser",
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {
            "list": [
                {"name": "source", "type": "datasource", "query": "prometheus", "label": "Prometheus"},
                {
                    "name": "service",
                    "type": "query",
                    "datasource": _SOURCE,
                    "query": "label_values(target_info, service_name)",
                    "includeAll": True,
                    "allValue": ".*",
                    "current": {"text": "All", "value": "$__all"},
                    "refresh": 2,
                },
            ]
        },
        "panels": list(_laid_out(rows)),
    }


_SOURCE = {"type": "prometheus", "uid": "${source}"}


def _laid_out(rows: Iterable[Row], across: int = 3) -> Iterable[dict[str, Any]]:
    y = number = 0
    width = _WIDTH // across
    for row in rows:
        number += 1
        yield {
            "id": number,
            "type": "row",
            "title": row.title,
            "collapsed": False,
            "gridPos": _box(0, y, _WIDTH, 1),
            "panels": [],
        }
        y += 1
        for place, panel in enumerate(row.panels):
            number += 1
            at = _box(place % across * width, y + place // across * _HEIGHT, width, _HEIGHT)
            yield {"id": number, "gridPos": at, **_panel(panel)}
        y += -(-len(row.panels) // across) * _HEIGHT


def _box(x: int, y: int, width: int, height: int) -> dict[str, int]:
    return {"x": x, "y": y, "w": width, "h": height}


def _panel(panel: Panel) -> dict[str, Any]:
    steps = [{"color": "green", "value": None}, *({"color": "red", "value": value} for value in panel.lines)]
    return {
        "type": "timeseries",
        "title": panel.title,
        "description": panel.description,
        "datasource": _SOURCE,
        "targets": [
            {"refId": chr(ord("A") + number), "expr": query.expr, "legendFormat": query.legend, "datasource": _SOURCE}
            for number, query in enumerate(panel.queries)
        ],
        "fieldConfig": {
            "defaults": {
                "unit": panel.unit,
                "min": 0,
                "thresholds": {"mode": "absolute", "steps": steps},
                "custom": {
                    "fillOpacity": 20 if panel.stacked else 0,
                    "stacking": {"mode": "normal" if panel.stacked else "none"},
                    "thresholdsStyle": {"mode": "line" if panel.lines else "off"},
                },
            },
            "overrides": [],
        },
    }
