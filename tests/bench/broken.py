"""A real server, in a process of its own, that is slow in one stage: its engine sleeps before it answers, always with the same text.

    with broken_server(decode_ms=100) as address:
        ...

What a bench has to catch. With `decode_ms=0` it is the same server in good health.
"""

import argparse
import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from asr_server.engine.engine import DecodeOptions, Decoding
from audio_norm import Normalized, load_definition
from tests.api.harness import speech_server
from tests.fake_engine import FakeEngine, said

ROOT = Path(__file__).resolve().parents[2]
HEARD = "Hello world."


@contextmanager
def broken_server(*, decode_ms: int, text: str = HEARD) -> Iterator[str]:
    """Gives its host:port."""
    command = [sys.executable, "-m", "tests.bench.broken", "--decode-ms", str(decode_ms), "--text", text]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert line.startswith("ready "), line
            yield line.split()[1]
        finally:
            process.stdin.close()
            process.wait(timeout=30)


async def _serve(decode_ms: int, text: str) -> None:
    """Until stdin ends."""

    def decode(_audio: Normalized, _options: DecodeOptions) -> Decoding:
        time.sleep(decode_ms / 1000)
        return said(text)

    async with speech_server(FakeEngine(decode), definition=load_definition("v1")) as running:
        sys.stdout.write(f"ready {running.target}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--decode-ms", type=int, required=True)
    parser.add_argument("--text", required=True)
    arguments = parser.parse_args()
    asyncio.run(_serve(arguments.decode_ms, arguments.text))
