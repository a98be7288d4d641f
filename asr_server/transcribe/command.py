"""The command line of `transcribe`: arguments to options, outcome to exit code."""

import asyncio
import os
import sys
from typing import Annotated

import typer

from asr_server.errors import WrongCall
from asr_server.transcribe.options import TranscribeOptions, parse_encoding
from asr_server.transcribe.run import INTERRUPTED, run_transcribe


def transcribe(
    file: Annotated[str, typer.Argument(help="Audio file, or - for stdin.", show_default=False)] = "",
    *,
    server: Annotated[
        str, typer.Option(help="host:port of a running server. Default: one is started for this call.", show_default=False)
    ] = "",
    realtime: Annotated[bool, typer.Option("--realtime", help="Send as fast as it is spoken, not as fast as it is taken.")] = False,
    json_lines: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    mic: Annotated[bool, typer.Option("--mic", help="Listen to the microphone until Ctrl-C.")] = False,
    language: Annotated[str, typer.Option(help='BCP-47 tag, e.g. en-US, or "auto". Default: the server\'s.', show_default=False)] = "",
    model: Annotated[str, typer.Option(help="Model to use. Default: the server's.", show_default=False)] = "",
    words: Annotated[bool, typer.Option("--words", help="Show when each word was said.")] = False,
    no_partials: Annotated[bool, typer.Option("--no-partials", help="Show finals only.")] = False,
    preset: Annotated[
        str, typer.Option(help="Accuracy against time: fast, balanced or accurate. Default: the server's.", show_default=False)
    ] = "",
    eager: Annotated[bool, typer.Option("--eager", help="Show a text before its segment is closed, on a terminal or with --json.")] = False,
    vad_stop_ms: Annotated[
        int, typer.Option(help="Silence that closes a segment, whatever its text, ms. Default: the preset's.", show_default=False)
    ] = 0,
    budget_ms: Annotated[int, typer.Option(help="Latency budget, ms. Default: the server's.", show_default=False)] = 0,
    encoding: Annotated[
        str, typer.Option(help="Of audio without a header: LINEAR16, FLOAT32, MULAW or ALAW. Default: read the header.", show_default=False)
    ] = "",
    rate: Annotated[int, typer.Option(help="Sample rate of audio without a header, or of the microphone, Hz.", show_default=False)] = 0,
    channels: Annotated[int, typer.Option(help="Channels of audio without a header. Default: 1.", show_default=False)] = 0,
) -> None:
    """Speech to text, shown while it is spoken, with where the milliseconds of each final went.

    Exit codes: 0 good, 1 the stream failed, 2 the call was wrong.
    """
    try:
        options = TranscribeOptions(
            file=file,
            mic=mic,
            server=server,
            realtime=realtime,
            json_lines=json_lines,
            language=language,
            model=model,
            words=words,
            partials=not no_partials,
            preset=preset,
            eager=eager,
            vad_stop_ms=vad_stop_ms,
            budget_ms=budget_ms,
            encoding=parse_encoding(encoding),
            rate_hz=rate,
            channels=channels,
        )
        code = asyncio.run(run_transcribe(options, sys.stdout, sys.stderr))
    except WrongCall as error:
        typer.echo(f"asr-server transcribe: {error}", err=True)
        code = 2
    except KeyboardInterrupt:  # before the handler of `run_transcribe` was in place
        code = INTERRUPTED
    except BrokenPipeError:
        # Who read our output has gone, as after `| head -1`. Python would fail once more when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    raise typer.Exit(code)
