"""Service level objectives, and alerts for when their error budget burns too fast. Pure: makes rules, looks at nothing.

An objective is a share of good events. What it leaves for bad ones, the error budget, is spent at a rate of 1 when it would be used up at
the end of its period. An alert fires when the rate was too high over a long window, so that it matters, and is so still over a short one,
so that it ends soon after the fault (Beyer et al., The Site Reliability Workbook, O'Reilly 2018, chapter 5, "Multiwindow, Multi-Burn-Rate
Alerts").
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["page", "ticket"]


@dataclass(frozen=True, slots=True)
class Objective:
    """`bad` and `all` are PromQL with `$range` where the window goes, each the increase a second of a count."""

    name: str
    share: float
    """Of events that are good, e.g. 0.99."""
    bad: str
    all: str
    summary: str
    do: str
    """What to look at first."""

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ValueError(f"objective {self.name}: share is {self.share:g}, must be between 0 and 1")

    def ratio(self, window: str) -> str:
        """Share of bad events in the window; nothing where there were no events."""
        return f"({self.bad.replace('$range', window)}) / ({self.all.replace('$range', window)} > 0)"


@dataclass(frozen=True, slots=True)
class Burn:
    """An alert when the budget burns `rate` times too fast over both windows."""

    rate: float
    long_s: float
    short_s: float
    severity: Severity


BURNS = (
    Burn(14.4, 3_600, 300, "page"),
    Burn(6.0, 6 * 3_600, 1_800, "page"),
    Burn(3.0, 24 * 3_600, 2 * 3_600, "ticket"),
    Burn(1.0, 72 * 3_600, 6 * 3_600, "ticket"),
)
"""Of a period of 30 days 2 %, 5 %, 10 % and 10 % of the budget (table 5-8 there)."""

DRIFTS = (
    ("AsrDataDrift", "audio", "the audio is not what it was: which features, by the log; in which slice, by the label"),
    ("AsrConceptDrift", "text", "texts are not what they were: errors, or what the recogniser says of itself; look at AsrDataDrift first"),
    ("AsrSystemDrift", "system", "recognition takes other times than it did: the machine, the load, or a release"),
)
"""Alerts on features that have left their reference, one a kind."""

_FINALS = 'sum by (service_name) (rate(asr_segments_total{asr_outcome=~"in_time|late"}[$range]))'
_CALLS = "sum by (service_name) (rate(rpc_server_call_duration_seconds_count[$range]))"
OUR_FAULT = ("UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS")
"""Statuses of calls that fail by the server's doing."""
RECOGNITION_MS = 300
"""The slice of the default budget."""
_FAILED = f'rpc_response_status_code=~"{"|".join(OUR_FAULT)}"'
_IN_SLICE = f'asr_slice="asr",le="{RECOGNITION_MS / 1000:g}"'
_SLICES = 'sum by (service_name) (rate(asr_slice_duration_seconds_count{asr_slice="asr"}[$range]))'

OBJECTIVES = (
    Objective(
        "response",
        0.99,
        'sum by (service_name) (rate(asr_segments_total{asr_outcome="late"}[$range]))',
        _FINALS,
        "finals come later than their budget (500 ms unless a caller asked for another)",
        "which slice grew: dashboard, Latency by slice; then a trace with asr.late",
    ),
    Objective(
        "recognition",
        0.99,
        f"{_SLICES} - sum by (service_name) (rate(asr_slice_duration_seconds_bucket{{{_IN_SLICE}}}[$range]))",
        _SLICES,
        "recognition takes more than its 300 ms of the budget",
        "asr_prediction_error above 1.5: the machine is slower than when it was calibrated; else the load",
    ),
    Objective(
        "calls",
        0.999,
        f"sum by (service_name) (rate(rpc_server_call_duration_seconds_count{{{_FAILED}}}[$range]))",
        _CALLS,
        "calls fail by the server's doing",
        "the server's log, and traces with error.type",
    ),
)


def rules(objectives: Sequence[Objective] = OBJECTIVES, burns: Sequence[Burn] = BURNS, *, time_scale: float = 1.0) -> dict[str, Any]:
    """A rule file for Prometheus, as values. `time_scale`: what an hour of the windows lasts, in hours: to try the rules out in minutes."""
    return {"groups": [_group(objective, burns, time_scale) for objective in objectives] + [_symptoms(time_scale)]}


def _group(objective: Objective, burns: Sequence[Burn], time_scale: float) -> dict[str, Any]:
    windows = sorted({seconds for burn in burns for seconds in (burn.long_s, burn.short_s)})
    recorded = [
        {"record": _recorded(objective, seconds, time_scale), "expr": objective.ratio(duration(seconds * time_scale))}
        for seconds in windows
    ]
    return {"name": f"asr-slo-{objective.name}", "rules": [*recorded, *_alerts(objective, burns, time_scale)]}


def _alerts(objective: Objective, burns: Sequence[Burn], time_scale: float) -> Iterator[dict[str, Any]]:
    for burn in burns:
        most = burn.rate * (1 - objective.share)
        both = (f"{_recorded(objective, seconds, time_scale)} > {most:.6g}" for seconds in (burn.long_s, burn.short_s))
        yield {
            "alert": f"Asr{objective.name.capitalize()}BudgetBurns",
            "expr": " and ".join(both),
            "labels": {"severity": burn.severity, "slo": objective.name, "window": duration(burn.long_s * time_scale)},
            "annotations": {
                "summary": objective.summary,
                "description": (
                    f"{{{{ $value | humanizePercentage }}}} over {duration(burn.long_s * time_scale)}; the objective allows "
                    f"{1 - objective.share:.2%}, this burns its budget {burn.rate:g} times too fast. First: {objective.do}."
                ),
            },
        }


def _symptoms(time_scale: float) -> dict[str, Any]:
    """What no objective is about, but an operator should know."""
    window, long = duration(600 * time_scale), duration(900 * time_scale)

    def alert(name: str, expr: str, summary: str) -> dict[str, Any]:
        return {
            "alert": name,
            "expr": expr,
            "for": duration(300 * time_scale),
            "labels": {"severity": "ticket"},
            "annotations": {"summary": summary},
        }

    refused = (
        f'sum by (service_name) (rate(rpc_server_call_duration_seconds_count{{rpc_response_status_code="RESOURCE_EXHAUSTED"}}[{window}]))'
    )
    empty = f'sum by (service_name) (rate(asr_segments_total{{asr_outcome="empty"}}[{long}]))'
    every = f"sum by (service_name) (rate(asr_segments_total[{long}]))"
    return {
        "name": "asr-symptoms",
        "rules": [
            alert(
                "AsrCallsRefused",
                f"{refused} / ({_CALLS.replace('$range', window)} > 0) > 0.05",
                "one call in twenty finds no place: more servers are wanted",
            ),
            alert(
                "AsrPredictionsOff",
                "asr_prediction_error > 1.5",
                "decodes take other times than predicted: the machine, or what runs beside the server, has changed",
            ),
            alert(
                "AsrEventLoopStalls",
                "asr_event_loop_stall_seconds > 0.1",
                "the event loop stood still for a tenth of a second: every stream waited",
            ),
            alert(
                "AsrProbesWorse",
                "asr_probe_wer_change > 0.03",
                "golden clips have three points more errors than when the server was started: the same audio, so the server has changed",
            ),
            alert(
                "AsrProbesSlow",
                "asr_probe_time_to_final_seconds > 1",
                "golden clips take more than a second to their final text while hardly anybody speaks: the machine is slow",
            ),
            alert("AsrJournalLoses", f"increase(asr_journal_dropped_total[{window}]) > 0", "rows are lost: the journal cannot be written"),
            *(
                alert(name, f'count by (service_name, asr_where) (asr_drift{{asr_kind="{kind}"}} > 0) > 0', summary)
                for name, kind, summary in DRIFTS
            ),
            alert("AsrProbesFail", f"increase(asr_probe_failed_total[{window}]) > 0", "golden clips cannot be heard"),
            alert(
                "AsrEmptyResults", f"{empty} / ({every} > 0) > 0.3", "three segments in ten have no words: microphones, noise, or the model"
            ),
        ],
    }


def _recorded(objective: Objective, seconds: float, time_scale: float) -> str:
    return f"asr:slo_{objective.name}_bad:ratio_{duration(seconds * time_scale).replace('.', '_')}"


def duration(seconds: float) -> str:
    """As Prometheus writes it, in the largest unit that leaves a whole number."""
    ms = round(seconds * 1000)
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if ms >= size and ms % size == 0:
            return f"{ms // size}{unit}"
    return f"{ms}ms"
