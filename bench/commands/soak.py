"""`python -m bench soak`."""

import asyncio
import os
import time
from collections.abc import Coroutine, Mapping
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from asr_server.watch.stall import LoopStallMonitor
from bench.commands.page_option import HtmlOption, check_page, write_page
from bench.commands.showing import number
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
from bench.serving import Config, StopMs, serving
from bench.soak import FIELDS, Setup, Tally, answered, interval_s, judge, report, sessions_left, take_samples, visit_interval_s
from bench.streams import Ask
from bench.usage import readings_of, used
from bench.visitors import visit
from eval.by_server import preset_of, server_system
from eval.commands.hearing import of_manifest
from eval.commands.requiring import closing_with, require_option, requirements_of
from eval.console import FAILED, GOOD, check_writable, write_json


def soak_command(
    *,
    manifest: ManifestOption,
    json: JsonOption,
    minutes: Annotated[float, typer.Option(min=0.1, help="How long, after the warm-up.")],
    streams: Annotated[int, typer.Option(min=1, help="Spoken at a time, beside the callers that misbehave.")] = 2,
    require: Annotated[list[str] | None, require_option("'ttfs_ms.p95<500'")] = None,
    max_duration_s: MaxDurationOption = 8.0,
    server: ServerOption = None,
    server_pid: ServerPidOption = None,
    model: ModelOption = None,
    config: ConfigOption = None,
    preset: PresetOption = "",
    interim: InterimOption = False,
    html: HtmlOption = None,
) -> int:
    """A long load with callers that misbehave: exit code 1 when the server grows, slows down or fails them."""
    check_writable(json, inputs=[manifest])
    check_page(html, inputs=[manifest, json])
    check_server(server, server_pid, config)
    requirements = requirements_of(require, FIELDS)
    clips = spoken_clips(manifest, max_duration_s)
    measured_on, data, settings = machine(), of_manifest(manifest, json), Config.of(config)
    parts = ready(clips)
    run_s = minutes * 60
    load = Load(streams, run_s, ask=Ask(interim_results=interim, preset=preset))

    async def soak() -> dict[str, object]:
        async with serving(server, model, pid=server_pid, config=config) as served, client_of(served.address, parts) as client:
            if served.process is None:
                say("the server's process is not known: only sessions and times are watched; name it with --server-pid")

            async def sessions() -> int | None:
                told = await answered(client.server_info())
                return None if told is None else told.active_sessions

            info = await client.server_info()
            used_preset = preset_of(info, preset)
            tally = Tally(run_from_s=time.monotonic())
            every_s = interval_s(run_s)

            def ended(turn: Turn) -> None:
                tally.spoken(turn, stalls.longest_ms)
                stalls.reset()

            async with (
                clock(f"soaking, {minutes:g} minutes", expected_s(load, parts)),
                readings_of(ProcessWatch(os.getpid()), interval_s=every_s) as of_bench,
                LoopStallMonitor() as stalls,
            ):
                await first_to_end(
                    steady_load(client, parts, load, ended=ended),
                    take_samples(served.process, sessions, tally, every_s=every_s),
                    visit(client, parts, every_s=visit_interval_s(run_s), seed=load.seed, visited=tally.visited),
                )
            soaked_s = time.monotonic() - tally.run_from_s
            own = used(of_bench)
            verdict = judge(
                tally,
                run_s=soaked_s,
                sessions_left=await sessions_left(sessions, info.active_sessions),
                own_cpu_percent=None if own is None else own.cpu_percent,
            )
            last = await answered(client.server_info())
            stall_ms = None if last is None else last.longest_loop_stall_ms
        setup = Setup(
            manifest=str(data["manifest"]),
            manifest_sha256=str(data["sha256"]),
            minutes=minutes,
            streams=streams,
            clips=len(parts),
            max_duration_s=max_duration_s,
            interim_results=interim,
            preset=used_preset.name,
            own_server=served.is_own,
            config=settings,
            process_known=served.process is not None,
            sample_every_s=every_s,
            visit_every_s=visit_interval_s(run_s),
            stop_ms=StopMs.of(used_preset),
            vad_stop_ms=used_preset.longest_stop_ms,
        )
        return report(
            tally, verdict, setup=setup, system=server_system(info, used_preset.name), machine=measured_on, longest_loop_stall_ms=stall_ms
        )

    result = asyncio.run(soak())
    write_json(json, result)
    write_page(html, result)
    _show(result)
    return closing_with(requirements, result, GOOD if result["passed"] else FAILED)


async def first_to_end(*beside: Coroutine[Any, Any, object]) -> None:
    """All at the same time, until one has ended; the others are cancelled then."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one) for one in beside]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()


def _show(result: Mapping[str, Any]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    growth = result["growth"]
    table = Table("", "at first", "at last", "allowed", "")
    if (memory := growth["resident_mb"]) is not None:
        table.add_row("memory, MB by trend", "", f"{memory['over_run_mb']:+.1f}", f"{memory['bound_mb']:+.0f}", _grew(memory))
    for what in ("threads", "open_files"):
        if (level := growth[what]) is not None:
            allowed = f"{level['early'] + level['more_allowed']:g}"
            table.add_row(what.replace("_", " "), f"{level['early']:g}", f"{level['late']:g}", allowed, _grew(level))
    times = result["ttfs_ms"]
    first, last = (times[third]["p95"] for third in ("first_third", "last_third"))
    table.add_row("time to final text, p95 ms", number(first), number(last), "", "SLOWER" if growth["ttfs_slower"] else "")
    left = result["sessions_left"]
    table.add_row("sessions left at the end", "", "no answer" if left is None else str(left), "0", "LEFT" if left else "")
    console.print(table)
    visits = ", ".join(f"{result[kind]} {kind.replace('_', '-')}" for kind in ("cancelled", "garbage", "half_closed", "unary"))
    console.print(
        f"{result['minutes']:g} minutes, {result['streams']} streams, {result['clips']} clips, {result['late']} late; beside them {visits}"
    )
    if memory is not None:
        console.print(f"a leak of less than {memory['smallest_seen_mb_per_hour']:.0f} MB an hour is not seen in a run of this length")
    for reason in result["not_judged"]:
        console.print(f"not judged: {reason}")
    for reason in result["failed_because"]:
        console.print(f"FAILED: {reason}")
    if result["passed"]:
        console.print("passed")


def _grew(judged: Mapping[str, Any]) -> str:
    return "GROWS" if judged["grows"] else ""
