"""`asr-server profile build|merge|show`."""

import asyncio
import json as json_format
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn
from rich.table import Table

from asr_server.errors import WrongCall
from asr_server.profile.build import build, recordings_of
from asr_server.watch.drift.features import FEATURES
from asr_server.watch.drift.reference import read_reference

app = typer.Typer(
    no_args_is_help=True, help="What segments are like when all is well, to find out when they are not (`telemetry.reference`)."
)

OutOption = Annotated[Path, typer.Option("--out", help="Where the profile goes, as JSON.")]


@app.command("build")
def build_command(
    *,
    recordings: Annotated[list[Path] | None, typer.Argument(help="Audio files.")] = None,
    manifest: Annotated[Path | None, typer.Option(help='JSON lines with "audio" or "audio_filepath".')] = None,
    out: OutOption,
    model: Annotated[str, typer.Option(help="Name or directory. Default: base.")] = "",
    preset: Annotated[str, typer.Option(help="fast, balanced or accurate. Default: the server's.")] = "",
) -> None:
    """A profile of recordings, as a server hears them in real time, four at a time. Take what callers really say, a few hundred segments.

    Or have a server in production gather one, with what recognition takes there: `telemetry.gather`.
    """
    paths = [*(recordings or []), *(recordings_of(manifest) if manifest is not None else [])]
    with Progress(
        *Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn(), console=Console(stderr=True)
    ) as progress:
        task = progress.add_task("hearing", total=len(paths))
        made = asyncio.run(build(paths, model, preset, lambda: progress.advance(task)))
    made.write(out)
    typer.echo(f"{made.segments} segments of {len(paths)} recordings, {len(made.features)} features: {out}", err=True)


@app.command("merge")
def merge_command(*, profiles: Annotated[list[Path], typer.Argument(help="Of the same system.")], out: OutOption) -> None:
    """One profile of several: of replicas, or of days."""
    merged, *others = [read_reference(path) for path in profiles]
    for path, other in zip(profiles[1:], others, strict=True):
        try:
            merged.merge(other)
        except ValueError as error:
            raise WrongCall(f"{path}: {error}") from None
    merged.write(out)


@app.command("show")
def show_command(
    *, profile: Annotated[Path, typer.Argument()], json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False
) -> None:
    """What is in a profile."""
    read = read_reference(profile)
    shares = (0.05, 0.5, 0.95)
    rows = {one.name: (one.unit, read.count(one.name), read.quantiles(one.name, shares)) for one in FEATURES if one.name in read.features}
    if json:
        features = {
            name: {"unit": unit, "segments": count, "p5": values[0], "p50": values[1], "p95": values[2]}
            for name, (unit, count, values) in rows.items()
        }
        told = {"origin": str(read.origin), "segments": read.segments, "features": features}
        sys.stdout.write(json_format.dumps(told, indent=2) + "\n")
        return
    table = Table(title=f"{read.segments} segments, {read.origin}")
    for column in ("feature", "unit", "segments", "p5", "p50", "p95"):
        table.add_column(column, justify="left" if column in ("feature", "unit") else "right")
    for name, (unit, count, values) in rows.items():
        table.add_row(name, unit, str(count), *(f"{value:.4g}" for value in values))
    Console(highlight=False).print(table)
