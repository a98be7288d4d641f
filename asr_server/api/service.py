"""The `asr.v1.Speech` service: opens calls, checks their first message, hands them to a `Stream`, and turns errors into statuses."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator

from asr_server.api.admission import Admission
from asr_server.api.feedback import parse_feedback
from asr_server.api.host import Host
from asr_server.api.interceptors import current_call
from asr_server.api.opening import ACCEPTED_METADATA
from asr_server.api.record import system_attributes
from asr_server.api.status import Context, abort
from asr_server.api.stream import Stream
from asr_server.api.unary import recognize
from asr_server.api.wire import ENCODINGS, Wanted, parse_recognize, parse_streaming_config, seconds
from asr_server.errors import AsrError, EngineFailed, IdleTooLong, NotServing, WrongOrder
from asr_server.pb import asr_pb2 as pb
from asr_server.pb import asr_pb2_grpc
from asr_server.watch import attributes as names
from audio_norm import AudioError
from audio_norm.encoding import MAX_CHANNELS, MAX_RATE_HZ, MIN_RATE_HZ

logger = logging.getLogger(__name__)

BURST_S = 1.0
BURST_PAUSE_S = 0.01


class SpeechService(asr_pb2_grpc.SpeechServicer):
    """Answers UNAVAILABLE until `open`."""

    def __init__(self, admission: Admission, longest_stall_ms: Callable[[], float]) -> None:
        """`longest_stall_ms` tells the event loop's longest stall, for `GetServerInfo`."""
        self._admission = admission
        self._longest_stall_ms = longest_stall_ms
        self._opened: Host | None = None
        self._streams: set[Stream] = set()
        self._waiting: set[asyncio.Task[pb.StreamingRecognizeRequest | None]] = set()
        """First messages that have not come yet."""
        self._ending: NotServing | None = None

    def open(self, host: Host) -> None:
        """Let calls in; the engine is ready."""
        self._opened = host
        self._admission.open(host.load)

    def end_streams(self, fault: NotServing) -> None:
        """End every call with this fault, each after the finals of what was heard on it."""
        self._ending = fault
        for stream in self._streams:
            stream.end(fault)
        for waiting in self._waiting:
            waiting.cancel()

    @contextlib.contextmanager
    def _open_streams(self) -> Iterator[Callable[[Stream], None]]:
        """Tell it each stream of a call: it can then be ended with the others."""
        opened: list[Stream] = []

        def note(stream: Stream) -> None:
            opened.append(stream)
            self._streams.add(stream)
            if self._ending is not None:
                stream.end(self._ending)

        try:
            yield note
        finally:
            self._streams.difference_update(opened)

    @property
    def _host(self) -> Host:
        if self._opened is None:
            raise NotServing("the server is loading its model")
        return self._opened

    async def StreamingRecognize(  # noqa: N802 - named by the .proto
        self, requests: AsyncIterator[pb.StreamingRecognizeRequest], context: Context
    ) -> None:
        try:
            with self._admission.enter() as session:
                wanted = await self._first_message(requests)
                if wanted is None:
                    return
                self._begin(session, wanted)
                await context.send_initial_metadata((ACCEPTED_METADATA,))
                stream = Stream(self._host, session, wanted, current_call.get(), context.write)
                with self._open_streams() as opened:
                    opened(stream)
                    await stream.run(requests)
            if stream.timed_out:
                await _let_burst_end(requests)
        except (AsrError, AudioError) as error:
            _log_failure(error)
            await _let_burst_end(requests)
            await abort(context, error)

    async def Recognize(self, request: pb.RecognizeRequest, context: Context) -> pb.RecognizeResponse:  # noqa: N802
        try:
            with self._admission.enter_file() as session:
                wanted = parse_recognize(request, self._host.served)
                self._begin(session, wanted)
                with self._open_streams() as opened:
                    return await recognize(self._host, session, wanted, request.audio, current_call.get(), opened=opened)
        except (AsrError, AudioError) as error:
            _log_failure(error)
            await abort(context, error)

    async def SubmitFeedback(  # noqa: N802
        self, request: pb.SubmitFeedbackRequest, context: Context
    ) -> pb.SubmitFeedbackResponse:
        try:
            said = parse_feedback(request)
            if self._host.feedback is None:
                raise WrongOrder("this server keeps nothing that is said of segments: set telemetry.journal")
            errors = await self._host.feedback.take(said)
        except AsrError as error:
            await abort(context, error)
        if errors is None:
            return pb.SubmitFeedbackResponse()
        return pb.SubmitFeedbackResponse(
            words=errors.words, substitutions=errors.substitutions, deletions=errors.deletions, insertions=errors.insertions
        )

    async def GetServerInfo(  # noqa: N802
        self, request: pb.GetServerInfoRequest, context: Context
    ) -> pb.GetServerInfoResponse:
        try:
            host = self._host
        except NotServing as error:
            await abort(context, error)
        served, definition, limits = host.served, host.definition, host.served.limits
        default = served.presets[0]
        return pb.GetServerInfoResponse(
            version=host.system.code,
            models=[
                pb.ModelInfo(
                    name=held.release.model,
                    weights_sha256=held.release.weights_sha256,
                    languages=held.languages,
                    is_default=held is host.engine,
                    options=dict(held.release.options),
                )
                for held in host.engines
            ],
            data_definitions=[pb.DataDefinitionInfo(name=definition.version, digest=definition.digest, is_default=True)],
            limits=pb.Limits(
                max_sessions=limits.max_sessions,
                max_files=limits.max_files,
                max_chunk_bytes=limits.max_chunk_bytes,
                max_stream_audio=seconds(limits.max_stream_audio_s),
                max_unary_bytes=limits.max_unary_bytes,
                max_unary_audio=seconds(limits.max_unary_audio_s),
                idle_timeout=seconds(limits.idle_timeout_s),
                latency_budget_min_ms=limits.latency_budget_min_ms,
                latency_budget_max_ms=limits.latency_budget_max_ms,
                sample_rate_min_hertz=MIN_RATE_HZ,
                sample_rate_max_hertz=MAX_RATE_HZ,
                max_channels=MAX_CHANNELS,
                max_alternatives=limits.max_alternatives,
                max_phrases=limits.max_phrases,
                max_phrase_chars=limits.max_phrase_chars,
            ),
            budget=[pb.LedgerSlice(name=name, planned_ms=ms) for name, ms in served.budget.slices()],
            endpointing=pb.EndpointingConfig(
                vad_stop_ms=default.session.vad_stop_ms,
                end_of_utterance_ms=default.session.end_of_utterance_ms,
                start_timeout_ms=default.session.start_timeout_ms,
                max_segment_ms=default.session.max_segment_ms,
            ),
            encodings=ENCODINGS.keys(),
            active_sessions=self._admission.active,
            longest_loop_stall_ms=self._longest_stall_ms(),
            prediction_error=host.worker.prediction_error or 0.0,
            presets=[
                pb.PresetInfo(
                    name=preset.name,
                    shortest_stop_ms=preset.session.shortest_stop_ms,
                    longest_stop_ms=preset.session.vad_stop_ms,
                    beam_size=min(preset.beam_size, served.max_beam_size),
                    context_ms=preset.session.context_ms,
                    model=served.model_of(preset),
                )
                for preset in served.presets
            ],
        )

    async def _first_message(self, requests: AsyncIterator[pb.StreamingRecognizeRequest]) -> Wanted | None:
        """None for a stream that ended before it began."""
        idle_s = self._host.served.limits.idle_timeout_s
        first_message = asyncio.create_task(anext(requests, None))
        self._waiting.add(first_message)
        try:
            async with asyncio.timeout(idle_s):
                first = await first_message
        except TimeoutError:
            raise IdleTooLong(f"no config for {idle_s:g} s: the first message of a stream carries it") from None
        except asyncio.CancelledError:
            if self._ending is None:
                raise
            raise self._ending from None
        finally:
            self._waiting.discard(first_message)
        if first is None:
            return None
        kind = first.WhichOneof("streaming_request")
        if kind != "config":
            raise WrongOrder(f"the first message carries {kind or 'nothing'}, expected: config")
        return parse_streaming_config(first.config, self._host.served)

    def _begin(self, session: int, wanted: Wanted) -> None:
        self._admission.begun(session)
        current_call.get().describe(
            {
                **system_attributes(self._host.system),
                names.SESSION: session,
                names.ENCODING: wanted.format.encoding.name if wanted.format.encoding else "detect",
                names.LANGUAGE: wanted.decode.language,
                names.BUDGET_MS: wanted.budget.total_ms,
            }
        )


def _log_failure(error: AsrError | AudioError) -> None:
    """What is our fault has its cause in the log; the client is told no more than that it is."""
    if isinstance(error, EngineFailed):
        logger.error("a call failed: %s", error, exc_info=error)


async def _let_burst_end(requests: AsyncIterator[pb.StreamingRecognizeRequest]) -> None:
    """Read on, and throw away, what a client sends in one go before its call is refused.

    gRPC's asyncio client reports a call that ends while it is writing as INTERNAL, "Internal error from Core", and the true status is
    lost to it. A client that sends in real time pauses between messages and is answered at once.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(BURST_S):
            while True:
                async with asyncio.timeout(BURST_PAUSE_S):
                    if await anext(requests, None) is None:
                        return
