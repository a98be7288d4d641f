"""`asr-server profile build|merge|show|compare`."""

import asyncio
import json as json_format
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn
from rich.table import Table

from asr_server.errors import WrongCall
from asr_server.profile.build import Recording, build, recordings_of
from asr_server.profile.journals import profile_of
from asr_server.watch.drift.compare import FeatureDifference, compare
from asr_server.watch.drift.features import FEATURES, feature
from asr_server.watch.drift.reference import Reference, Slice, read_reference
from asr_server.watch.journal.reading import read_journals, seconds_back

app = typer.Typer(
    no_args_is_help=True, help="What segments are like when all is well, to find out when they are not (`telemetry.reference`)."
)

OutOption = Annotated[Path, typer.Option("--out", help="Where the profile goes, as JSON.")]


@app.command("build")
def build_command(
    *,
    recordings: Annotated[list[Path] | None, typer.Argument(help="Audio files.")] = None,
    manifest: Annotated[
        Path | None, typer.Option(help='JSON lines with "audio" or "audio_filepath"; optionally text and language.')
    ] = None,
    journal: Annotated[
        list[Path] | None, typer.Option(help="Of a server (`telemetry.journal`), instead of recordings; of several, given again.")
    ] = None,
    since: Annotated[str, typer.Option(help="How far back in the journals: 90m, 24h, 7d.")] = "7d",
    until: Annotated[str, typer.Option(help="The same, where to stop. Default: now.", show_default=False)] = "",
    out: OutOption,
    model: Annotated[str, typer.Option(help="Name or directory. Default: base; of journals: all that the server used.")] = "",
    preset: Annotated[str, typer.Option(help="fast, balanced or accurate. Default: the server's.")] = "",
) -> None:
    """A profile of recordings, as a server hears them in real time, four at a time; or of what servers heard in some time, by their
    journals. Take what callers really say, a few hundred segments.

    Where texts are known, from the manifest or by what users corrected, it is also learnt how often words are wrong by how sure the
    recogniser is of them: a server with this profile tells an error rate that is to be expected, without any label.

    Or have a server in production gather one: `telemetry.gather`.
    """
    if journal:
        if recordings or manifest is not None or preset:
            raise WrongCall("--journal goes without recordings, --manifest and --preset: what is in it has been heard already")
        now_s = time.time()
        reading = read_journals(journal, now_s - seconds_back(since), now_s - seconds_back(until, "--until") if until else now_s)
        made = profile_of(reading, model=model)
        made.write(out)
        typer.echo(f"{made.segments} segments, {len(made.features)} features{_errors_of(made)}: {out}", err=True)
        return
    named = [*map(Recording, recordings or ()), *(recordings_of(manifest) if manifest is not None else [])]
    with Progress(
        *Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn(), console=Console(stderr=True)
    ) as progress:
        task = progress.add_task("hearing", total=len(named))
        made = asyncio.run(build(named, model, preset, lambda: progress.advance(task)))
    made.write(out)
    typer.echo(f"{made.segments} segments of {len(named)} recordings, {len(made.features)} features{_errors_of(made)}: {out}", err=True)


def _errors_of(profile: Reference) -> str:
    model = profile.error_model
    return "" if model is None else f", error model of {model.words} words"


@app.command("compare")
def compare_command(
    *,
    reference: Annotated[Path, typer.Argument(help="What is normal.")],
    now: Annotated[Path, typer.Argument(help="What is held against it: of last week, of all replicas together (`profile merge`).")],
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit code 1 when a feature has drifted.")] = False,
) -> None:
    """What has drifted between two profiles, feature by feature, of all segments and slice by slice.

    For changes too slow to be noticed by any server, or seen by each too seldom.
    """
    one, other = read_reference(reference), read_reference(now)
    found = compare(one, other)
    drifted = [difference.feature for difference in found if difference.is_drift]
    by_slice = dict(_drifted_slices(one, other))
    if json:
        told = {
            "reference": {"origin": str(one.origin), "segments": one.segments},
            "now": {"origin": str(other.origin), "segments": other.segments},
            "drifted": drifted,
            "drifted_slices": [{"label": label, "value": value, "features": names} for (label, value), names in by_slice.items()],
            "features": [difference.as_json() for difference in found],
        }
        sys.stdout.write(json_format.dumps(told, indent=2) + "\n")
    else:
        Console(highlight=False).print(_compared(found))
        for (label, value), names in by_slice.items():
            typer.echo(f"drifted of {label} {value}: {', '.join(names)}")
        typer.echo(f"drifted of all segments: {', '.join(drifted)}" if drifted else "of all segments together nothing has drifted")
    if strict and (drifted or by_slice):
        raise typer.Exit(1)


def _drifted_slices(reference: Reference, now: Reference) -> Iterator[tuple[Slice, list[str]]]:
    """Of which both have enough."""
    for one in reference.slices.keys() & now.slices.keys():
        before, since = reference.of_slice(one), now.of_slice(one)
        names = [] if before is None or since is None else [found.feature for found in compare(before, since) if found.is_drift]
        if names:
            yield one, names


def _compared(found: Sequence[FeatureDifference]) -> Table:
    table = Table(caption="shift and distance in spreads of the reference; p corrected for the number of features")
    for column in ("", "unit", "median before", "now", "shift", "distance", "PSI", "p", ""):
        table.add_column(column, justify="left" if column in ("", "unit") else "right")
    for one in found:
        numbers = (
            f"{one.before[1]:.4g}",
            f"{one.now[1]:.4g}",
            f"{one.shift:+.2f}",
            f"{one.distance:.2f}",
            f"{one.psi:.2f}",
            f"{one.p:.2g}",
        )
        table.add_row(one.feature, feature(one.feature).unit, *numbers, "drift" if one.is_drift else "")
    return table


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
        known = None if read.error_model is None else read.error_model.as_json()
        told = {"origin": str(read.origin), "segments": read.segments, "error_model": known, "features": features}
        sys.stdout.write(json_format.dumps(told, indent=2) + "\n")
        return
    table = Table(title=f"{read.segments} segments, {read.origin}")
    for column in ("feature", "unit", "segments", "p5", "p50", "p95"):
        table.add_column(column, justify="left" if column in ("feature", "unit") else "right")
    for name, (unit, count, values) in rows.items():
        table.add_row(name, unit, str(count), *(f"{value:.4g}" for value in values))
    if (model := read.error_model) is not None:
        table.caption = ", ".join(f"{100 * model.rate(doubt):.0f} % errors at a log probability of {doubt}" for doubt in (-0.2, -0.5, -1.0))
    Console(highlight=False).print(table)
