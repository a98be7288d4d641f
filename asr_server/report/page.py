"""A summary as one HTML file: opens anywhere, asks no network for anything, can be mailed. Pure; the same summary gives the same page."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from asr_server.report.summary import Rates, Stretch, Summary

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
    stretches = summary.stretches
    top_ms = max([summary.budget_ms, *(stretch.ttfs_ms["p95"] for stretch in stretches if stretch.ttfs_ms)], default=1.0) or 1.0
    most = max((stretch.segments for stretch in stretches), default=0) or 1
    return environment.get_template("report.html.j2").render(
        title=title,
        summary=summary,
        width=WIDTH,
        height=HEIGHT,
        top_ms=top_ms,
        budget_y=_y(summary.budget_ms, top_ms),
        lines={name: _line(stretches, top_ms, name) for name in ("p50", "p95")},
        bars=[_bar(number, stretch, most, len(stretches)) for number, stretch in enumerate(stretches)],
        histogram=_histogram,
        trace=_linked(trace_url),
        interval=_interval,
        wer=_wer,
    )


def _y(value: float, top: float) -> float:
    return round(HEIGHT - value / top * HEIGHT, 1)


def _line(stretches: Sequence[Stretch], top_ms: float, name: str) -> list[str]:
    """Polylines: one for each run of stretches in which somebody spoke."""
    lines: list[list[str]] = [[]]
    for number, stretch in enumerate(stretches):
        if stretch.ttfs_ms:
            x = (number + 0.5) / len(stretches) * WIDTH
            lines[-1].append(f"{x:.1f},{_y(stretch.ttfs_ms[name], top_ms)}")
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
