"""`asr-server report`."""

import json as json_format
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from asr_server.errors import WrongCall
from asr_server.report.page import TRACE_ID, page
from asr_server.report.summary import Summary, summarize
from asr_server.watch.journal.reading import read_journals, seconds_back


def report(
    *,
    journal: Annotated[list[Path], typer.Option(help="Of a server (`telemetry.journal`); of several, given again.")],
    since: Annotated[str, typer.Option(help="How far back: 90m, 24h, 7d.")] = "24h",
    html: Annotated[Path | None, typer.Option(help="Where the page goes.")] = None,
    json: Annotated[bool, typer.Option("--json", help="As JSON, on standard output.")] = False,
    trace_url: Annotated[str, typer.Option(help=f"Where traces are shown, with {TRACE_ID} in it.")] = "",
) -> None:
    """What the last hours were like: latency against the budget, accuracy, drift, and the worst segments.

    Read from the servers' journals; a server may be writing meanwhile.
    """
    if trace_url and TRACE_ID not in trace_url:
        raise WrongCall(f"--trace-url has no {TRACE_ID} in it")
    if html is None and not json:
        raise WrongCall("nothing to make: give --html FILE, or --json")
    until_s = time.time()
    from_s = until_s - seconds_back(since)
    summary = summarize(read_journals(journal, from_s, until_s), from_s, until_s)
    if html is not None:
        try:
            html.write_text(page(summary, trace_url=trace_url), encoding="utf-8")
        except OSError as error:
            raise WrongCall(f"cannot write {html}: {error.strerror or error}") from None
        typer.echo(f"{summary.segments} segments: {html}", err=True)
    if json:
        sys.stdout.write(json_format.dumps(as_json(summary), indent=2) + "\n")


def as_json(summary: Summary) -> dict[str, object]:
    """Everything in it, with the rates worked out."""
    told = asdict(summary)
    for one, rates in zip(told["rates"], summary.rates, strict=True):
        one["wer"], one["failure_rate"] = rates.errors.rate, rates.failure_rate
    for one, probes in zip(told["probes"], summary.probes, strict=True):
        one["wer"] = probes.errors.rate
    told["disagreement"] = summary.doubts.rate
    return told
