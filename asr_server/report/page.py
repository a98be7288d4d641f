"""A summary as one HTML file: opens anywhere, asks no network for anything, can be mailed. Pure; the same summary gives the same page."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from asr_server.report.summary import Quantiles, Rates, Stretch, Summary

TEMPLATES = Path(__file__).parent / "templates"
WIDTH, HEIGHT = 720, 160
"""Of a chart, in its own units."""
TRACE_ID = "{trace_id}"
"""Stands for one in the address of a trace."""


def page(summary: Summary, *, trace_url: str = "", title: str = "Speech server") -> str:
    """HTML. `trace_url`: where a trace is shown, with `TRACE_ID` in it; "": traces are told by their ids."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"ms": _ms, "percent": _percent, "clock": _clock, "number": _number}
    most = max((stretch.segments for stretch in summary.stretches), default=0) or 1
    return environment.get_template("report.html.j2").render(
        title=title,
        summary=summary,
        width=WIDTH,
        height=HEIGHT,
        charts=(
            _chart("Time to final text", summary.stretches, lambda stretch: stretch.ttfs_ms, None),
            _chart("Response time", summary.stretches, lambda stretch: stretch.response_ms, summary.budget_ms),
        ),
        bars=[_bar(number, stretch, most, len(summary.stretches)) for number, stretch in enumerate(summary.stretches)],
        histogram=_histogram,
        trace=_linked(trace_url),
        interval=_interval,
        wer=_wer,
    )


@dataclass(frozen=True, slots=True)
class _Chart:
    """Quantiles over time."""

    title: str
    top_ms: float
    budget_ms: float | None
    budget_y: float | None
    """Where its line is; None: it has none."""
    lines: Mapping[str, list[str]]


def _chart(title: str, stretches: Sequence[Stretch], of: Callable[[Stretch], Quantiles], budget_ms: float | None) -> _Chart:
    """`budget_ms`: what these times are to stay within; None: there is none."""
    top_ms = max([budget_ms or 0.0, *(of(stretch)["p95"] for stretch in stretches if of(stretch))]) or 1.0
    lines = {name: _line([of(stretch) for stretch in stretches], top_ms, name) for name in ("p50", "p95")}
    return _Chart(title, top_ms, budget_ms, None if budget_ms is None else _y(budget_ms, top_ms), lines)


def _y(value: float, top: float) -> float:
    return round(HEIGHT - value / top * HEIGHT, 1)


def _line(times_ms: Sequence[Quantiles], top_ms: float, name: str) -> list[str]:
    """Polylines: one for each run of stretches in which somebody spoke."""
    lines: list[list[str]] = [[]]
    for number, one in enumerate(times_ms):
        if one:
            x = (number + 0.5) / len(times_ms) * WIDTH
            lines[-1].append(f"{x:.1f},{_y(one[name], top_ms)}")
        elif lines[-1]:
            lines.append([])
    # A lone point would not be seen.
    return [" ".join(line if len(line) > 1 else line * 2) for line in lines if line]


def _bar(number: int, stretch: Stretch, most: int, count: int) -> dict[str, float]:
    height = stretch.segments / most * HEIGHT
    return {
        "x": round(number / count * WIDTH, 1),
        "width": round(WIDTH / count - 1, 1),
        "y": round(HEIGHT - height, 1),
        "height": round(height, 1),
        "late": round(stretch.late / most * HEIGHT, 1),
    }


def _histogram(shares: Sequence[float], other: Sequence[float], width: float, height: float) -> str:
    """A polygon over the bins; as high as the highest of both."""
    top = max([*shares, *other], default=0.0) or 1.0
    points = [f"0,{height}"]
    for number, share in enumerate(shares):
        y = round(height - share / top * height, 1)
        points += [f"{number / len(shares) * width:.1f},{y}", f"{(number + 1) / len(shares) * width:.1f},{y}"]
    return " ".join([*points, f"{width},{height}"])


def _linked(trace_url: str) -> Callable[[str], str]:
    """Where a trace is; "" where that is not known."""
    return lambda trace_id: trace_url.replace(TRACE_ID, trace_id) if trace_url and trace_id else ""


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def _interval(ends: tuple[float, float] | None) -> str:
    return "" if ends is None else f"{100 * ends[0]:.1f} to {100 * ends[1]:.1f}"


def _wer(rates: Rates) -> str:
    return _percent(rates.errors.rate) if rates.corrected else "-"


def _clock(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _number(value: Any) -> str:  # noqa: ANN401 - whatever a template has
    return f"{value:,.4g}" if isinstance(value, float) else f"{value:,}"
