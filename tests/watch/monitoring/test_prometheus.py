"""A real server, scraped by a real Prometheus with the rules and the dashboard's queries."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from asr_server.api.client import Client
from asr_server.api.options import ClientOptions, StreamOptions
from asr_server.api.results import Result
from asr_server.watch.drift.expected import ErrorModel
from asr_server.watch.drift.reference import Origin, Reference
from asr_server.watch.monitoring.dashboard import dashboard
from asr_server.watch.monitoring.slo import rules
from tests.recordings import recording
from tests.waiting import until_async
from tests.watch.monitoring.prometheus import INSTALLED, Prometheus, prometheus

pytestmark = pytest.mark.skipif(not INSTALLED, reason="Prometheus is not installed (Debian's package prometheus)")

TIME_SCALE = 0.01
"""An hour of the rules lasts 36 s, five minutes 3 s."""


@dataclass(frozen=True)
class Server:
    process: asyncio.subprocess.Process
    address: str
    metrics: str


@asynccontextmanager
async def server(port: int, folder: Path) -> AsyncIterator[Server]:
    """With a journal, a golden clip, and a reference that knows how often words are wrong."""
    Reference(Origin("v1", "tiny.en", "ab" * 32, "test"), error_model=ErrorModel(-3.0, -2.0, 400)).write(folder / "reference.json")
    (folder / "golden.jsonl").write_text(json.dumps({"audio": str(recording("hello_world")), "text": "Hello world."}))
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ASR_", "OTEL_"))}
    environment["ASR_TELEMETRY__PROMETHEUS"] = f"127.0.0.1:{port}"
    environment["ASR_TELEMETRY__JOURNAL"] = str(folder / "journal.db")
    environment["ASR_TELEMETRY__REFERENCE"] = str(folder / "reference.json")
    environment["ASR_TELEMETRY__PROBES"], environment["ASR_TELEMETRY__PROBE_EVERY_S"] = str(folder / "golden.jsonl"), "1"
    command = [sys.executable, "-m", "asr_server", "serve", "--port", "0", "--model", "tiny.en", "--log-level", "warning"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env=environment)
    try:
        assert process.stdout is not None
        address = (await process.stdout.readline()).decode().removeprefix("ready ").strip()
        yield Server(process, address, f"127.0.0.1:{port}")
    finally:
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


@asynccontextmanager
async def callers(address: str, *, realtime: bool) -> AsyncIterator[None]:
    """Two, one clip after the other. In real time recognition is done inside the silence; else the last words are waited for."""

    async def call() -> None:
        async with Client(address, options=ClientOptions()) as client:
            while True:
                heard = client.stream_file(recording("quick_brown_fox"), StreamOptions(interim_results=True), realtime=realtime)
                finals = [result async for result in heard if isinstance(result, Result) and result.is_final]
                if realtime:
                    await client.feedback(finals[0].segment_id, corrected=finals[0].text)

    tasks = [asyncio.create_task(call()) for _ in range(2)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def slowed_down(process: asyncio.subprocess.Process) -> AsyncIterator[None]:
    """As a machine is that has other things to do: the server stands still for most of each second."""

    async def stop_and_go() -> None:
        while True:
            process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(0.7)
            process.send_signal(signal.SIGCONT)
            await asyncio.sleep(0.1)

    task = asyncio.create_task(stop_and_go())
    try:
        yield
    finally:
        task.cancel()
        process.send_signal(signal.SIGCONT)


@pytest.fixture
def rule_file(tmp_path: Path) -> Path:
    path = tmp_path / "asr.yml"
    path.write_text(yaml.safe_dump(rules(time_scale=TIME_SCALE)))
    return path


@pytest.mark.parametrize("time_scale", [1.0, TIME_SCALE])
def test_promtool_finds_nothing_wrong_with_the_rules(tmp_path: Path, time_scale: float) -> None:
    path = tmp_path / "asr.yml"
    path.write_text(yaml.safe_dump(rules(time_scale=time_scale)))
    checked = subprocess.run(["promtool", "check", "rules", str(path)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "SUCCESS" in checked.stdout


async def test_a_quiet_run_fires_nothing_and_a_slow_server_the_right_alert_and_every_panel_has_an_answer(
    tmp_path: Path, rule_file: Path, unused_port: int
) -> None:
    async with server(unused_port, tmp_path) as running, prometheus(tmp_path, [running.metrics], rule_file) as watching:
        async with callers(running.address, realtime=True):
            for _ in range(20):
                await asyncio.sleep(1)
                assert await watching.firing() == set()
            assert await watching.query('sum(asr_segments_total{asr_outcome="in_time"})')
            await every_panel_is_answered(watching)
            await every_alert_is_about_something(watching)
        async with callers(running.address, realtime=False), slowed_down(running.process):
            await until_fires(watching, ("AsrResponseBudgetBurns", "page"))
        assert not {name for name, _ in await watching.firing()} & {"AsrCallsBudgetBurns", "AsrCallsRefused"}


async def until_fires(watching: Prometheus, alert: tuple[str, str]) -> None:
    async def fires() -> bool:
        return alert in await watching.firing()

    await until_async(fires, 90)


# What only happens when something is wrong or wished for: these have no series yet.
MAY_BE_EMPTY = re.compile(r"asr_(degraded|guard|eager)_total|outcome=\"late\"|asr_drift|asr_probe_time_to_final")


async def every_alert_is_about_something(watching: Prometheus) -> None:
    """An alert on a metric that nobody measures never fires."""
    made = [rule for group in rules()["groups"] for rule in group["rules"]]
    asked = {
        name for rule in made for name in re.findall(r"\b(?:asr|rpc)_[a-z_]+", re.sub(r"asr:\w+|\{[^}]*\}|by \([^)]*\)", "", rule["expr"]))
    }
    assert len(asked) > 8
    for name in asked:
        assert await watching.query(name) or MAY_BE_EMPTY.search(name), name


async def every_panel_is_answered(watching: Prometheus) -> None:
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", ()):
            expr = target["expr"].replace("$service", ".*").replace("$__rate_interval", "5s")
            answer = await watching.query(expr)
            assert answer or MAY_BE_EMPTY.search(expr), f"{panel['title']}: nothing answers {expr}"
