"""`python -m bench overhead`."""

import asyncio
import socket
import tempfile
import time
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console
from rich.table import Table

from asr_server.api.client import Client
from asr_server.errors import WrongCall
from asr_server.local_server import LocalServer, local_server, serve_command
from bench.collector import Taken, collector, scraping
from bench.commands.speaking import (
    InterimOption,
    JsonOption,
    ManifestOption,
    MaxDurationOption,
    ModelOption,
    PresetOption,
    client_of,
    ready,
    spoken_clips,
)
from bench.machine import machine
from bench.overhead import WATCHES_NOTHING, Pair, Side, everything, summary, watches_all
from bench.process import ProcessWatch
from bench.streams import Ask, Part, Spoken, speak
from eval.commands.hearing import of_manifest
from eval.commands.requiring import closing_with, require_option, requirements_of
from eval.console import check_writable, progress, write_json

FIELDS = ("cpu", "ttfs_ms", "response_ms", "counted", "segments", "taken")
WARM_UP_CLIPS = 3


def overhead_command(
    *,
    manifest: ManifestOption,
    json: JsonOption,
    rounds: Annotated[int, typer.Option(min=1, help="How often each clip is spoken.")] = 1,
    limit: Annotated[int | None, typer.Option(min=2, help="The first so many of the clips.")] = None,
    interim: InterimOption = False,
    max_duration_s: MaxDurationOption = 16.0,
    model: ModelOption = None,
    preset: PresetOption = "",
    require: Annotated[list[str] | None, require_option("'cpu.ratio<1.02' or 'cpu.more_ms_a_segment<1'")] = None,
) -> int:
    """What it costs to see everything: traces and metrics to a collector, a Prometheus that asks, drift against a reference, a journal.

    Two servers are started, one with all of it and one with none. Each clip is spoken to both at the same moment in real time.
    """
    check_writable(json, inputs=[manifest])
    requirements = requirements_of(require, FIELDS)
    parts = ready(list(islice(spoken_clips(manifest, max_duration_s), limit)))
    taken = Taken()
    with tempfile.TemporaryDirectory(prefix="bench-overhead-") as folder:
        wish = _Wish(Path(folder), parts, Ask(interim_results=interim, preset=preset), model or "")
        pairs = asyncio.run(_measure(wish, rounds, taken))
    try:
        found = summary(pairs)
    except ValueError as error:
        raise WrongCall(f"{manifest}: {error}") from None
    result = {
        **found,
        "taken": asdict(taken),
        "rounds": rounds,
        "interim_results": interim,
        "manifest": of_manifest(manifest, json),
        "machine": machine(),
    }
    write_json(json, result)
    Console(highlight=False).print(_table(result))
    return closing_with(requirements, result)


@dataclass(frozen=True, slots=True)
class _Wish:
    """Which servers are started, and what is said to them."""

    folder: Path
    """For what they keep and read."""
    parts: list[Part]
    ask: Ask
    model: str


async def _measure(wish: _Wish, rounds: int, taken: Taken) -> list[Pair]:
    reference = await _reference(wish)
    prometheus = f"127.0.0.1:{_free_port()}"
    config = _written(wish.folder / "on.yaml", everything(wish.folder, reference, prometheus))
    with collector(taken) as address:
        async with (
            local_server(serve_command(wish.model), environment=WATCHES_NOTHING) as off,
            local_server(serve_command(wish.model, config), environment=watches_all(address)) as on,
            client_of(off.address, wish.parts) as to_off,
            client_of(on.address, wish.parts) as to_on,
            scraping(prometheus, taken),
        ):
            both = (_Watched(off, to_off), _Watched(on, to_on))
            with progress("warming up", WARM_UP_CLIPS) as warmed:
                for part in wish.parts[:WARM_UP_CLIPS]:
                    await _speak_to_both(both, part, wish.ask)
                    warmed()
            pairs = []
            with progress("speaking to both", rounds * len(wish.parts)) as spoken:
                for _ in range(rounds):
                    for part in wish.parts:
                        pairs.append(await _speak_to_both(both, part, wish.ask))
                        spoken()
            return pairs


async def _reference(wish: _Wish) -> Path:
    """A profile of the same clips, spoken once in real time, two at a time."""
    path = wish.folder / "reference.json"
    config = _written(wish.folder / "gather.yaml", {"telemetry": {"gather": str(path)}})
    async with (
        local_server(serve_command(wish.model, config), environment=WATCHES_NOTHING) as server,
        client_of(server.address, wish.parts) as client,
    ):
        left = iter(wish.parts)
        with progress("hearing what is normal", len(wish.parts)) as heard:

            async def caller() -> None:
                for part in left:
                    await speak(client, part, wish.ask)
                    heard()

            await asyncio.gather(caller(), caller())
    return path


class _Watched:
    """A server, and what its process has used."""

    def __init__(self, server: LocalServer, client: Client) -> None:
        self._process = ProcessWatch(server.pid)
        self._client = client

    @property
    def cpu_s(self) -> float:
        usage = self._process.usage()
        if usage is None:
            raise WrongCall("a server that was started for the run has ended")
        return usage.cpu_s

    async def hear(self, part: Part, ask: Ask) -> Spoken:
        return await speak(self._client, part, ask)


async def _speak_to_both(both: tuple[_Watched, _Watched], part: Part, ask: Ask) -> Pair:
    begun_s, before = time.monotonic(), [server.cpu_s for server in both]
    spoken = await asyncio.gather(*(server.hear(part, ask) for server in both))
    used = [server.cpu_s - then for server, then in zip(both, before, strict=True)]
    off, on = (Side(cpu_s, heard) for cpu_s, heard in zip(used, spoken, strict=True))
    return Pair(off, on, time.monotonic() - begun_s)


def _written(path: Path, settings: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return path


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def _table(result: dict[str, Any]) -> Table:
    table = Table(caption=f"{result['counted']} of {result['pairs']} clips, {result['segments']} segments; told: {_told(result['taken'])}")
    for column in ("", "nothing watched", "everything", "more"):
        table.add_column(column, justify="left" if not column else "right")
    cpu = result["cpu"]
    low, high = cpu["ci95_ms_a_segment"]
    table.add_row(
        "processor, s",
        f"{cpu['off_s']:.1f}",
        f"{cpu['on_s']:.1f}",
        f"{100 * (cpu['ratio'] - 1):+.1f} %, {cpu['more_percent_of_a_core']:+.2f} % of a core; "
        f"{cpu['more_ms_a_segment']:+.1f} ms a segment ({low:+.1f} to {high:+.1f})",
    )
    for name, what in (("ttfs_ms", "time to final text, ms"), ("response_ms", "response time, ms")):
        times = result[name]
        more = times["typically_more"]
        told = "" if more is None else f"{more['ms']:+.1f} ({more['low_ms']:+.1f} to {more['high_ms']:+.1f})"
        sides = (f"{times[side]['p50']:.0f} / {times[side]['p95']:.0f}" if more is not None else "-" for side in ("off", "on"))
        table.add_row(f"{what}, p50 / p95", *sides, told)
    return table


def _told(taken: dict[str, int]) -> str:
    kilobytes = {name: count // 1000 for name, count in taken.items() if name != "scrapes_failed"}
    failed = f", {taken['scrapes_failed']} scrapes failed" if taken["scrapes_failed"] else ""
    return ", ".join(f"{name} {count} kB" for name, count in kilobytes.items()) + failed
