"""`python -m bench latency`."""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from asr_server.accuracy.manifest import read_manifest
from asr_server.api.results import PresetView, ServerInfo
from asr_server.engine.weights import PUBLISHED_SHA256, resolve
from asr_server.machine import usable_cores
from asr_server.watch.stall import LoopStallMonitor
from bench.alone import Alone, hear_whole, measure_baseline, measure_floor
from bench.commands.page_option import HtmlOption, check_page, write_page
from bench.commands.speaking import (
    ConfigOption,
    InterimOption,
    JsonOption,
    ManifestOption,
    MaxDurationOption,
    PresetOption,
    ServerOption,
    ServerPidOption,
    check_server,
    client_of,
    ready,
)
from bench.ending import End
from bench.latency import FIELDS, Measured, Setup, Surroundings, is_good, report, select, warm_up
from bench.latency_table import lines, times
from bench.machine import machine
from bench.process import ProcessWatch
from bench.serving import Config, StopMs, serving
from bench.streams import Ask, Part, Spoken, speak_all
from bench.twin import Twin, twin_of
from bench.usage import readings_of, used
from eval.by_engine import Defined, EngineRecogniser
from eval.by_faster_whisper import FasterWhisper
from eval.by_server import preset_of, server_system
from eval.commands.hearing import of_manifest
from eval.commands.requiring import closing_with, require_option, requirements_of
from eval.console import FAILED, GOOD, check_writable, progress, write_json
from eval.opening import load_engine


def latency_command(
    *,
    manifest: ManifestOption,
    json: JsonOption,
    streams: Annotated[int, typer.Option(min=1, help="Clips spoken at a time.")] = 1,
    limit: Annotated[int | None, typer.Option(min=1, help="The first so many of the clips.")] = None,
    max_duration_s: MaxDurationOption = 8.0,
    warm_up_clips: Annotated[int, typer.Option("--warm-up", min=0, help="Clips spoken before, in no figure.")] = 2,
    server: ServerOption = None,
    server_pid: ServerPidOption = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Name or directory, of the server that is started and of all measured here. Default: of the server what --config names, "
            "else base; of the rest the server's own."
        ),
    ] = None,
    config: ConfigOption = None,
    preset: PresetOption = "",
    end: Annotated[
        End,
        typer.Option(help="What a caller does at the end of speech: keep the microphone open, send Finalize, or half-close the call."),
    ] = End.SILENCE,
    interim: InterimOption = False,
    eager: Annotated[bool, typer.Option("--eager", help="Ask for texts before segments are closed too, and time them.")] = False,
    no_baseline: Annotated[bool, typer.Option("--no-baseline", help="Leave plain faster-whisper out: quicker.")] = False,
    require: Annotated[list[str] | None, require_option("'ttfs_ms.p95<500'")] = None,
    html: HtmlOption = None,
) -> int:
    """Time to final text, with each slice of the budget.

    Exit code 1 when clips were lost, answered early or failed, when the run is not valid, or when a --require is not met.
    """
    check_writable(json, inputs=[manifest])
    check_page(html, inputs=[manifest, json])
    requirements = requirements_of(require, FIELDS)
    check_server(server, server_pid, config)
    if model is not None:
        resolve(model)  # not found after everything was spoken, it would cost the run
    known = read_manifest(manifest)
    clips = select(known, streams=streams, limit=limit, max_duration_s=max_duration_s)
    before = warm_up(known, clips, count=warm_up_clips, max_duration_s=max_duration_s)
    measured_on, data, settings = machine(), of_manifest(manifest, json), Config.of(config)
    ask = Ask(interim_results=interim, eager_results=eager, preset=preset, end=end)
    wish = _Wish(ready(clips), ready(before), streams, ask)
    visit = asyncio.run(_visit(wish, server=server, server_pid=server_pid, model=model, config=config))
    info = visit.info
    twin = twin_of(info, model)
    results = _alone(visit.results, twin, baseline=not no_baseline)
    setup = Setup(
        manifest=str(data["manifest"]),
        manifest_sha256=str(data["sha256"]),
        streams=streams,
        interim_results=interim,
        eager_results=eager,
        preset=visit.preset.name,
        end=ask.end,
        max_duration_s=max_duration_s,
        warm_up_clips=len(before),
        own_server=server is None,
        config=settings,
        stop_ms=StopMs.of(visit.preset),
        vad_stop_ms=visit.preset.longest_stop_ms,
        budget_ms={part.name: part.planned_ms for part in info.budget},
        model_alone=twin.model,
        definition_alone=f"{twin.definition.version} {twin.definition.digest}",
        baseline=not no_baseline,
    )
    result = report(
        results,
        surroundings=visit.surroundings,
        setup=setup,
        system=server_system(info, visit.preset.name),
        machine=measured_on,
        notes=twin.notes,
    )
    write_json(json, result)
    write_page(html, result)
    console = Console(highlight=False)
    console.print(times(result))
    for line in lines(result):
        console.print(line, markup=False, soft_wrap=True)
    return closing_with(requirements, result, GOOD if is_good(result) else FAILED)


@dataclass(frozen=True, slots=True)
class _Wish:
    """What is to be spoken."""

    parts: list[Part]
    warm_up: list[Part]
    streams: int
    ask: Ask


@dataclass(frozen=True, slots=True)
class _Visit:
    """What a server was found to do."""

    results: list[Spoken]
    info: ServerInfo
    preset: PresetView
    """What the clips were spoken with."""
    surroundings: Surroundings


async def _visit(wish: _Wish, *, server: str | None, server_pid: int | None, model: str | None, config: Path | None) -> _Visit:
    async with (
        serving(server, model, pid=server_pid, config=config) as served,
        client_of(served.address, [*wish.parts, *wish.warm_up]) as client,
    ):
        # A server that cannot be reached, or lacks the preset, is a wrong call, not a run in which every clip failed.
        preset = preset_of(await client.server_info(), wish.ask.preset)
        with progress("warming up", len(wish.warm_up)) as spoken:
            await speak_all(client, wish.warm_up, wish.ask, streams=wish.streams, spoken=spoken)
        async with (
            readings_of(served.process) as of_server,
            readings_of(ProcessWatch(os.getpid())) as of_bench,
            LoopStallMonitor() as stall,
        ):
            with progress("speaking", len(wish.parts)) as spoken:
                results = await speak_all(client, wish.parts, wish.ask, streams=wish.streams, spoken=spoken)
        info = await client.server_info()
    surroundings = Surroundings(used(of_server), info.longest_loop_stall_ms, used(of_bench), stall.longest_ms)
    return _Visit(results, info, preset, surroundings)


def _alone(results: Sequence[Spoken], twin: Twin, *, baseline: bool) -> list[Measured]:
    """In this order: what is timed comes before anything whose threads might still spin."""
    with progress("floor", len(results)) as measured:
        engine = load_engine(twin.model, workers=1)
        # A server's smaller model; one that is not published is not known here by its name.
        models = {final.model for spoken in results for final in spoken.finals} & PUBLISHED_SHA256.keys() - {twin.model}
        others = [load_engine(model, workers=1) for model in sorted(models)]
        floor_ms = measure_floor(results, engine, twin.definition, measured, others)
    baseline_ms: Sequence[float | None] = [None] * len(results)
    if baseline:
        with progress("baseline", len(results)) as measured:
            baseline_ms = measure_baseline(results, FasterWhisper(resolve(twin.model), threads=usable_cores()), measured)
    jobs = usable_cores()
    whole = EngineRecogniser(load_engine(twin.model, workers=jobs, full_context=True), Defined(twin.definition))
    with progress("full context", len(results)) as heard:
        texts = asyncio.run(hear_whole([spoken.part.clip for spoken in results], whole, jobs=jobs, heard=heard))
    each = zip(results, floor_ms, baseline_ms, texts, strict=True)
    return [Measured(spoken, Alone(floor, base, text)) for spoken, floor, base, text in each]
