"""A speech service that recognises nothing: it notes what it is sent and says what it was told to. Real gRPC on loopback."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf import any_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status

from asr_server.api.opening import ACCEPTED_METADATA
from asr_server.pb import asr_pb2 as pb
from asr_server.pb import asr_pb2_grpc

Response = pb.StreamingRecognizeResponse
StreamContext = grpc.aio.ServicerContext[pb.StreamingRecognizeRequest, pb.StreamingRecognizeResponse]


def at(seconds: float) -> Duration:
    duration = Duration()
    duration.FromMicroseconds(round(seconds * 1e6))
    return duration


def final_result(
    text: str,
    *,
    start_s: float = 0.0,
    end_s: float = 1.0,
    segment: int = 0,
    response_ms: float = 142.0,
    late: bool = False,
    degraded: Sequence[str] = (),
) -> pb.StreamingRecognitionResult:
    return pb.StreamingRecognitionResult(
        alternatives=[
            pb.SpeechRecognitionAlternative(
                transcript=text,
                confidence=0.875,
                words=[pb.WordInfo(word=text.partition(" ")[0], start_time=at(start_s), end_time=at(start_s + 0.25), confidence=0.5)],
            ),
            pb.SpeechRecognitionAlternative(transcript=f"{text}?", confidence=0.25),
        ],
        is_final=True,
        stability=1.0,
        result_start_offset=at(start_s),
        result_end_offset=at(end_s),
        language_code="en",
        segment=segment,
        ledger=pb.Ledger(
            budget_ms=500,
            response_ms=response_ms,
            slices=[
                pb.LedgerSlice(name="condition", planned_ms=20, spent_ms=3),
                pb.LedgerSlice(name="queue", planned_ms=60, spent_ms=1),
                pb.LedgerSlice(name="asr", planned_ms=300, spent_ms=131),
                pb.LedgerSlice(name="post", planned_ms=10, spent_ms=1),
                pb.LedgerSlice(name="send", planned_ms=20, spent_ms=0),
            ],
            late=late,
            degraded=degraded,
            endpoint_wait_ms=500,
            asr_predicted_ms=128,
            beam_size=5,
            audio_ms=1200,
        ),
        system=pb.SystemVersion(
            code="0.1.0",
            data_definition="v1",
            data_definition_digest="0123456789ab",
            model="base",
            weights_sha256="d01c",
            options={"beam_size": "5"},
        ),
    )


def final(text: str, **values: object) -> Response:
    return Response(results=[final_result(text, **values)])  # type: ignore[arg-type]  # passed on as given


def partial(stable: str, unstable: str, *, segment: int = 0, start_s: float = 0.0, end_s: float = 0.5) -> Response:
    portions = [(stable, 0.9), (unstable, 0.1)]
    return Response(
        results=[
            pb.StreamingRecognitionResult(
                alternatives=[pb.SpeechRecognitionAlternative(transcript=text)],
                stability=stability,
                segment=segment,
                result_start_offset=at(start_s),
                result_end_offset=at(end_s),
                language_code="en",
            )
            for text, stability in portions
            if text
        ]
    )


def event(kind: "Response.SpeechEventType", at_s: float) -> Response:
    return Response(speech_event_type=kind, speech_event_offset=at(at_s))


@dataclass(frozen=True)
class Refusal:
    """A status the service ends a call with."""

    code: grpc.StatusCode
    message: str
    details: Sequence[Message] = ()

    @property
    def metadata(self) -> tuple[tuple[str, bytes], ...]:
        if not self.details:
            return ()
        packed = []
        for detail in self.details:
            packed.append(any_pb2.Any())
            packed[-1].Pack(detail)
        status = Status(code=self.code.value[0], message=self.message, details=packed)
        return (("grpc-status-details-bin", status.SerializeToString()),)


@dataclass
class Call:
    """What one call brought."""

    metadata: dict[str, str | bytes]
    messages: list[pb.StreamingRecognizeRequest] = field(default_factory=list)
    half_closed: bool = False
    cancelled: bool = False
    over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def kinds(self) -> list[str | None]:
        return [message.WhichOneof("streaming_request") for message in self.messages]

    @property
    def config(self) -> pb.StreamingRecognitionConfig:
        return self.messages[0].config

    @property
    def chunks(self) -> list[bytes]:
        return [message.audio_content for message in self.messages if message.HasField("audio_content")]

    @property
    def audio(self) -> bytes:
        return b"".join(self.chunks)


@dataclass
class FakeSpeechService(asr_pb2_grpc.SpeechServicer):
    """Sends `responses` after the half-close, or at once after `answer_after_chunks` chunks, and answers a finalize with FINALIZED."""

    responses: Sequence[Response] = ()
    answer_after_chunks: int | None = None
    ends_after_chunks: int | None = None
    """Ends the stream with OK, without waiting for the half-close."""
    refusals: list[Refusal] = field(default_factory=list)
    """One for each of the next calls, before anything is read."""
    failure: Refusal | None = None
    """How a stream ends after its responses, instead of with OK."""
    ends_only_cancelled: bool = False
    """Waits for the cancellation: to a service, the requests of a cancelled call just end, like those of a half-closed one."""
    says_accepted: bool = True
    info: pb.GetServerInfoResponse = field(default_factory=pb.GetServerInfoResponse)
    calls: list[Call] = field(default_factory=list)
    requests: list[pb.RecognizeRequest] = field(default_factory=list)

    async def StreamingRecognize(  # noqa: N802 - named by the .proto
        self, requests: AsyncIterator[pb.StreamingRecognizeRequest], context: StreamContext
    ) -> AsyncGenerator[Response, None]:
        call = Call(dict(context.invocation_metadata() or ()))
        self.calls.append(call)
        await self._refuse(context)
        if self.says_accepted:
            await context.send_initial_metadata((ACCEPTED_METADATA,))
        try:
            async for request in requests:
                call.messages.append(request)
                if request.HasField("finalize"):
                    yield event(Response.FINALIZED, 0.5)
                if len(call.chunks) == self.ends_after_chunks:
                    return
                if request.HasField("audio_content") and len(call.chunks) == self.answer_after_chunks:
                    for response in self.responses:
                        yield response
                    await self._fail(context)
            if self.ends_only_cancelled:
                await asyncio.Event().wait()
            call.half_closed = True
            if self.answer_after_chunks is None:
                for response in self.responses:
                    yield response
            await self._fail(context)
        except asyncio.CancelledError:
            call.cancelled = True
            raise
        finally:
            call.over.set()

    async def Recognize(  # noqa: N802
        self, request: pb.RecognizeRequest, context: grpc.aio.ServicerContext[pb.RecognizeRequest, pb.RecognizeResponse]
    ) -> pb.RecognizeResponse:
        await self._refuse(context)
        self.requests.append(request)
        return pb.RecognizeResponse(results=[result for response in self.responses for result in response.results])

    async def GetServerInfo(  # noqa: N802
        self, request: pb.GetServerInfoRequest, context: grpc.aio.ServicerContext[pb.GetServerInfoRequest, pb.GetServerInfoResponse]
    ) -> pb.GetServerInfoResponse:
        await self._refuse(context)
        return self.info

    async def _refuse(self, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        if self.refusals:
            refusal = self.refusals.pop(0)
            await context.abort(refusal.code, refusal.message, refusal.metadata)

    async def _fail(self, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        if self.failure is not None:
            await context.abort(self.failure.code, self.failure.message, self.failure.metadata)


@asynccontextmanager
async def serving(service: FakeSpeechService) -> AsyncIterator[str]:
    """The service on a free port; gives "host:port"."""
    server = grpc.aio.server()
    asr_pb2_grpc.add_SpeechServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


async def chunks_of(items: Iterable[bytes]) -> AsyncGenerator[bytes, None]:
    for item in items:
        yield item
