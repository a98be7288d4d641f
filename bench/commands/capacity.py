"""`python -m bench capacity`."""

import asyncio
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from asr_server.api.client import Client
from asr_server.errors import WrongCall
from asr_server.watch.stall import LoopStallMonitor
from bench.capacity import FIELDS, Repeat, Setup, Slo, heard_of, load_of, notes_on, report, unless_in_vain
from bench.commands.page_option import HtmlOption, check_page, write_page
from bench.commands.speaking import (
    ConfigOption,
    InterimOption,
    JsonOption,
    ManifestOption,
    MaxDurationOption,
    ModelOption,
    PresetOption,
    ServerOption,
    ServerPidOption,
    check_server,
    client_of,
    clock,
    ready,
    say,
    spoken_clips,
)
from bench.load import Load, Turn, expected_s, steady_load
from bench.machine import machine
from bench.process import ProcessWatch
from bench.search import search
from bench.serving import Config, Serving, StopMs, serving
from bench.streams import Ask, Part
from bench.unary import File, OwnUse, Throughput, climb, closed_loop
from bench.usage import readings_of, used
from eval.by_server import preset_of, server_system
from eval.commands.hearing import of_manifest
from eval.commands.requiring import closing_with, require_option, requirements_of
from eval.console import FAILED, GOOD, check_writable, write_json
from eval.requirement import COMPARISONS, Requirement


def capacity_command(
    *,
    manifest: ManifestOption,
    json: JsonOption,
    slo_ms: Annotated[float, typer.Option("--slo-ms", min=1, help="Time to final text that has to be kept.")] = 500.0,
    percentile: Annotated[int, typer.Option(min=50, max=99, help="Of so many clips in a hundred.")] = 95,
    require: Annotated[list[str] | None, require_option("'max_streams>=8', for short 8, or 'unary.requests_per_s>2'")] = None,
    max_streams: Annotated[int, typer.Option("--max-streams", min=1, help="More are not tried.")] = 64,
    seconds: Annotated[float, typer.Option(min=1, help="Measured at each count, after the warm-up; longer when clips are too few.")] = 30.0,
    repeats: Annotated[int, typer.Option(min=1, help="Measurements that vote on each count, at most.")] = 3,
    max_duration_s: MaxDurationOption = 8.0,
    server: ServerOption = None,
    server_pid: ServerPidOption = None,
    model: ModelOption = None,
    config: ConfigOption = None,
    preset: PresetOption = "",
    interim: InterimOption = False,
    no_unary: Annotated[bool, typer.Option("--no-unary", help="Do not measure whole files in one call too.")] = False,
    html: HtmlOption = None,
) -> int:
    """The most streams that are served in time, and whole files a second.

    Exit code 1 when a --require is not met, or the bench was too slow to tell how many streams the server carries.
    """
    check_writable(json, inputs=[manifest])
    check_page(html, inputs=[manifest, json])
    check_server(server, server_pid, config)
    requirements = requirements_of([as_requirement(text) for text in require or ()], FIELDS)
    check_within(requirements, max_streams)
    clips = spoken_clips(manifest, max_duration_s)
    measured_on, data, settings = machine(), of_manifest(manifest, json), Config.of(config)
    parts = ready(clips)
    slo = Slo(slo_ms, percentile)

    async def measure() -> dict[str, Any]:
        async with serving(server, model, pid=server_pid, config=config) as served, client_of(served.address, parts) as client:
            info = await client.server_info()
            used_preset = preset_of(info, preset)
            stop_ms = StopMs.of(used_preset)
            for note in notes_on(slo, stop_ms):
                say(note)

            async def repeat(streams: int, number: int, counts_left: int) -> Repeat:
                load = load_of(streams, number, seconds=seconds, slo=slo, ask=Ask(interim_results=interim, preset=preset))
                what = f"{_streams(streams)}, repeat {number} of at most {repeats}, then at most {counts_left} more counts"

                async def once() -> Repeat:
                    async with clock(what, expected_s(load, parts)):
                        found = await _repeat(client, served, parts, load, slo)
                    say(f"{_streams(streams)}, repeat {number}: {_line(found)}")
                    return found

                return await unless_in_vain(once)

            tried = await search(repeat, most=max_streams, repeats=repeats)
            unary = [] if no_unary else await _unary(client, parts, seconds)
        setup = Setup(
            manifest=str(data["manifest"]),
            manifest_sha256=str(data["sha256"]),
            clips=len(parts),
            max_duration_s=max_duration_s,
            seconds=seconds,
            repeats=repeats,
            most_streams=max_streams,
            interim_results=interim,
            preset=used_preset.name,
            own_server=served.is_own,
            config=settings,
            stop_ms=stop_ms,
            vad_stop_ms=stop_ms.longest,
            budget_ms={part.name: part.planned_ms for part in info.budget},
        )
        return report(tried, unary, slo=slo, setup=setup, system=server_system(info, used_preset.name), machine=measured_on)

    result = asyncio.run(measure())
    write_json(json, result)
    write_page(html, result)
    _show(result)
    for reason in result["invalid_because"]:
        say(f"not valid: {reason}")
    return closing_with(requirements, result, GOOD if is_told(result, requirements) else FAILED)


def as_requirement(given: str) -> str:
    """A bare number is of streams."""
    return f"max_streams>={given}" if given.strip().isdigit() else given


def check_within(requirements: Iterable[Requirement], most_streams: int) -> None:
    """Raises WrongCall for one that no count up to `most_streams` meets."""
    for one in requirements:
        if one.path == ("max_streams",) and not any(COMPARISONS[one.comparison](count, one.bound) for count in range(most_streams + 1)):
            raise WrongCall(f"--require {str(one)!r}: cannot be met with at most {_streams(most_streams)} (--max-streams)")


def is_told(result: Mapping[str, Any], requirements: Iterable[Requirement]) -> bool:
    """The run has answered what was asked: the most streams; or, where the bench was too slow for that, that there are at least as many as
    are required, provided they were reached."""
    return bool(result["valid"]) or any(one.path == ("max_streams",) and one.comparison in (">", ">=") for one in requirements)


async def _repeat(client: Client, served: Serving, parts: Sequence[Part], load: Load, slo: Slo) -> Repeat:
    turns: list[Turn] = []
    async with readings_of(served.process) as of_server, readings_of(ProcessWatch(os.getpid())) as of_bench, LoopStallMonitor() as stalls:
        span = await steady_load(client, parts, load, ended=turns.append)
    return Repeat(
        slo,
        heard_of(turns),
        span,
        server=used(of_server, from_s=span.begun_s),
        bench=used(of_bench, from_s=span.begun_s),
        lags=tuple(lag for turn in turns for lag in turn.spoken.lags),
        own_stall_ms=stalls.longest_ms,
    )


async def _unary(client: Client, parts: Sequence[Part], seconds: float) -> list[Throughput]:
    files = [File(part.clip.audio.read_bytes(), part.audio.duration_s, part.clip.language) for part in parts]

    async def measure(concurrency: int) -> Throughput:
        async with (
            clock(f"whole files, {concurrency} at a time", seconds),
            readings_of(ProcessWatch(os.getpid())) as of_bench,
            LoopStallMonitor() as stalls,
        ):
            found = await closed_loop(client, files, concurrency=concurrency, seconds=seconds)
        own = used(of_bench)
        say(f"whole files, {concurrency} at a time: {found.requests_per_s:.2f} a second, {found.refused} refused, {found.failed} failed")
        return replace(found, bench=OwnUse(None if own is None else own.cpu_percent, round(stalls.longest_ms, 1)))

    return await climb(measure)


def _line(repeat: Repeat) -> str:
    reached = "-" if repeat.ttfs_ms is None else f"{repeat.ttfs_ms:.0f} ms"
    why = "; ".join(repeat.invalid_because if repeat.vote == "invalid" else repeat.failed_because)
    return f"{repeat.vote}, p{repeat.slo.percentile} {reached} of {repeat.heard.clips} clips{f' ({why})' if why else ''}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} %"


def _streams(count: int) -> str:
    return f"{count} stream{'' if count == 1 else 's'}"


def _show(result: Mapping[str, Any]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    table = Table("streams", "", "votes", "clips", "p50", "p95", "p99", "trouble", "cpu %", title="time to final text, ms")
    for point in result["curve"]:
        verdict = "passed" if point["passed"] else "failed" if point["valid"] else "INVALID"
        votes = f"{sum(repeat['passed'] for repeat in point['repeats'])}/{len(point['repeats'])}"
        times = ("-" if point["ttfs_ms"][name] is None else f"{point['ttfs_ms'][name]:.0f}" for name in ("p50", "p95", "p99"))
        trouble = ", ".join(f"{point[name]} {name}" for name in ("late", "refused", "lost", "early", "failed") if point[name])
        cpu = "-" if point["server"] is None else f"{point['server']['cpu_percent']:.0f}"
        table.add_row(str(point["streams"]), verdict, votes, str(point["clips"]), *times, trouble, cpu)
    console.print(table)
    slo = result["slo"]
    console.print(f"{_streams(result['max_streams'])} with {slo['percentile']} of 100 clips within {slo['ttfs_ms']:g} ms")
    if (above := result["limited_by"]) is None:
        console.print("more were not tried (--max-streams)")
    else:
        console.print(f"not {above['streams']}: {'; '.join([*above['failed_because'], *above['invalid_because']])}")
        if not above["valid"]:
            console.print("INVALID there: the bench itself was too slow to tell, so the server may serve more than this")
    for note in result["notes"]:
        console.print(note)
    if (unary := result["unary"]) is not None:
        console.print(
            f"whole files: {unary['requests_per_s']:.2f} a second ({unary['audio_s_per_s']:.1f} s of audio) at {unary['concurrency']} "
            f"at a time, p50 {unary['latency_ms']['p50']} ms, p95 {unary['latency_ms']['p95']} ms; "
            f"{unary['refused']} refused, {unary['failed']} failed; the bench used {_percent(unary['bench']['cpu_percent'])} of a core"
        )
    on = result["machine"]
    console.print(f"on {on['cpu']}, {on['cores']} cores, load {on['load_average']} before")
