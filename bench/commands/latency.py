"""`python -m bench latency`."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from asr_server.api.client import Client
from asr_server.api.results import ServerInfo
from asr_server.engine.weights import resolve
from asr_server.local_server import local_server, serve_command
from asr_server.machine import usable_cores
from audio_norm import load_definition
from bench.alone import Alone, measure_baseline, measure_floor
from bench.latency import Setup, make_ready, report, select
from bench.machine import machine
from bench.streams import Part, Spoken, speak_all
from eval.by_faster_whisper import FasterWhisper
from eval.by_server import server_system
from eval.console import FAILED, GOOD, check_writable, progress, write_json
from eval.manifest import read_manifest
from eval.opening import load_engine


def latency_command(
    *,
    manifest: Annotated[Path, typer.Option(help="JSON lines: audio, text; optionally id, language, duration_s, words.")],
    json: Annotated[Path, typer.Option("--json", help="Where the whole result goes.")],
    streams: Annotated[int, typer.Option(min=1, help="Clips spoken at a time.")] = 1,
    limit: Annotated[int | None, typer.Option(min=1, help="The first so many of the clips.")] = None,
    max_duration_s: Annotated[float, typer.Option("--max-duration-s", min=0.1, help="Longer clips are left out.")] = 8.0,
    server: Annotated[str | None, typer.Option(help="host:port; without it one is started for the run.")] = None,
    model: Annotated[str, typer.Option(help="Name or directory: of the server that is started, of floor and baseline.")] = "base",
    interim: Annotated[bool, typer.Option("--interim", help="Ask for partial results too, as a live display does.")] = False,
) -> int:
    """Time to final text, with each slice of the budget."""
    check_writable(json)
    clips = select(read_manifest(manifest), streams=streams, limit=limit, max_duration_s=max_duration_s)
    measured_on = machine()
    definition = load_definition("v1")
    with progress("reading clips", len(clips)) as read:
        parts = []
        for clip in clips:
            parts.append(make_ready(clip, definition))
            read()
    results, info = asyncio.run(_speak(parts, server=server, model=model, streams=streams, interim=interim))
    with progress("floor", len(results)) as measured:
        floor_ms = measure_floor(results, load_engine(model, workers=1), definition, measured)
    with progress("baseline", len(results)) as measured:
        baseline_ms = measure_baseline(results, FasterWhisper(resolve(model), threads=usable_cores()), measured)
    setup = Setup(
        streams=streams,
        interim_results=interim,
        own_server=server is None,
        vad_stop_ms=info.endpointing_ms["vad_stop_ms"],
        budget_ms={part.name: part.planned_ms for part in info.budget},
    )
    result = report(
        results,
        Alone(floor_ms, baseline_ms),
        setup=setup,
        system=server_system(info),
        machine=measured_on,
        longest_loop_stall_ms=info.longest_loop_stall_ms,
    )
    write_json(json, result)
    _show(result)
    return FAILED if result["failed"] or result["lost"] else GOOD


async def _speak(parts: Sequence[Part], *, server: str | None, model: str, streams: int, interim: bool) -> tuple[list[Spoken], ServerInfo]:
    async with _server(server, model) as address, Client(address) as client:
        with progress("speaking", len(parts)) as spoken:
            results = await speak_all(client, parts, streams=streams, interim_results=interim, spoken=spoken)
        return results, await client.server_info()


@asynccontextmanager
async def _server(address: str | None, model: str) -> AsyncIterator[str]:
    if address is not None:
        yield address
    else:
        async with local_server(serve_command(model)) as started:
            yield started.address


def _show(result: dict[str, Any]) -> None:
    console = Console(highlight=False)
    table = Table("ms", "p50", "p95", "p99", "max", "planned")
    rows = {
        "time to final text": result["ttfs_ms"],
        "of it, VAD stop": result["endpoint_wait_ms"],
        "response": result["response_ms"],
        **{f"  {name}": spent for name, spent in result["slices_ms"].items()},
        "floor: engine alone": result["floor_ms"],
        "baseline: faster-whisper": result["baseline_ms"],
        "pacing lag": result["pacing_lag_ms"],
    }
    for name, row in rows.items():
        planned = row.get("planned", {}).get("p50")
        table.add_row(name, *(_ms(row[share]) for share in ("p50", "p95", "p99", "max")), "" if planned is None else _ms(planned))
    console.print(table)
    wer = "-" if result["wer"] is None else f"{result['wer'] * 100:.2f} %"
    counts = ", ".join(f"{result[name]} {name}" for name in ("late", "degraded", "lost", "early"))
    console.print(f"{result['streams']} streams, {result['clips']} clips, {result['segments']} segments: {counts}; WER {wer}")
    on = result["machine"]
    console.print(
        f"on {on['cpu']}, {on['cores']} cores {' '.join(on['flags'])}, load {on['load_average']} before; ctranslate2 {on['ctranslate2']}"
    )


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"
