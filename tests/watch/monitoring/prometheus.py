"""A real Prometheus on loopback, for a test."""

import asyncio
import json
import shutil
import signal
import socket
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml

INSTALLED = shutil.which("prometheus") is not None and shutil.which("promtool") is not None


class Prometheus:
    """What it knows, asked over HTTP."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/api/v1/"

    async def get(self, path: str, **parameters: str) -> Any:
        return await asyncio.to_thread(self._get, path, parameters)

    def _get(self, path: str, parameters: dict[str, str]) -> Any:
        with urllib.request.urlopen(f"{self._url}{path}?{urllib.parse.urlencode(parameters)}", timeout=10) as answer:
            told = json.load(answer)
        assert told["status"] == "success", told
        return told["data"]

    async def query(self, expr: str) -> list[tuple[dict[str, str], float]]:
        data = await self.get("query", query=expr)
        return [(one["metric"], float(one["value"][1])) for one in data["result"]]

    async def firing(self) -> set[tuple[str, str]]:
        """Alerts that fire now, each with its severity."""
        alerts = (await self.get("alerts"))["alerts"]
        return {(alert["labels"]["alertname"], alert["labels"]["severity"]) for alert in alerts if alert["state"] == "firing"}


@asynccontextmanager
async def prometheus(folder: Path, targets: Sequence[str], rule_file: Path) -> AsyncIterator[Prometheus]:
    """Scrapes and evaluates twice a second."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    config = {
        "global": {"scrape_interval": "500ms", "scrape_timeout": "400ms", "evaluation_interval": "500ms"},
        "rule_files": [str(rule_file)],
        "scrape_configs": [{"job_name": "asr", "static_configs": [{"targets": list(targets)}]}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    process = await asyncio.create_subprocess_exec(
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        running = Prometheus(port)
        async with asyncio.timeout(30):
            while True:
                try:
                    await running.get("targets")
                    break
                except OSError:
                    assert process.returncode is None, await process.stderr.read() if process.stderr else ""
                    await asyncio.sleep(0.1)
        yield running
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.communicate()
