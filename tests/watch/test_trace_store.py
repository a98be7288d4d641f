"""A real trace store: it takes what the server exports, and the tree of spans is read back from it."""

import asyncio
import json
import os
import shutil
import signal
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from asr_server.api.client import Client
from asr_server.api.results import Result
from asr_server.local_server import local_server
from tests.recordings import recording
from tests.waiting import until_async

ROOT = Path(__file__).parents[2]
MLFLOW = shutil.which("mlflow", path=f"{ROOT / '.venv-traces' / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}")

pytestmark = pytest.mark.skipif(MLFLOW is None, reason="mlflow is not installed here: `make .venv-traces/.ready`, as .ci/run does")

READ_BACK = """
import json, sys
from mlflow import MlflowClient
for trace in MlflowClient(sys.argv[1]).search_traces(locations=["0"]):
    for span in trace.data.spans:
        print(json.dumps({"trace": span.trace_id, "name": span.name, "id": span.span_id, "parent": span.parent_id,
                          "start_ns": span.start_time_ns, "end_ns": span.end_time_ns, "attributes": span.attributes}, default=str))
"""


@asynccontextmanager
async def trace_store(folder: Path) -> AsyncIterator[str]:
    """Its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert MLFLOW is not None
    command = (MLFLOW, "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1")
    stored = ("--backend-store-uri", f"sqlite:///{folder / 'traces.db'}", "--default-artifact-root", str(folder / "artifacts"))
    with (folder / "mlflow.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, *stored, stdout=log, stderr=log, cwd=folder, start_new_session=True)
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    try:
        await until_async(lambda: asyncio.to_thread(answers), timeout_s=90)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        await process.wait()


async def spans_in(url: str) -> list[dict[str, Any]]:
    assert MLFLOW is not None
    python = Path(MLFLOW).with_name("python")
    process = await asyncio.create_subprocess_exec(python, "-c", READ_BACK, url, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert process.returncode == 0
    return [json.loads(line) for line in out.splitlines()]


async def test_the_spans_of_a_call_are_read_back_as_a_tree(tmp_path: Path) -> None:
    async with trace_store(tmp_path) as url:
        exported = {
            "OTEL_TRACES_EXPORTER": "otlp",
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{url}/v1/traces",
            "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "x-mlflow-experiment-id=0",
        }
        command = (sys.executable, "-m", "asr_server", "serve", "--port", "0", "--model", "tiny.en")
        async with local_server(command, environment=exported) as server, Client(server.address) as client:
            heard = [one async for one in client.stream_file(recording("quick_brown_fox")) if isinstance(one, Result) and one.is_final]
        spans = await spans_in(url)  # the server has stopped, and delivered what was left

    (final,) = heard
    call = next(span for span in spans if span["parent"] is None)
    assert call["name"] == "asr.v1.Speech/StreamingRecognize"
    (segment,) = [span for span in spans if span["name"] == "asr.segment"]
    assert segment["parent"] == call["id"]
    slices = {span["name"]: span for span in spans if span["parent"] == segment["id"]}
    assert {"queue", "condition", "asr", "post", "send"} <= set(slices)
    parts = {span["name"] for span in spans if span["parent"] == slices["asr"]["id"]}
    assert {"asr.encode", "asr.decode"} <= parts
    assert all(call["start_ns"] <= span["start_ns"] <= span["end_ns"] <= call["end_ns"] for span in spans if span["parent"] is not None)
    assert {span["trace"] for span in spans} == {call["trace"]}
    assert final.trace_id in call["trace"]
    assert "quick brown fox" not in json.dumps(spans).lower(), "no text is exported"
