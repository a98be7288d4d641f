"""The span tree of a real stream: real weights, real speech, real OTLP over loopback."""

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

import pytest

from asr_server.api.client import Client
from asr_server.api.options import ClientOptions, StreamOptions
from asr_server.api.results import Result
from tests.recordings import recording
from tests.watch.otlp_receiver import Received, otlp_grpc, otlp_http

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
PARENT_ID = "b7ad6b7169203331"


async def traced_stream(endpoint: dict[str, str], clip: Path) -> list[Result]:
    """Start a server that exports to the endpoint, stream the clip to it with a `traceparent`, stop it (which flushes)."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ASR_", "OTEL_"))}
    command = [sys.executable, "-m", "asr_server", "serve", "--port", "0", "--model", "tiny.en"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env={**environment, **endpoint})
    try:
        assert process.stdout is not None
        address = (await process.stdout.readline()).decode().removeprefix("ready ").strip()
        metadata = (("traceparent", f"00-{TRACE_ID}-{PARENT_ID}-01"),)
        async with Client(address, options=ClientOptions(metadata=metadata)) as client:
            heard = [one async for one in client.stream_file(clip, StreamOptions(word_times=True), realtime=True)]
    finally:
        process.send_signal(signal.SIGTERM)
        code = await process.wait()
    assert code == 0
    return [one for one in heard if isinstance(one, Result)]


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
async def test_a_real_stream_is_one_trace_with_a_span_for_every_stage(protocol: str) -> None:
    clip = recording("quick_brown_fox")
    with otlp_grpc() if protocol == "grpc" else otlp_http() as received:
        results = await traced_stream({"OTEL_EXPORTER_OTLP_ENDPOINT": received.endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}, clip)
        final = next(result for result in results if result.is_final)
        check_tree(received, final)
        for word in re.findall(r"\w{5,}", final.text):
            assert word.encode() not in b"".join(received.raw), "no transcript in telemetry"


def check_tree(received: Received, final: Result) -> None:
    root = received.one("asr.v1.Speech/StreamingRecognize")
    assert (root.trace_id, root.parent_id) == (TRACE_ID, PARENT_ID)
    assert final.trace_id == TRACE_ID
    assert root.attributes["rpc.response.status_code"] == "OK"
    assert root.attributes["asr.model"] == "tiny.en"
    assert {"speech_started", "speech_ended", "partial"} <= {event.name for event in root.events}
    (segment,) = received.children(root)
    stages = received.children(segment)
    # Recognition was begun in the silence: what closed the segment came after it, or was the recognised text itself.
    assert [stage.name for stage in stages][:3] == ["queue", "condition", "asr"]
    assert [stage.name for stage in stages][-2:] == ["post", "send"]
    for stage in stages:
        assert segment.start_ns <= stage.start_ns <= stage.end_ns <= segment.end_ns
        assert {"asr.slice.planned_ms", "asr.slice.spent_ms"} <= set(stage.attributes)
    recognition = next(stage for stage in stages if stage.name == "asr")
    assert {"asr.features", "asr.encode", "asr.decode"} <= {part.name for part in received.children(recognition)}
    assert final.ledger is not None
    assert segment.attributes["asr.response_ms"] == pytest.approx(final.ledger.response_ms, rel=1e-4)
    assert segment.attributes["asr.speculated_ms"] == pytest.approx(final.ledger.speculated_ms, rel=1e-4)
    spent_ms = sum(stage.attributes["asr.slice.spent_ms"] for stage in stages if stage.name == "asr")
    assert final.ledger.speculated_ms + spent_ms == pytest.approx((recognition.end_ns - recognition.start_ns) / 1e6, rel=0.01)
    assert final.ledger.speculated_ms > 0
    assert segment.attributes["asr.late"] == final.ledger.late
    assert segment.attributes["asr.tokens"] > 3
    assert segment.attributes["asr.batch_size"] == 1
    assert segment.attributes["asr.frames"] > 100
