"""A real server, in a process of its own, that does not let go: each recognition leaves threads behind, or a session. From the ninth on
each fails: one that fails now and then is done once more, and no caller hears of it.

    with leaking_server("threads") as (address, pid):
        ...

What a soak has to catch.
"""

import argparse
import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Literal

from asr_server.engine.engine import DecodeOptions, Decoding
from asr_server.errors import EngineFailed
from audio_norm import Normalized, load_definition
from tests.api.harness import speech_server
from tests.fake_engine import FakeEngine, said

ROOT = Path(__file__).resolve().parents[2]
THREADS, GOOD = 4, 8


@contextmanager
def leaking_server(what: Literal["threads", "sessions"]) -> Iterator[tuple[str, int]]:
    """Gives its host:port and its process."""
    command = [sys.executable, "-m", "tests.bench.leaking", what]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert line.startswith("ready "), line
            yield line.split()[1], process.pid
        finally:
            process.stdin.close()
            process.wait(timeout=30)


async def _serve(what: str) -> None:
    """Until stdin ends."""
    loop = asyncio.get_running_loop()
    numbers = count(1)

    def decode(_audio: Normalized, _options: DecodeOptions) -> Decoding:
        if what == "sessions":
            loop.call_soon_threadsafe(lambda: left_behind.enter_context(running.admission.enter()))
        else:
            for _ in range(THREADS):
                threading.Thread(target=threading.Event().wait, daemon=True).start()
        if next(numbers) > GOOD:
            raise EngineFailed("broken")
        return said("Hello world.")

    with ExitStack() as left_behind:
        async with speech_server(FakeEngine(decode), definition=load_definition("v1")) as running:
            sys.stdout.write(f"ready {running.target}\n")
            sys.stdout.flush()
            await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("threads", "sessions"))
    asyncio.run(_serve(parser.parse_args().what))
