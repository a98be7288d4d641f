"""`asr-server watch` and `asr-server feedback`."""

import asyncio
import json as json_format
import sys
from dataclasses import asdict
from typing import Annotated, cast, get_args

import typer
from rich.console import Console
from rich.live import Live

from asr_server.api.client import Client
from asr_server.api.options import ClientOptions, Verdict
from asr_server.errors import SpeechError, WrongCall
from asr_server.live.view import view
from asr_server.watch.status import DriftStatus, ObjectiveState, ServerStatus

ServerOption = Annotated[str, typer.Option(help="host:port.")]
DEFAULT_SERVER = "127.0.0.1:50051"
IMPATIENT = ClientOptions(open_attempts=1, deadline_s=5.0)
VERDICTS = tuple(name for name in get_args(Verdict) if name)


def watch(
    *,
    server: ServerOption = DEFAULT_SERVER,
    every_s: Annotated[float, typer.Option(min=0.2, help="Between two looks.")] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Look once, print, and end.")] = False,
    json: Annotated[bool, typer.Option("--json", help="The same as JSON, one object a look.")] = False,
) -> None:
    """How a running server does: streams, slices against their budget, objectives, drift. Ctrl-C ends it."""
    try:
        asyncio.run(_watch(server, every_s, once=once, json=json))
    except KeyboardInterrupt:
        return


async def _watch(server: str, every_s: float, *, once: bool, json: bool) -> None:
    async with Client(server, options=IMPATIENT) as client:
        first = await _look(client)  # a server that is not there is a wrong call; one that goes away may come back
        if json:
            await _tell(client, first, every_s, once=once)
        elif once:
            Console(highlight=False).print(view(server, *first))
        else:
            with Live(view(server, *first), console=Console(highlight=False), auto_refresh=False) as live:
                while True:
                    await asyncio.sleep(every_s)
                    try:
                        live.update(view(server, *await _look(client)), refresh=True)
                    except SpeechError as error:
                        live.update(str(error), refresh=True)


async def _look(client: Client) -> tuple[ServerStatus, DriftStatus, tuple[ObjectiveState, ...]]:
    return await client.status(), await client.drift_status(), await client.objectives()


async def _tell(client: Client, seen: tuple[ServerStatus, DriftStatus, tuple[ObjectiveState, ...]], every_s: float, *, once: bool) -> None:
    while True:
        status, drift, objectives = seen
        told = {"status": asdict(status), "drift": asdict(drift), "objectives": [asdict(one) for one in objectives]}
        sys.stdout.write(json_format.dumps(told) + "\n")
        sys.stdout.flush()
        if once:
            return
        while True:
            await asyncio.sleep(every_s)
            try:
                seen = await _look(client)
                break
            except SpeechError as error:
                typer.echo(str(error), err=True)


def feedback(
    *,
    segment_id: Annotated[str, typer.Argument(help="As a final told it (`transcribe --json`).")],
    corrected: Annotated[str | None, typer.Option(help='What was really said; "" when nothing was.')] = None,
    verdict: Annotated[str, typer.Option(help=f"What the user made of the text: {', '.join(VERDICTS)}.")] = "",
    shown: Annotated[str, typer.Option(help="What the user saw, for a server that has forgotten it.")] = "",
    server: ServerOption = DEFAULT_SERVER,
) -> None:
    """Tell a server what was really said, or what became of a text. Wants a server with a journal (`telemetry.journal`)."""
    if (corrected is None) == (not verdict):
        raise WrongCall("give --corrected TEXT or --verdict VERDICT, one of them")
    if verdict and verdict not in VERDICTS:
        raise WrongCall(f"--verdict {verdict!r} is not accepted: {', '.join(VERDICTS)}")

    async def say() -> None:
        async with Client(server, options=IMPATIENT) as client:
            errors = await client.feedback(segment_id, corrected=corrected, verdict=cast(Verdict, verdict), shown=shown)
        if errors is not None:
            typer.echo(f"{errors.words} words, {errors.errors} wrong", err=True)

    asyncio.run(say())
