"""The `asr-server` command: arguments to settings to `app` or the client. One clear line for every error."""

import asyncio
import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from asr_server.errors import AsrError
from asr_server.live.command import feedback, watch
from asr_server.machine import keep_less_memory
from asr_server.profile.command import app as profile
from asr_server.report.command import report
from asr_server.settings import read_settings
from asr_server.transcribe import transcribe
from asr_server.version import code_version
from asr_server.watch.monitoring.command import app as monitoring
from audio_norm import AudioError

app = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Speech recognition inside a latency budget.",
)
app.command()(transcribe)
app.command()(watch)
app.command()(report)
app.command()(feedback)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer's callback
    if wanted:
        typer.echo(code_version())
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")] = False,  # noqa: FBT002
) -> None:
    """Speech recognition inside a latency budget."""


@app.command()
def serve(
    *,
    host: Annotated[str | None, typer.Option(help="Address to listen on. Default: 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one. Default: 50051.")] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file with settings.")] = None,
    model: Annotated[str | None, typer.Option(help="base, tiny.en, a directory, or a faster-whisper hub name. Default: base.")] = None,
    preset: Annotated[
        str | None, typer.Option(help="Accuracy against time, where a caller does not say: fast, balanced or accurate. Default: balanced.")
    ] = None,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
) -> None:
    """Serve gRPC until SIGTERM; prints `ready host:port` once calls are let in.

    Settings come from the options, then the environment (ASR_...), then the config file. Traces: the standard OTEL_* variables.
    """
    _log_to_stderr(log_level)
    keep_less_memory()
    from asr_server import app as server  # noqa: PLC0415 - `--help` and `transcribe` need not load the engine's libraries

    settings = read_settings(config, host=host, port=port, model=model, preset=preset)
    typer.echo(f"loading {settings.model} ...", err=True)
    asyncio.run(server.serve(settings, os.environ, lambda on, at: print(f"ready {on}:{at}", flush=True)))  # noqa: T201 - the contract
    if server.is_loading():
        # The engine's library cannot be told to stop loading, and aborts the process when it is unloaded in the midst of it.
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


app.add_typer(monitoring, name="monitoring")
app.add_typer(profile, name="profile")


def _log_to_stderr(level: str) -> None:
    levels = {name.lower(): number for name, number in logging.getLevelNamesMapping().items()}
    if level not in ("debug", "info", "warning", "error"):
        raise typer.BadParameter(f"{level!r}, accepted: debug, info, warning, error", param_hint="--log-level")
    logging.basicConfig(level=levels[level], stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")


def main() -> None:
    """Exit codes: 0 good, 1 the server failed, 2 the call was wrong."""
    try:
        app()
    except (AsrError, AudioError) as error:
        print(f"asr-server: {error}", file=sys.stderr)  # noqa: T201 - the one line of an error
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
