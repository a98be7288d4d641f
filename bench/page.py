"""Results of benches as one HTML page: opens anywhere, asks no network for anything. Pure; the same results give the same page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, UndefinedError

from asr_server.errors import WrongCall
from bench import page_tables
from bench.charts import NAMES, Chart, capacity_curve, distribution, soak_series, svg_of, waterfall
from bench.result import CapacityResult, LatencyResult, Result, SoakResult, result_of
from eval.page import numbers
from eval.page.frame import TEMPLATES, frame

OWN_TEMPLATES = Path(__file__).parent / "templates"


def page_of(results: Sequence[Mapping[str, Any]]) -> str:
    """HTML of results as their commands write them to JSON. Raises WrongCall for what is none."""
    return page([result_of(fields, f"result {number}") for number, fields in enumerate(results, start=1)])


def page(results: Sequence[Result]) -> str:
    """HTML. Raises WrongCall when a result's JSON lacks a part."""
    runs = latency_of(results)
    template = _environment().get_template("bench.html.j2")
    try:
        return template.render(
            frame=frame(OWN_TEMPLATES / "bench.css"),
            results=results,
            runs=runs,
            labels=page_tables.labels_of(runs),
            capacities=[result for result in results if isinstance(result, CapacityResult)],
            soaks=[result for result in results if isinstance(result, SoakResult)],
        )
    except (KeyError, TypeError, AttributeError, UndefinedError) as error:
        names = ", ".join(result.name for result in results)
        raise WrongCall(f"{names}: not results of this version's `python -m bench`: {error}") from None


def charts_of(results: Sequence[Result]) -> list[Chart]:
    """Those of the page, in its order."""
    runs = latency_of(results)
    labels = page_tables.labels_of(runs)
    charts = [distribution(runs, labels), waterfall(runs, labels)] if runs else []
    for number, result in enumerate(results, start=1):
        if isinstance(result, CapacityResult):
            charts.append(capacity_curve(result, f"capacity-{number}"))
        elif isinstance(result, SoakResult):
            charts.append(soak_series(result, f"soak-{number}"))
    return charts


def latency_of(results: Sequence[Result]) -> list[LatencyResult]:
    """By number of streams."""
    return sorted((result for result in results if isinstance(result, LatencyResult)), key=lambda run: run.streams)


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader([OWN_TEMPLATES, TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in ("percent", "count", "plural"):
        environment.filters[name] = getattr(numbers, name)
    environment.filters["ms"] = milliseconds
    environment.globals.update(
        NAMES=NAMES,
        tables=page_tables,
        svg_of=svg_of,
        capacity_curve=capacity_curve,
        distribution=distribution,
        soak_series=soak_series,
        waterfall=waterfall,
    )
    return environment


def milliseconds(value: float | None) -> str:
    """Without the unit, for columns of them: 612, 0.3, or nothing."""
    if value is None:
        return numbers.NOTHING
    return numbers.plain(value, 0 if abs(value) >= 10 or value == 0 else 1)
