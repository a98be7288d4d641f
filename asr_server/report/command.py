"""`asr-server report`."""

import json as json_format
import re
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from asr_server.errors import WrongCall
from asr_server.report.page import TRACE_ID, page
from asr_server.report.summary import Summary, summarize
from asr_server.watch.journal.reading import Reading, read_journal

_UNITS_S = {"m": 60.0, "h": 3_600.0, "d": 86_400.0}


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
    from_s = until_s - _seconds(since)
    summary = summarize(_merged([read_journal(path, from_s, until_s) for path in journal]), from_s, until_s)
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


def _seconds(length: str) -> float:
    found = re.fullmatch(r"(\d+)([mhd])", length)
    if not found or not int(found[1]):
        raise WrongCall(f"--since {length!r} is not accepted: a number of minutes, hours or days, such as 90m, 24h or 7d")
    return int(found[1]) * _UNITS_S[found[2]]


def _merged(readings: list[Reading]) -> Reading:
    return Reading(
        tuple(sorted((row for one in readings for row in one.segments), key=lambda row: row.at_s)),
        tuple(sorted((row for one in readings for row in one.feedback), key=lambda row: row.at_s)),
        tuple(sorted((row for one in readings for row in one.changes), key=lambda row: row.at_s)),
        tuple(sorted((row for one in readings for row in one.probes), key=lambda row: row.at_s)),
    )
