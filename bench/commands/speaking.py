"""What commands that keep a server busy have in common: their options, their clips, and a clock on stderr."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from asr_server.accuracy.manifest import Clip, read_manifest
from asr_server.api.client import Client
from asr_server.api.options import ClientOptions
from asr_server.errors import WrongCall
from bench.clips import make_ready, up_to
from bench.streams import Part
from eval.console import progress

ANSWER_WITHIN_S = 60.0
"""Longest a clip may take beyond its own length before the call counts as failed: a server that hangs must not hang the bench."""

ManifestOption = Annotated[Path, typer.Option(help="JSON lines: audio, text; optionally id, language, duration_s, words.")]
JsonOption = Annotated[Path, typer.Option("--json", help="Where the whole result goes.")]
MaxDurationOption = Annotated[float, typer.Option("--max-duration-s", min=0.1, help="Longer clips are left out.")]
ServerOption = Annotated[str | None, typer.Option(help="host:port; without it one is started for the run.")]
ServerPidOption = Annotated[int | None, typer.Option(min=1, help="Process of a --server on this machine, to see what it uses.")]
ModelOption = Annotated[
    str | None,
    typer.Option(help="Name or directory, of the server that is started. Default: what --config names, else base.", show_default=False),
]
ConfigOption = Annotated[Path | None, typer.Option(help="YAML settings of the server that is started, as `asr-server serve --config`.")]
PresetOption = Annotated[
    str,
    typer.Option(help="How streams weigh accuracy against time: fast, balanced or accurate. Default: the server's.", show_default=False),
]
InterimOption = Annotated[bool, typer.Option("--interim", help="Ask for partial results too, as a live display does.")]


def check_server(server: str | None, server_pid: int | None, config: Path | None) -> None:
    """Raises WrongCall for an option that would have no effect, and for a config that cannot be read."""
    if server_pid is not None and server is None:
        raise WrongCall("--server-pid goes with --server: the process of a server that is started for the run is known")
    if config is not None and server is not None:
        raise WrongCall("--config goes without --server: it is of the server that is started for the run")
    if config is not None and not config.is_file():
        raise WrongCall(f"--config {config}: no such file")


def spoken_clips(manifest: Path, max_duration_s: float) -> list[Clip]:
    """With words in them, and not too long. Raises WrongCall when none is left."""
    chosen = list(up_to((clip for clip in read_manifest(manifest) if clip.text.strip()), max_duration_s))
    if not chosen:
        raise WrongCall(f"{manifest}: no clip with words of at most {max_duration_s:g} s (--max-duration-s)")
    return chosen


def ready(clips: list[Clip]) -> list[Part]:
    """Raises ManifestError for a file that is not audio."""
    parts = []
    with progress("reading clips", len(clips)) as read:
        for clip in clips:
            parts.append(make_ready(clip))
            read()
    return parts


def client_of(address: str, parts: list[Part]) -> Client:
    """Its calls are tried once: a stream that is refused shall count as refused, not come in later."""
    longest_s = max(part.audio.duration_s for part in parts)
    return Client(address, options=ClientOptions(open_attempts=1, deadline_s=longest_s + ANSWER_WITHIN_S))


@asynccontextmanager
async def clock(what: str, seconds: float) -> AsyncIterator[None]:
    """A bar that fills in about so many seconds."""
    with progress(what, max(round(seconds), 1)) as tick:

        async def ticking() -> None:
            for _ in range(round(seconds)):
                await asyncio.sleep(1)
                tick()

        ticker = asyncio.create_task(ticking())
        try:
            yield
        finally:
            ticker.cancel()
            await asyncio.gather(ticker, return_exceptions=True)


def say(line: str) -> None:
    """How it is going, for a log as well."""
    Console(stderr=True, highlight=False, soft_wrap=True, markup=False).print(line)
