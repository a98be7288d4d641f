"""A server of one's own: `asr-server serve` as a child process, for commands that were given no `--server`."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from asr_server.errors import SetupError

READY = b"ready "
STOP_TIMEOUT_S = 10.0
"""How long a child may take to drain after SIGTERM before it is killed."""

_TAIL_BYTES = 8192


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A child that is ready."""

    address: str
    """host:port"""
    pid: int


def serve_command(model: str = "", config: Path | None = None) -> tuple[str, ...]:
    """`serve` on a free loopback port, in this Python. `config`: its YAML file of settings; a `model` outranks the one in it."""
    chosen = ("--model", model) if model else ()
    configured = ("--config", str(config)) if config is not None else ()
    return (sys.executable, "-m", "asr_server", "serve", "--host", "127.0.0.1", "--port", "0", *configured, *chosen)


@asynccontextmanager
async def local_server(
    command: Sequence[str], *, start_timeout_s: float = 300.0, environment: Mapping[str, str] | None = None
) -> AsyncIterator[LocalServer]:
    """Starts the server and gives it once it is ready; ends it on leaving, however that happens, also when this process gets a SIGTERM.
    `environment`: variables beside those of this process.

    Raises `SetupError`, with the last line the child wrote to stderr, when it ends or takes too long before it is ready.
    """
    with _sigterm_cancels():
        async with _child(command, start_timeout_s, environment or {}) as child:
            yield child


@contextmanager
def _sigterm_cancels() -> Iterator[None]:
    """A SIGTERM would end this process and leave the child to itself. It first cancels the task that runs here, then has its usual effect.
    Where somebody hears SIGTERM already, or off the main thread, where signals cannot be heard, nothing is changed."""
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL or threading.current_thread() is not threading.main_thread():
        yield
        return
    task = asyncio.current_task()
    assert task is not None
    received = False

    def cancel() -> None:
        nonlocal received
        received = True
        task.cancel()

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, cancel)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
        if received:
            signal.raise_signal(signal.SIGTERM)


@asynccontextmanager
async def _child(command: Sequence[str], start_timeout_s: float, environment: Mapping[str, str]) -> AsyncIterator[LocalServer]:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **environment},
        # Ctrl-C in the terminal is for us: the child must live until what was said has been finalized.
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    errors = _Tail()
    drains = [asyncio.create_task(errors.drain(process.stderr))]
    try:
        try:
            async with asyncio.timeout(start_timeout_s):
                target = await _ready_line(process.stdout)
        except TimeoutError:
            raise SetupError(f"the server was not ready after {start_timeout_s:g} s{errors.quoted()}") from None
        if target is None:
            code = await process.wait()
            await drains[0]
            raise SetupError(errors.last_line or f"the server ended with exit code {code} before it was ready")
        drains.append(asyncio.create_task(_Tail().drain(process.stdout)))
        yield LocalServer(target, process.pid)
    finally:
        await _end(process)
        await asyncio.gather(*drains, return_exceptions=True)


async def _ready_line(stdout: asyncio.StreamReader) -> str | None:
    """The address in the child's `ready host:port` line; None when it ended without one."""
    while line := await stdout.readline():
        if line.startswith(READY):
            return line.removeprefix(READY).decode().strip()
    return None


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await process.wait()
    except (TimeoutError, asyncio.CancelledError):
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


class _Tail:
    """Reads a pipe to its end, so that the child never blocks on it, and keeps the last of it."""

    def __init__(self) -> None:
        self._kept = b""

    async def drain(self, pipe: asyncio.StreamReader) -> None:
        while data := await pipe.read(_TAIL_BYTES):
            self._kept = (self._kept + data)[-_TAIL_BYTES:]

    @property
    def last_line(self) -> str:
        lines = self._kept.decode(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else ""

    def quoted(self) -> str:
        return f'; it last said "{self.last_line}"' if self.last_line else ""
