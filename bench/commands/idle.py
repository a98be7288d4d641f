"""`python -m bench idle`."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from asr_server.api.client import Client
from asr_server.api.options import ClientOptions, StreamOptions
from asr_server.errors import WrongCall
from bench.callers import Caller, on_the_line
from bench.commands.showing import number, show_reasons
from bench.commands.speaking import (
    ConfigOption,
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
from bench.footprint import audio_mb_at_most
from bench.idle import FIELDS, Active, Setup, Waited, is_good, report
from bench.load import Load, expected_s
from bench.machine import machine
from bench.pace import Microphone
from bench.quiet import FOR_EVER_S, SILENT, Quiet, Source, in_mid_speech, waiting
from bench.serving import Config, Serving, serving
from bench.streams import STAGGER_S, Ask, Part, speak_all
from bench.stretch import stretch
from eval.by_server import preset_of, server_system
from eval.commands.hearing import of_manifest
from eval.commands.requiring import closing_with, require_option, requirements_of
from eval.console import FAILED, GOOD, check_writable, progress, write_json

APART_S = 0.02
"""Between two callers who open their streams: fifty a second."""
WARM_UP_STREAMS, WARM_UP_CLIPS = 2, 6
"""Few at a time: what many streams take must not have been taken before. The longest clips: later decodes are no larger."""
FIRST_SPEECH_S = 20.0
"""Spoken by WARM_UP_STREAMS before active streams: longer than the longest segment, so that the largest decodes have been done."""
MID_SPEECH_S = 3.0
"""Spoken by each active stream before its memory counts."""
OPENING_WAIT_S = 5.0
"""How long an answer to an opening stream is waited for: a server that is slow to refuse has not let it in."""


@dataclass(frozen=True, slots=True)
class _Wish:
    """Which server is started, and what is said to it."""

    model: str | None
    config: Path | None
    parts: list[Part]
    ask: Ask


def idle_command(
    *,
    manifest: ManifestOption,
    json: JsonOption,
    streams: Annotated[int, typer.Option(min=0, help="Held open with nothing said on them.")] = 200,
    seconds: Annotated[float, typer.Option(min=1, help="Held and measured, after all have called; the same before they call.")] = 30.0,
    quiet: Annotated[
        Quiet, typer.Option(help="What a waiting stream sends: silence in real time, or keep_alive every 5 s.")
    ] = Quiet.SILENCE,
    chunk_ms: Annotated[int, typer.Option("--chunk-ms", min=10, max=1000, help="Of silence in one message.")] = 100,
    patience: Annotated[
        float, typer.Option(min=0, help="How long a stream that is refused tries again, each time after as long as it is told, in s.")
    ] = 30.0,
    speaking: Annotated[int, typer.Option(min=0, help="Streams that speak clips before the others call, and beside them.")] = 1,
    active: Annotated[
        int, typer.Option(min=0, help="Measure also the memory of so many streams in mid-speech, beside two that are so already.")
    ] = 0,
    require: Annotated[list[str] | None, require_option("'refused==0' or 'memory_mb.a_stream<0.5'")] = None,
    max_duration_s: MaxDurationOption = 8.0,
    server: ServerOption = None,
    server_pid: ServerPidOption = None,
    model: ModelOption = None,
    config: ConfigOption = None,
    preset: PresetOption = "",
) -> int:
    """What streams cost that are open and say nothing: processor, memory, and the time to final text of those who speak beside them.

    Exit code 1 when a stream failed, a clip was lost, early or failed, the run is not valid, or a --require is not met. A stream that the
    server refuses is counted and is no failure.
    """
    check_writable(json, inputs=[manifest])
    check_server(server, server_pid, config)
    if active and server is not None:
        raise WrongCall("--active goes without --server: its memory is measured on a server of its own, which no stream has used before")
    requirements = requirements_of(require, FIELDS)
    clips = spoken_clips(manifest, max_duration_s)
    measured_on, data, settings = machine(), of_manifest(manifest, json), Config.of(config)
    wish = _Wish(model, config, ready(clips), Ask(preset=preset))

    async def measure() -> dict[str, Any]:
        async with serving(server, model, pid=server_pid, config=config) as served, client_of(served.address, wish.parts) as client:
            info = await client.server_info()
            used_preset = preset_of(info, preset)
            load = Load(speaking, seconds, ask=wish.ask)
            waited = await _wait(
                wish, served, client, streams=streams, source=lambda: waiting(quiet, chunk_ms), patience_s=patience, load=load
            )
        setup = Setup(
            manifest=str(data["manifest"]),
            manifest_sha256=str(data["sha256"]),
            clips=len(wish.parts),
            max_duration_s=max_duration_s,
            seconds=seconds,
            quiet=quiet,
            chunk_ms=chunk_ms if quiet is Quiet.SILENCE else None,
            apart_s=APART_S,
            patience_s=patience,
            warm_up_clips=WARM_UP_CLIPS,
            preset=used_preset.name,
            own_server=served.is_own,
            config=settings,
            max_sessions=int(info.limits["max_sessions"]),
        )
        spoke = await _speak_on(wish, active, patience_s=patience, seconds=seconds) if active else None
        return report(
            waited, spoke, streams=streams, speaking=speaking, setup=setup, system=server_system(info, wish.ask.preset), machine=measured_on
        )

    result = asyncio.run(measure())
    write_json(json, result)
    _show(result)
    return closing_with(requirements, result, GOOD if is_good(result) else FAILED)


async def _wait(
    wish: _Wish, served: Serving, client: Client, *, streams: int, source: Callable[[], Source], patience_s: float, load: Load
) -> Waited:
    await _warm_up(wish, client)
    lasts_s = expected_s(load, wish.parts) if load.streams else load.seconds
    async with clock(f"{load.streams} speaking, none waiting", lasts_s):
        before = await stretch(client, served.process, wish.parts, load)
    stalled_ms = (await client.server_info()).longest_loop_stall_ms
    options = StreamOptions(preset=wish.ask.preset, voice_activity_events=True).for_clip(SILENT)
    async with _patient_client(served.address) as line, AsyncExitStack() as held:
        with progress("calling", streams) as answered:
            callers = [Caller(source, options, patience_s) for _ in range(streams)]
            everybody = await held.enter_async_context(on_the_line(line, callers, apart_s=APART_S, answered=answered))
        say(_line(streams, everybody.as_json()))
        everybody.begin()
        async with clock(f"{load.streams} speaking beside those who wait", lasts_s):
            beside = await stretch(client, served.process, wish.parts, load)
        stalls_ms = (stalled_ms, (await client.server_info()).longest_loop_stall_ms)
        return Waited(before, beside, everybody.as_json(), everybody.lags, stalls_ms)


async def _speak_on(wish: _Wish, streams: int, *, patience_s: float, seconds: float) -> Active:
    """On a server of its own: what memory other streams have freed there would be taken again, and not be seen. Beside others that speak
    all the time: what decodes take is taken before, and is none of the streams'."""
    lasts_s = FIRST_SPEECH_S + seconds + streams * STAGGER_S + patience_s + MID_SPEECH_S + seconds
    said = [(part, in_mid_speech(part, lasts_s)) for part in wish.parts[: max(streams, WARM_UP_STREAMS)]]

    def callers(count: int) -> list[Caller]:
        chosen = islice(cycle(said), count)
        return [Caller(partial(Microphone, clip, FOR_EVER_S), wish.ask.options(part), patience_s) for part, clip in chosen]

    async with (
        serving(None, wish.model, config=wish.config) as served,
        client_of(served.address, wish.parts) as client,
        _patient_client(served.address) as line,
        clock(f"{WARM_UP_STREAMS} in mid-speech, and {streams} beside them", lasts_s),
    ):
        info = await client.server_info()
        async with on_the_line(line, callers(WARM_UP_STREAMS), apart_s=STAGGER_S):
            await asyncio.sleep(FIRST_SPEECH_S)
            before = await stretch(client, served.process, wish.parts, Load(0, seconds))
            async with on_the_line(line, callers(streams), apart_s=STAGGER_S) as everybody:
                say(f"in mid-speech: {_line(streams, everybody.as_json())}")
                await asyncio.sleep(MID_SPEECH_S)
                during = await stretch(client, served.process, wish.parts, Load(0, seconds))
                return Active(streams, before, during, everybody.as_json(), audio_mb_at_most(info, preset_of(info, wish.ask.preset)))


async def _warm_up(wish: _Wish, client: Client) -> None:
    longest = sorted(wish.parts, key=lambda part: part.audio.duration_s, reverse=True)
    with progress("warming up", WARM_UP_CLIPS) as spoken:
        await speak_all(
            client, list(islice(cycle(longest[:WARM_UP_CLIPS]), WARM_UP_CLIPS)), wish.ask, streams=WARM_UP_STREAMS, spoken=spoken
        )


def _patient_client(address: str) -> Client:
    return Client(address, options=ClientOptions(open_attempts=1, opening_wait_s=OPENING_WAIT_S))


def _line(streams: int, callers: Mapping[str, Any]) -> str:
    told, in_after_s = callers["retry_after_s"], callers["in_after_s"]["max"]
    line = f"of {streams} streams {callers['opened']} were opened, {callers['refused']} refused, {callers['failed']} failed"
    if in_after_s is not None:
        line += f"; let in at most {in_after_s:g} s after their first call"
    if told["told"]:
        line += f"; {told['told']} times told to try again in {told['least']:g} to {told['most']:g} s"
    return line


def _show(result: Mapping[str, Any]) -> None:
    console = Console(highlight=False, soft_wrap=True, markup=False)
    table = Table("", "before", "with them")
    speaking = result["speaking"]
    for share in ("p50", "p95"):
        times = (number(speaking[when]["ttfs_ms"][share]) for when in ("before", "beside"))
        table.add_row(f"time to final text, {share} ms", *times)
    table.add_row("  clips", *(str(speaking[when]["clips"]) for when in ("before", "beside")))
    server = result["server"]
    for name in ("cpu_percent", "threads", "open_files"):
        found = (None if one is None else one[name] for one in (server["before"], server["held"]))
        table.add_row(f"server: {name.replace('_', ' ')}", *(number(one["max"] if isinstance(one, Mapping) else one) for one in found))
    if (memory := result["memory_mb"]) is not None:
        table.add_row("server: memory, MB", number(memory["before"]), number(memory["with_all_open"]))
    stalls = result["longest_loop_stall_ms"]
    table.add_row("server: longest loop stall, ms", number(stalls["before"]), number(stalls["since"]))
    table.add_row("bench: cpu percent", *(number(result["bench"][when]["cpu_percent"]) for when in ("before", "held")))
    console.print(table)
    console.print(
        f"{_line(result['streams'], result)}; {result['open']} were open at the end, after {result['measured_s']:g} s ({result['quiet']})"
    )
    if memory is not None and memory["a_stream"] is not None:
        console.print(f"{1000 * memory['a_stream']:.0f} kB a waiting stream")
    if (active := result["active"]) is not None:
        console.print(f"in mid-speech: {_line(active['streams'], active)}")
        if (taken := active["memory_mb"]) is not None and taken["a_stream"] is not None:
            console.print(
                f"{taken['a_stream']:.2f} MB an active stream ({taken['before']:.0f} MB before, {taken['with_all_open']:.0f} with them); "
                f"of its audio it holds at most {active['audio_mb_a_stream_at_most']:.2f}"
            )
    for note in result["notes"]:
        console.print(f"note: {note}")
    show_reasons(console, result)
