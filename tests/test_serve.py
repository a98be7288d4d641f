"""`asr-server serve` as an operator meets it: a process, its output, its exit code."""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from asr_server.api.client import Client
from asr_server.api.options import StreamOptions
from asr_server.api.results import Result
from asr_server.engine.weights import resolve
from asr_server.pb import asr_pb2_grpc
from tests.api.harness import Response, chunks, first, linear16
from tests.audio_norm.samples import speech
from tests.recordings import recording

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("ASR_", "OTEL_"))}


@asynccontextmanager
async def serve(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "asr_server", "serve", *arguments),
        env=ENVIRONMENT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def refusal(*arguments: str) -> tuple[int, str]:
    """Exit code and the last line on stderr of a server that does not start."""
    async with serve(*arguments) as process:
        async with asyncio.timeout(120):
            out, err = await process.communicate()
        assert out == b""
        assert b"Traceback" not in err
        assert process.returncode is not None
        return process.returncode, err.decode().strip().splitlines()[-1]


async def test_a_server_is_healthy_once_it_is_ready_and_says_what_it_speaks(server_address: str) -> None:
    async with grpc.aio.insecure_channel(server_address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for service in ("", "asr.v1.Speech"):
            answer = await health.Check(health_pb2.HealthCheckRequest(service=service))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        call = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo()
        await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
        listed = {service.name for service in (await call.read()).list_services_response.service}
        assert {"asr.v1.Speech", "grpc.health.v1.Health"} <= listed
        await call.done_writing()


async def test_beside_base_the_preset_fast_is_decoded_by_tiny_en() -> None:
    async with serve("--port", "0") as process:
        assert process.stdout is not None
        address = (await process.stdout.readline()).decode().removeprefix("ready ").strip()
        async with Client(address) as client:
            models = (await client.server_info()).models
            presets = {preset.name: preset.model for preset in (await client.server_info()).presets}
            finals = [
                [
                    heard.system.model
                    async for heard in client.stream_file(recording("hello_world"), options)
                    if isinstance(heard, Result) and heard.is_final and heard.system is not None
                ]
                for options in (
                    StreamOptions(preset="fast"),
                    StreamOptions(preset="fast", language_code="de"),
                    StreamOptions(preset="fast", model="base"),
                    StreamOptions(preset="balanced"),
                    StreamOptions(preset="balanced", model="tiny.en"),
                )
            ]

    assert [(model.name, model.is_default) for model in models] == [("base", True), ("tiny.en", False)]
    assert (len(models[0].languages), models[1].languages) == (99, ("en",))
    assert presets == {"balanced": "base", "fast": "tiny.en", "accurate": "base"}
    assert finals == [["tiny.en"], ["base"], ["base"], ["base"], ["tiny.en"]]


async def test_sigterm_lets_open_streams_end_with_their_finals_and_exits_0() -> None:
    async with serve("--port", "0", "--model", "tiny.en") as process:
        assert process.stdout is not None
        address = (await process.stdout.readline()).decode().removeprefix("ready ").strip()
        async with grpc.aio.insecure_channel(address) as channel:
            call = asr_pb2_grpc.SpeechStub(channel).StreamingRecognize()
            await call.write(first(events=True))
            for chunk in chunks(linear16(speech("hello_world"))):
                await call.write(chunk)
            assert (await call.read()).speech_event_type == Response.SPEECH_ACTIVITY_BEGIN
            process.send_signal(signal.SIGTERM)
            await call.done_writing()
            answers = []
            while (answer := await call.read()) is not grpc.aio.EOF:
                answers.append(answer)
            assert await call.code() is grpc.StatusCode.OK
        texts = [result.alternatives[0].transcript for answer in answers for result in answer.results if result.is_final]
        assert "hello" in " ".join(texts).lower()
        assert await process.wait() == 0


async def test_a_taken_port_is_one_clear_line(server_address: str) -> None:
    port = server_address.split(":")[1]
    code, line = await refusal("--port", port, "--model", "tiny.en")
    assert (code, line) == (
        2,
        f"asr-server: cannot listen on 127.0.0.1:{port}: the port is taken, or the host is not one of this machine's",
    )


async def test_a_smaller_model_of_the_main_ones_name_could_not_be_asked_for(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("engine: {smaller_model: tiny.en}")
    code, line = await refusal("--port", "0", "--model", "tiny.en", "--config", str(tmp_path / "s.yaml"))
    assert code == 2
    assert line == 'asr-server: engine.smaller_model: "tiny.en" is what the main model is called, too'


async def test_a_smaller_model_that_is_not_smaller_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("engine: {smaller_model: base}")
    code, line = await refusal("--port", "0", "--model", "tiny.en", "--config", str(tmp_path / "s.yaml"))
    assert code == 2
    assert line == 'asr-server: engine.smaller_model: "base" is no smaller than "tiny.en"'


@pytest.mark.parametrize("after_s", [0.2, 0.6, 1.0, 2.0])
async def test_a_server_that_is_stopped_while_it_loads_ends_well(after_s: float) -> None:
    async with serve("--port", "0") as process:
        assert process.stderr is not None
        async with asyncio.timeout(120):
            while b"loading" not in await process.stderr.readline():
                pass
            await asyncio.sleep(after_s)
            process.send_signal(signal.SIGTERM)
            _, err = await process.communicate()
    assert (process.returncode, b"terminate" in err) == (0, False)


async def test_a_smaller_model_that_is_nowhere_is_named_with_its_setting(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("engine: {smaller_model: no-such-model}")
    code, line = await refusal("--port", "0", "--model", "tiny.en", "--config", str(tmp_path / "s.yaml"))
    assert code == 2
    assert line.startswith("asr-server: engine.smaller_model: no weights for model 'no-such-model'")


async def test_a_model_that_is_nowhere_is_one_clear_line() -> None:
    code, line = await refusal("--port", "0", "--model", "no-such-model")
    assert code == 2
    assert line.startswith("asr-server: ")
    assert "no-such-model" in line


async def test_weights_that_are_not_the_published_ones_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cached copy with one byte changed."""
    cached = tmp_path / "models" / "tiny.en"
    shutil.copytree(resolve("tiny.en").path, cached)
    weights = cached / "model.bin"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.chmod(0o644)
    weights.write_bytes(content)
    monkeypatch.setitem(ENVIRONMENT, "ASR_CACHE_DIR", str(tmp_path))
    code, line = await refusal("--port", "0", "--model", "tiny.en")
    assert code == 2
    assert "sha256 is " in line
    assert "expected 1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a" in line


async def test_a_wrong_setting_is_one_clear_line(tmp_path: Path) -> None:
    config = tmp_path / "server.yaml"
    config.write_text("budget: {asr_ms: 4000}\n")
    assert await refusal("--config", str(config)) == (
        2,
        "asr-server: budget: budget slices add up to 4200 ms, more than the total of 500 ms",
    )
