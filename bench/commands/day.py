"""`python -m bench day`."""

import asyncio
import tempfile
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from asr_server.local_server import local_server, serve_command
from asr_server.report.page import page
from asr_server.report.summary import summarize
from asr_server.watch.journal.reading import read_journal
from bench.commands.speaking import JsonOption, ManifestOption, MaxDurationOption, ModelOption, spoken_clips
from bench.day import LIGHTS, Day
from bench.machine import machine
from eval.commands.hearing import of_manifest
from eval.commands.requiring import closing_with, require_option, requirements_of
from eval.console import check_writable, progress, write_json, write_text

PASSES = 5
"""Of the clips that are not the reference: the morning twice, the microphone, the words, the release."""
SHOWN = 3
FIELDS = ("clips", "phases", "manifest", "machine")


def day_command(
    *,
    manifest: ManifestOption,
    json: JsonOption,
    report: Annotated[Path | None, typer.Option(help="Where the day goes as a page, as `asr-server report` makes it.")] = None,
    limit: Annotated[int | None, typer.Option(min=4, help="The first so many of the clips.")] = None,
    max_duration_s: MaxDurationOption = 16.0,
    model: ModelOption = None,
    require: Annotated[list[str] | None, require_option("'phases[1].lit_after_clips.data<20'")] = None,
) -> int:
    """A day in minutes: as usual, then a microphone that loses 12 dB, then new words, then a slow release; and when which light goes on."""
    check_writable(json, inputs=[manifest])
    if report is not None:
        check_writable(report, "--report", inputs=[manifest, json])
    requirements = requirements_of(require, FIELDS)
    clips = list(islice(spoken_clips(manifest, max_duration_s), limit))
    if len(clips) < 4:
        raise typer.BadParameter(f"{manifest} has {len(clips)} clips, wanted 4", param_hint="--manifest")
    began_s = time.time()
    with tempfile.TemporaryDirectory(prefix="bench-day-") as folder:
        with progress("a day", len(clips[::2]) + PASSES * len(clips[1::2])) as spoken:
            day = Day(clips, Path(folder), lambda config: local_server(serve_command(model or "", config)), lambda _: spoken())
            phases = asyncio.run(day.live())
        if report is not None:
            until_s = time.time()
            write_text(report, page(summarize(read_journal(day.journal), began_s, until_s), title="A day at a speech server"))
    result: dict[str, Any] = {
        "clips": len(clips),
        "phases": [phase.as_json() for phase in phases],
        "manifest": of_manifest(manifest, json),
        "machine": machine(),
    }
    write_json(json, result)
    table = Table()
    for column in ("", "clips", *(f"{light} after" for light in LIGHTS), "seen"):
        table.add_column(column, justify="left" if column in ("", "seen") else "right")
    for phase in phases:
        after = ["on before" if light in phase.on_before else str(phase.lit_after.get(light, "-")) for light in LIGHTS]
        seen = "; ".join(shortly(phase.seen[light]) for light in LIGHTS if light in phase.seen)
        table.add_row(phase.name, str(phase.clips), *after, seen)
    Console(highlight=False).print(table)
    return closing_with(requirements, result)


def shortly(seen: Sequence[str]) -> str:
    """The first ones, those of an app before those of all."""
    ordered = sorted(seen, key=lambda one: " client " not in one)
    more = f" and {len(ordered) - SHOWN} more" if len(ordered) > SHOWN else ""
    return ", ".join(ordered[:SHOWN]) + more
