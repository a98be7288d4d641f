"""A server of one's own is waited for, and ended however its use ends."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from asr_server.errors import SetupError
from asr_server.local_server import local_server, serve_command
from tests.waiting import until

FAKE = str(Path(__file__).with_name("fake_serve.py"))


def fake(notes: Path, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, FAKE, str(notes), *arguments)


async def running(notes: Path) -> None:
    await until(lambda: notes.exists() and notes.read_text() == "running")


async def test_the_address_of_the_ready_line_is_given_and_sigterm_sent_afterwards(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    async with local_server(fake(notes, "ready", "127.0.0.1:4711")) as server:
        assert server.address == "127.0.0.1:4711"
        assert server.pid > 0
        await running(notes)
    assert notes.read_text() == "ended by SIGTERM"


async def test_the_server_is_ended_when_its_user_fails(tmp_path: Path) -> None:
    notes = tmp_path / "notes"

    async def use() -> None:
        async with local_server(fake(notes, "ready", "127.0.0.1:1")):
            await running(notes)
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        await use()
    assert notes.read_text() == "ended by SIGTERM"


async def test_the_server_is_ended_when_its_user_is_cancelled_while_it_loads(tmp_path: Path) -> None:
    notes = tmp_path / "notes"

    async def use() -> None:
        async with local_server(fake(notes, "hang")):
            pass

    user = asyncio.create_task(use())
    await running(notes)
    user.cancel()
    with pytest.raises(asyncio.CancelledError):
        await user
    assert notes.read_text() == "ended by SIGTERM"


async def test_the_server_is_ended_when_its_user_gets_a_sigterm(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    use = f"""
import asyncio
from asr_server.local_server import local_server

async def use():
    async with local_server({fake(notes, "ready", "127.0.0.1:1")!r}):
        await asyncio.sleep(60)

asyncio.run(use())
"""
    user = await asyncio.create_subprocess_exec(sys.executable, "-c", use)
    await running(notes)
    user.send_signal(signal.SIGTERM)
    async with asyncio.timeout(10):
        assert await user.wait() == -signal.SIGTERM
    assert notes.read_text() == "ended by SIGTERM"


async def test_somebody_who_hears_sigterm_already_goes_on_to(tmp_path: Path) -> None:
    heard = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, heard.set)
    try:
        async with local_server(fake(tmp_path / "notes", "ready", "127.0.0.1:1")):
            signal.raise_signal(signal.SIGTERM)
            await asyncio.wait_for(heard.wait(), 10)
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


async def test_a_server_that_fails_to_start_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"^no weights named nonsense$"):
        async with local_server(fake(tmp_path / "notes", "fail", "2", "no weights named nonsense")):
            pass


async def test_a_server_that_fails_in_silence_is_told_by_its_exit_code(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="exit code 3 before it was ready"):
        async with local_server((sys.executable, "-c", "raise SystemExit(3)")):
            pass


async def test_a_server_that_is_never_ready_is_given_up() -> None:
    with pytest.raises(SetupError, match=r"not ready after 0\.2 s"):
        async with local_server((sys.executable, "-c", "import time; time.sleep(60)"), start_timeout_s=0.2):
            pass


def test_the_command_serves_on_a_free_loopback_port() -> None:
    assert serve_command("tiny.en")[1:] == ("-m", "asr_server", "serve", "--host", "127.0.0.1", "--port", "0", "--model", "tiny.en")
    assert not {"--model", "--config"} & set(serve_command())


def test_a_file_of_settings_is_handed_on() -> None:
    assert serve_command("", Path("a b.yaml"))[-2:] == ("--config", "a b.yaml")
    assert serve_command("tiny.en", Path("s.yaml"))[-4:] == ("--config", "s.yaml", "--model", "tiny.en")
