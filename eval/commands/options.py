"""Options that several commands have, and how they become values."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from asr_server.errors import WrongCall
from asr_server.machine import usable_cores
from eval.via import Via, ViaOptions

_DEFAULT = ViaOptions(Via.ENGINE)

REALTIME_JOBS = 4
"""Clips at a time at the pace of a microphone, where waiting is most of the work."""

ManifestOption = Annotated[Path, typer.Option(help="JSON lines: audio, text; optionally id, set, language, duration_s, speaker, words.")]
JsonOption = Annotated[Path, typer.Option("--json", help="Where the whole result goes.")]
OptionalJsonOption = Annotated[Path | None, typer.Option("--json", help="Where the whole result goes.")]
ViaOption = Annotated[Via, typer.Option(help="Who recognises.")]
OursOption = Annotated[Via, typer.Option(metavar=f"[{Via.ENGINE}|{Via.SERVER}]", help="Who recognises.")]
ServerOption = Annotated[str | None, typer.Option(help="host:port; without it --via server starts one for itself.")]
ModelOption = Annotated[str | None, typer.Option(help=f"Name or directory, {_DEFAULT.model} if not told; a --server has its own.")]
RealtimeOption = Annotated[bool, typer.Option("--realtime", help="Send at the pace of a microphone (--via server).")]
BudgetOption = Annotated[
    int | None, typer.Option(min=0, help="Latency budget asked of the server for each final, ms; 0: its own (--via server).")
]
PresetOption = Annotated[
    str | None, typer.Option(help="How to weigh accuracy against time: fast, balanced or accurate; else its own choice (--via server).")
]
DefinitionOption = Annotated[
    str | None, typer.Option(help=f'Data definition: name, .toml file, or "none"; {_DEFAULT.definition} if not told (--via engine).')
]
BeamOption = Annotated[int | None, typer.Option(min=1, max=10, help=f"Beam width, {_DEFAULT.beam_size} if not told (--via engine).")]
JobsOption = Annotated[int, typer.Option(min=0, help="Clips at a time; 0: one a core.")]
RealtimeJobsOption = Annotated[int, typer.Option(min=0, help=f"Clips at a time; 0: one a core, {REALTIME_JOBS} with --realtime.")]
ThreadsOption = Annotated[
    int | None, typer.Option(min=1, help=f"Threads for one clip, {_DEFAULT.threads} if not told (--via faster-whisper).")
]
SetsOption = Annotated[str, typer.Option(help="Only these sets, comma between.")]
ExcludeSetsOption = Annotated[str, typer.Option(help="Not these sets, comma between.")]
FreshOption = Annotated[bool, typer.Option("--fresh", help="Do not go on where an interrupted run stopped.")]
LimitOption = Annotated[int | None, typer.Option(min=1, help="The first so many of the chosen clips.")]


def names(given: str) -> list[str]:
    """Of a comma-separated option."""
    return [name.strip() for name in given.split(",") if name.strip()]


def via_options(
    via: Via,
    *,
    server: str | None,
    model: str | None,
    realtime: bool,
    jobs: int,
    threads: int | None = None,
    budget_ms: int | None = None,
    preset: str | None = None,
    definition: str | None = None,
    beam_size: int | None = None,
) -> ViaOptions:
    """None: not told. Raises WrongCall for options that would have no effect."""
    owned: Mapping[Via, Mapping[str, object]] = {
        Via.SERVER: {"--server": server, "--realtime": realtime or None, "--budget-ms": budget_ms, "--preset": preset},
        Via.ENGINE: {"--definition": definition, "--beam-size": beam_size},
        Via.FASTER_WHISPER: {"--threads": threads},
    }
    for owner, options in owned.items():
        for name, given in options.items():
            if given is not None and via is not owner:
                raise WrongCall(f"{name} goes with --via {owner}, not with --via {via}")
    if server is not None and model is not None:
        raise WrongCall("--model goes without --server: a server that runs has its own")
    told: Mapping[str, Any] = {
        "model": model,
        "threads": threads,
        "budget_ms": budget_ms,
        "preset": preset,
        "definition": definition,
        "beam_size": beam_size,
    }
    return replace(
        _DEFAULT,
        via=via,
        server=server,
        realtime=realtime,
        jobs=jobs or (REALTIME_JOBS if realtime else usable_cores()),
        **{name: value for name, value in told.items() if value is not None},
    )
