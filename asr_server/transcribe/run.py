"""One transcription from beginning to end: source, server, stream, display, exit code."""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from typing import TextIO

from rich.console import Console

from asr_server.api.client import Client
from asr_server.api.options import StreamOptions
from asr_server.api.results import Result, SystemView
from asr_server.errors import SetupError, SpeechError, WrongCall
from asr_server.local_server import local_server, serve_command
from asr_server.settings import read_settings
from asr_server.transcribe.display import Display, JsonDisplay, PlainDisplay, TerminalDisplay
from asr_server.transcribe.options import TranscribeOptions
from asr_server.transcribe.source import Source, open_source
from asr_server.transcribe.summary import summarize
from audio_norm import AudioError

FAILED, WRONG_CALL = 1, 2
INTERRUPTED, TERMINATED = 128 + signal.SIGINT, 128 + signal.SIGTERM


async def run_transcribe(options: TranscribeOptions, out: TextIO, err: TextIO) -> int:
    """Results to `out`, progress and errors to `err`; returns the exit code. Ctrl-C ends a microphone as if it had been half-closed and
    anything else at once; a server that was started here is ended in every case."""
    interrupts = _Interrupts()
    try:
        with interrupts.handled():
            return await _transcribe(options, out, err, interrupts)
    except (WrongCall, SetupError, AudioError) as error:
        _complain(err, error)
        return WRONG_CALL
    except SpeechError as error:
        _complain(err, error)
        return WRONG_CALL if _is_our_fault(error) else FAILED
    except asyncio.CancelledError:
        if interrupts.exit_code is None:
            raise
        return interrupts.exit_code


async def _transcribe(options: TranscribeOptions, out: TextIO, err: TextIO, interrupts: "_Interrupts") -> int:
    async with AsyncExitStack() as stack:
        source = await stack.enter_async_context(open_source(options))
        target = options.server or await stack.enter_async_context(_own_server(options.model, err))
        client = await stack.enter_async_context(Client(target))
        display = stack.enter_context(_display(options, out))
        if source.stop is not None:
            interrupts.stop_first(source.stop)
            print("listening; Ctrl-C to end", file=err, flush=True)
        finals: list[Result] = []
        failure: SpeechError | AudioError | WrongCall | None = None
        try:
            await _show(client, source, _stream_options(options, source), display, finals)
        except (SpeechError, AudioError, WrongCall) as error:
            failure = error
        system = await _system(client, options) if not finals and failure is None else None
        display.summary(summarize(finals, source.sent.audio_s, system, failed=str(failure or "")))
    if failure is not None:
        raise failure
    wordless = sum(final.ledger is not None and "words" in final.ledger.degraded for final in finals)
    if options.words and wordless:
        print(
            f"word times were left out of {wordless} of {len(finals)} finals to save time; --budget-ms 5000 leaves room for them", file=err
        )
    return 0


async def _show(client: Client, source: Source, options: StreamOptions, display: Display, finals: list[Result]) -> None:
    """Everything heard to the display, finals also to `finals`."""
    async with aclosing(client.stream(source.chunks, options)) as items:
        async for item in items:
            if not isinstance(item, Result):
                display.event(item)
            elif item.is_final:
                finals.append(item)
                display.final(item, _ttfs_ms(source, item))
            else:
                display.partial(item)


def _ttfs_ms(source: Source, final: Result) -> float | None:
    """From the moment the last sample of its speech was sent until the final was here; None when audio was not sent as it is spoken."""
    sent_at_s = source.sent.sent_at_s(final.end_s) if source.realtime else None
    return None if sent_at_s is None else (final.received_at_s - sent_at_s) * 1000


def _stream_options(options: TranscribeOptions, source: Source) -> StreamOptions:
    return StreamOptions(
        language_code=options.language,
        model=options.model if options.server else "",  # a server of one's own holds that model alone
        interim_results=options.partials,
        voice_activity_events=options.json_lines,
        word_times=options.words,
        preset=options.preset,
        eager_results=options.eager,
        vad_stop_ms=options.vad_stop_ms,
        latency_budget_ms=options.budget_ms,
        encoding="LINEAR16",
        sample_rate_hz=source.rate_hz,
        channels=source.channels,
    )


async def _system(client: Client, options: TranscribeOptions) -> SystemView | None:
    """What would have made the text, when there was none; None when the server does not answer any more."""
    try:
        return (await client.server_info()).system(options.model if options.server else "")
    except SpeechError:
        return None


def _display(options: TranscribeOptions, out: TextIO) -> Display:
    if options.json_lines:
        return JsonDisplay(out)
    console = Console(file=out, highlight=False)
    return TerminalDisplay(console) if out.isatty() and not console.is_dumb_terminal else PlainDisplay(out)


@asynccontextmanager
async def _own_server(model: str, err: TextIO) -> AsyncIterator[str]:
    settings = read_settings(None, model=model or None)  # what the child will read too
    async with AsyncExitStack() as stack:
        with _progress(err, f"loading model {settings.model} ..."):
            target = (await stack.enter_async_context(local_server(serve_command(model)))).address
        yield target


@contextmanager
def _progress(err: TextIO, message: str) -> Iterator[None]:
    if err.isatty():
        with Console(file=err).status(message):
            yield
    else:
        print(message, file=err, flush=True)
        yield


def _is_our_fault(error: SpeechError) -> bool:
    """The server refused what the caller chose, rather than what became of the stream."""
    return error.status in ("INVALID_ARGUMENT", "NOT_FOUND", "UNIMPLEMENTED")


def _complain(err: TextIO, error: Exception) -> None:
    print(f"asr-server transcribe: {' '.join(str(error).split())}", file=err, flush=True)


class _Interrupts:
    """SIGINT and SIGTERM end the task that made this, unless there is something gentler to do first."""

    def __init__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._stop: Callable[[], None] | None = None
        self.exit_code: int | None = None
        """Set once a signal has ended the task."""

    def stop_first(self, stop: Callable[[], None]) -> None:
        """The first SIGINT calls `stop` instead."""
        self._stop = stop

    @contextmanager
    def handled(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():  # Python delivers signals to the main thread only
            yield
            return
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._on_signal, number)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    def _on_signal(self, number: signal.Signals) -> None:
        if number is signal.SIGINT and self._stop is not None:
            stop, self._stop = self._stop, None
            stop()
            return
        self.exit_code = 128 + number
        self._task.cancel()
