"""Options that several commands have, and how they become values."""

from pathlib import Path
from typing import Annotated

import typer

from asr_server.errors import WrongCall
from asr_server.machine import usable_cores
from eval.via import Via, ViaOptions

REALTIME_JOBS = 4
"""Clips at a time at the pace of a microphone, where waiting is most of the work."""

ManifestOption = Annotated[Path, typer.Option(help="JSON lines: audio, text; optionally id, set, language, duration_s, speaker, words.")]
JsonOption = Annotated[Path, typer.Option("--json", help="Where the whole result goes.")]
OptionalJsonOption = Annotated[Path | None, typer.Option("--json", help="Where the whole result goes.")]
ViaOption = Annotated[Via, typer.Option(help="Who recognises.")]
ServerOption = Annotated[str | None, typer.Option(help="host:port; without it --via server starts one for itself.")]
ModelOption = Annotated[str, typer.Option(help="Name or directory; a --server has its own.")]
RealtimeOption = Annotated[bool, typer.Option("--realtime", help="Send at the pace of a microphone (--via server).")]
BudgetOption = Annotated[int, typer.Option(min=0, help="Latency budget asked of the server for each final, ms; 0: its own (--via server).")]
DefinitionOption = Annotated[str, typer.Option(help='Data definition: name, .toml file, or "none" (--via engine).')]
BeamOption = Annotated[int, typer.Option(min=1, max=10, help="Beam width (--via engine).")]
JobsOption = Annotated[int, typer.Option(min=0, help=f"Clips at a time; 0: one a core, {REALTIME_JOBS} with --realtime.")]
ThreadsOption = Annotated[int, typer.Option(min=1, help="Threads of faster-whisper for one clip.")]
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
    model: str,
    realtime: bool,
    jobs: int,
    threads: int = 1,
    budget_ms: int = 0,
    definition: str = "v1",
    beam_size: int = 5,
) -> ViaOptions:
    """Raises WrongCall for options that would have no effect."""
    for_server = {"--server": server, "--realtime": realtime, "--budget-ms": budget_ms}
    for_engine = {"--definition": definition != "v1", "--beam-size": beam_size != 5}
    for owner, options in ((Via.SERVER, for_server), (Via.ENGINE, for_engine)):
        for name, given in options.items():
            if given and via is not owner:
                raise WrongCall(f"{name} goes with --via {owner}, not with --via {via}")
    return ViaOptions(
        via,
        model=model,
        server=server,
        realtime=realtime,
        budget_ms=budget_ms,
        definition=definition,
        beam_size=beam_size,
        jobs=jobs or (REALTIME_JOBS if realtime else usable_cores()),
        threads=threads,
    )
