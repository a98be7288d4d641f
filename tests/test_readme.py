"""What the README shows works."""

import ast
import inspect
import os
import re
import shutil
from pathlib import Path

import pytest

from asr_server.settings import ENV_PREFIX, read_settings
from bench.__main__ import main as bench_main
from eval.__main__ import main as eval_main
from tests.recordings import recording

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)


def only_block(mark: str) -> str:
    (block,) = (block for block in BLOCKS if mark in block)
    return str(block)


async def run(source: str) -> None:
    """As `python -m asyncio` does: `async with` may stand at the outermost level."""
    code = compile(source, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    running = eval(code, {})
    if inspect.isawaitable(running):
        await running


async def test_the_client_example_prints_what_is_said_and_how_long_it_took(
    server_address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copyfile(recording("hello_world"), tmp_path / "hello.wav")
    monkeypatch.chdir(tmp_path)
    await run(only_block("Client(").replace("127.0.0.1:50051", server_address))
    assert re.fullmatch(r"Hello,? world[.!]? \d+ ms\n", capsys.readouterr().out, flags=re.IGNORECASE)


async def test_what_counts_as_an_error_is_as_stated() -> None:
    await run(only_block("count_errors("))


def test_every_example_is_run_by_a_test_here() -> None:
    assert len(BLOCKS) == 2


def test_the_client_example_is_five_lines_long() -> None:
    assert len([line for line in only_block("Client(").splitlines() if line]) == 5


LINKS = sorted(
    {
        (str(path.relative_to(ROOT)), target)
        for path in (*ROOT.glob("*.md"), *ROOT.glob("[a-z]*/README.md"), *ROOT.glob("*/results/*.md"))
        for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8"))
    }
)


@pytest.mark.parametrize(("page", "target"), LINKS)
def test_links_lead_somewhere(page: str, target: str) -> None:
    assert (ROOT / page).parent.joinpath(target).exists()


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\bmake (\w+)", README)) - {"and"}))
def test_make_targets_exist(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)


COMMANDS = sorted(
    {
        tuple(line.split("#")[0].split()[2:])
        for path in (ROOT / "README.md", *(ROOT / room / "README.md" for room in ("eval", "bench")), *ROOT.glob("*/results/*.md"))
        for block in re.findall(r"^```sh\n(.*?)^```", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
        for line in re.findall(r"python -m (?:eval|bench) .*", block)
    }
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_commands_of_the_instruments_exist_with_their_options(command: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    room, name, *arguments = command
    assert {"eval": eval_main, "bench": bench_main}[room]([name, "--help"]) == 0
    known = set(re.findall(r"--[a-z0-9-]+", capsys.readouterr().out))
    assert {argument for argument in arguments if argument.startswith("--")} <= known


def test_the_settings_shown_are_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(ENV_PREFIX)]:
        monkeypatch.delenv(name)
    (block,) = re.findall(r"^```yaml\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)
    config = tmp_path / "server.yaml"
    config.write_text(block)
    assert read_settings(config) == read_settings()
