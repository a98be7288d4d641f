"""A real gRPC server on loopback around any engine, and raw calls on it: what goes over the wire is what a stranger's client sends."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import grpc
import numpy as np
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status

from asr_server.api.admission import Admission
from asr_server.api.host import Host
from asr_server.api.interceptors import CallInterceptor
from asr_server.api.limits import Limits
from asr_server.api.opening import MAX_MESSAGE_BYTES
from asr_server.api.service import SpeechService
from asr_server.api.status import status_of
from asr_server.api.true_status import TrueStatus
from asr_server.api.wire import Served, system_version
from asr_server.budget import LatencyBudget
from asr_server.engine.engine import BatchingEngine
from asr_server.engine.worker import Worker, WorkerOptions
from asr_server.pb import asr_pb2 as pb
from asr_server.pb import asr_pb2_grpc
from asr_server.presets import Preset
from asr_server.session import SessionOptions
from asr_server.watch.observer import NullObserver, Observer
from audio_norm import DataDefinition, Samples
from tests.fake_engine import FakeEngine
from tests.session.script import plain_definition

Request = pb.StreamingRecognizeRequest
Response = pb.StreamingRecognizeResponse
Config = pb.RecognitionConfig


PLAIN = Preset("balanced", SessionOptions(), beam_size=5)
"""Nothing is begun early, nothing is heard twice: a test that is about something else sees one decode a segment."""


@dataclass
class Running:
    """A server that serves."""

    target: str
    stub: asr_pb2_grpc.SpeechStub
    service: SpeechService
    admission: Admission
    worker: Worker


@asynccontextmanager
async def speech_server(
    engine: BatchingEngine | None = None,
    *,
    limits: Limits | None = None,
    definition: DataDefinition | None = None,
    observer: Observer | None = None,
    opened: bool = True,
    presets: tuple[Preset, ...] = (PLAIN,),
) -> AsyncIterator[Running]:
    """By default with an engine that says "ok" and a VAD that takes loud for speech."""
    engine, limits, definition = engine or FakeEngine(), limits or Limits(), definition or plain_definition()
    admission = Admission(limits)
    service = SpeechService(admission, lambda: 0.0)
    server = grpc.aio.server(
        interceptors=[CallInterceptor(observer or NullObserver(), status_of)],
        options=[("grpc.max_receive_message_length", MAX_MESSAGE_BYTES)],
    )
    asr_pb2_grpc.add_SpeechServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    served = Served(
        model=engine.release.model,
        languages=engine.languages,
        default_language="en",
        limits=limits,
        budget=LatencyBudget(),
        presets=presets,
    )
    system = system_version("0.test", (definition.version, definition.digest), engine.release)
    target = f"127.0.0.1:{port}"
    try:
        async with Worker(engine, WorkerOptions(threads=2)) as worker:
            if opened:
                service.open(Host(worker, engine, definition, served, system))
            async with grpc.aio.insecure_channel(target, options=[("grpc.max_send_message_length", MAX_MESSAGE_BYTES)]) as channel:
                yield Running(target, asr_pb2_grpc.SpeechStub(channel), service, admission, worker)
            await server.stop(None)
    finally:
        await server.stop(None)


def first(*, interim_results: bool = False, events: bool = False, endpointing: dict[str, int] | None = None, **config: object) -> Request:
    """The first message; LINEAR16 at 16 kHz unless told otherwise."""
    return Request(
        config=pb.StreamingRecognitionConfig(
            config=Config(**{"encoding": Config.LINEAR16, "sample_rate_hertz": 16_000, **config}),  # type: ignore[arg-type]
            interim_results=interim_results,
            enable_voice_activity_events=events,
            endpointing=pb.EndpointingConfig(**(endpointing or {})),
        )
    )


def linear16(samples: Samples) -> bytes:
    return (np.clip(samples, -1, 1) * 32_767).astype("<i2").tobytes()


def chunks(content: bytes, size: int = 640) -> list[Request]:
    return [Request(audio_content=content[start : start + size]) for start in range(0, len(content), size)]


FINALIZE = Request(finalize=pb.Finalize())
KEEP_ALIVE = Request(keep_alive=pb.KeepAlive())


@dataclass
class Answer:
    """Everything that came back from one call."""

    responses: list[Response]
    code: grpc.StatusCode
    message: str
    violations: dict[str, str]
    retry_after_s: float | None = None

    @property
    def finals(self) -> list[pb.StreamingRecognitionResult]:
        return [result for response in self.responses for result in response.results if result.is_final]

    @property
    def texts(self) -> list[str]:
        return [final.alternatives[0].transcript for final in self.finals]

    @property
    def events(self) -> list[str]:
        kinds = [response.speech_event_type for response in self.responses if response.speech_event_type]
        return [Response.SpeechEventType.Name(kind) for kind in kinds]


async def converse(stub: asr_pb2_grpc.SpeechStub, requests: Iterable[Request], *, timeout_s: float = 30) -> Answer:
    """Send all, half-close, take everything, with the status the call ended with."""
    call = stub.StreamingRecognize(iter_async(requests), timeout=timeout_s)
    true_status = TrueStatus(call)
    responses: list[Response] = []
    try:
        async for response in call:
            responses.append(response)  # noqa: PERF401 - what came before an error counts
    except grpc.aio.AioRpcError as seen:
        error = await true_status.of(seen)
        if error is not None:
            return refused(error, responses)
    return Answer(responses, grpc.StatusCode.OK, "", {})


async def iter_async(requests: Iterable[Request]) -> AsyncIterator[Request]:
    for request in requests:
        yield request


def refused(error: grpc.aio.AioRpcError, responses: list[Response] | None = None) -> Answer:
    answer = Answer(responses or [], error.code(), error.details() or "", {})
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            for detail in Status.FromString(value).details:
                bad, retry = BadRequest(), RetryInfo()
                if detail.Unpack(bad):
                    answer.violations = {violation.field: violation.description for violation in bad.field_violations}
                if detail.Unpack(retry):
                    answer = replace(answer, retry_after_s=retry.retry_delay.ToMilliseconds() / 1000)
    return answer
