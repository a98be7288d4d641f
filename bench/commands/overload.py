"""`python -m bench overload`."""

import asyncio
import os
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table

from asr_server.watch.stall import LoopStallMonitor
from bench.commands.showing import number, show_reasons
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
from bench.machine import machine
from bench.overload import FIELDS, Setup, is_good, phases_of, report
from bench.process import ProcessWatch
from bench.rush import PHASES, Attempt, Rush, expected_s, rush
from bench.serving import Config, StopMs, serving
from bench.streams import Ask
from bench.usage import readings_of, used
from bench.validity import Bench
from eval.by_server import preset_of, server_system
from eval.commands.hearing import of_manifest
from eval.commands.requiring import closing_with, require_option, requirements_of
from eval.console import FAILED, GOOD, check_writable, write_json


def overload_command(
    *,
    manifest: ManifestOption,
    json: JsonOption,
    streams: Annotated[int, typer.Option(min=1, help="Of the steady load, before, during and after.")],
    factor: Annotated[float, typer.Option(min=1.0, help="So many times as many callers during the overload.")] = 3.0,
    seconds: Annotated[float, typer.Option(min=1, help="Of each of the three phases, after the warm-up.")] = 60.0,
    require: Annotated[list[str] | None, require_option("'p95_ratio.overload<1.5' or 'back_after_s<5'")] = None,
    max_duration_s: MaxDurationOption = 8.0,
    server: ServerOption = None,
    server_pid: ServerPidOption = None,
    model: ModelOption = None,
    config: ConfigOption = None,
    preset: PresetOption = "",
    interim: InterimOption = False,
) -> int:
    """More callers than fit, for a while: what becomes of those inside, of those refused, and how soon it is over.

    Exit code 1 when a clip that was let in was lost, early or failed, the run is not valid, or a --require is not met; 2 for a wrong call.
    """
    check_writable(json, inputs=[manifest])
    check_server(server, server_pid, config)
    requirements = requirements_of(require, FIELDS)
    clips = spoken_clips(manifest, max_duration_s)
    measured_on, data, settings = machine(), of_manifest(manifest, json), Config.of(config)
    parts = ready(clips)
    wish = Rush(streams, round(streams * factor), seconds, ask=Ask(interim_results=interim, preset=preset))

    async def measure() -> dict[str, Any]:
        attempts: list[Attempt] = []
        async with serving(server, model, pid=server_pid, config=config) as served, client_of(served.address, parts) as client:
            info = await client.server_info()
            used_preset = preset_of(info, preset)

            def entered(phase: str) -> None:
                say(f"{phase}: {wish.callers if phase == 'overload' else wish.streams} callers, {seconds:g} s")

            async with (
                clock(f"{streams} streams, then {wish.callers}, then {streams}", expected_s(wish, parts)),
                readings_of(served.process) as of_server,
                readings_of(ProcessWatch(os.getpid())) as of_bench,
                LoopStallMonitor() as stalls,
            ):
                borders = await rush(client, parts, wish, attempted=attempts.append, entered=entered)
            last = await client.server_info()
        by_phase = [used(of_server, from_s, to_s) for from_s, to_s in borders.spans]
        setup = Setup(
            manifest=str(data["manifest"]),
            manifest_sha256=str(data["sha256"]),
            clips=len(parts),
            max_duration_s=max_duration_s,
            seconds=seconds,
            callers=wish.callers,
            interim_results=interim,
            preset=used_preset.name,
            own_server=served.is_own,
            config=settings,
            stop_ms=StopMs.of(used_preset),
        )
        return report(
            phases_of(attempts, borders, by_phase),
            Bench(used(of_bench, borders.steady_s), stalls.longest_ms),
            streams=streams,
            factor=factor,
            longest_loop_stall_ms=last.longest_loop_stall_ms,
            setup=setup,
            system=server_system(info, used_preset.name),
            machine=measured_on,
        )

    result = asyncio.run(measure())
    write_json(json, result)
    _show(result)
    return closing_with(requirements, result, GOOD if is_good(result) else FAILED)


def _show(result: Mapping[str, Any]) -> None:
    console = Console(highlight=False, soft_wrap=True, markup=False)
    names = ("", "clips", "p50", "p95", "times", "refused", "late", "degraded", "cpu %")
    table = Table(*(Column(name, no_wrap=True) for name in names), box=SIMPLE_HEAD, pad_edge=False)
    for name in PHASES:
        phase, ratio = result[name], result["p95_ratio"].get(name)
        table.add_row(
            name,
            str(phase["clips"]),
            *(number(phase["ttfs_ms"][share]) for share in ("p50", "p95")),
            "" if ratio is None else f"{ratio:.2f}",
            *(str(phase[count]) for count in ("refused", "late", "degraded")),
            number(None if phase["server"] is None else phase["server"]["cpu_percent"]),
        )
    console.print(table)
    told, after_s = result["admitted_as_told"], result["back_after_s"]
    console.print("times in ms are to final text, of clips that were let in; then p95 as a multiple of the steady load's")
    console.print(f"{told['tried']} tried again after the time they were told; {told['admitted']} of them were let in then")
    console.print("as before the overload: " + ("not seen in this run" if after_s is None else f"{after_s:g} s after it had ended"))
    console.print(
        f"server: longest loop stall {result['longest_loop_stall_ms']:.0f} ms; bench: {number(result['bench']['cpu_percent'])} % of a core"
    )
    show_reasons(console, result)
