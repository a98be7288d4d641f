"""The pump of one stream: wire messages into a session, its events out, its decodes to the worker and back.

One task reads, one writes. The reader stops reading while `MAX_OPEN_FINALS` finals are being recognised or `MAX_OUTBOX` messages wait to be
taken by a slow client: the transport's flow control then holds the sender back, and memory stays bounded. Partials that wait behind such a
client are replaced by newer ones.

What goes wrong on the client's side ends the stream only after everything said before it has been delivered.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass

from asr_server.api.host import Host
from asr_server.api.ledger import Ledger, settle
from asr_server.api.record import segment_record, system_attributes
from asr_server.api.wire import Wanted, final_result, ledger_message, offset, partial_results
from asr_server.engine.worker import Decoded, DecodeJob
from asr_server.errors import (
    AsrError,
    ClientFault,
    EngineFailed,
    IdleTooLong,
    InvalidRequest,
    NotServing,
    OutOfLimits,
    Overloaded,
    WrongOrder,
)
from asr_server.events import (
    DecodeUnwanted,
    DecodeWanted,
    Event,
    Final,
    Finalized,
    Partial,
    Purpose,
    SpeechEnded,
    SpeechStarted,
    StartTimedOut,
    UtteranceEnded,
)
from asr_server.pb import asr_pb2 as pb
from asr_server.session import Session
from asr_server.watch import attributes as names
from asr_server.watch.observer import CallObserver, SegmentRecord, Stage
from audio_norm import AudioError, ChunkDecoder, Frames, Intake, Taken, open_decoder

MAX_OPEN_FINALS = 2
MAX_OUTBOX = 16
PIECE_MS = 100
"""Audio conditioned in one go. Between two pieces the event loop serves others, however large a chunk a client sends."""

Response = pb.StreamingRecognizeResponse
Write = Callable[[Response], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Asked:
    """When and why a final was asked for."""

    wanted: DecodeWanted
    answer_at_s: float
    before: tuple[Stage, ...]
    """Stages of the message that closed the segment: ingest, condition."""


@dataclass(frozen=True, slots=True)
class _ReadyFinal:
    """A final on its way out; its ledger is settled when the transport takes it."""

    final: Final
    asked: _Asked
    decoded: Decoded
    post: Stage


@dataclass(frozen=True, slots=True)
class _Moment:
    """The message being handled: when it arrived, and the stages it has been through."""

    arrived_s: float
    stages: tuple[Stage, ...] = ()


class Stream:
    """Made for one call and discarded after it. `run` returns when everything has been said."""

    def __init__(self, host: Host, owner: int, wanted: Wanted, call: CallObserver, write: Write) -> None:
        self._host = host
        self._owner = owner
        self._wanted = wanted
        self._call = call
        self._write = write
        self._rate_hz = host.definition.audio.rate_hz
        self._session = Session(wanted.session, host.definition)
        self._decoder: ChunkDecoder = open_decoder(wanted.format)
        self._intake: Intake | None = None
        self._piece_frames = 1
        self._outbox: deque[Response | _ReadyFinal] = deque()
        self._asked: dict[int, _Asked] = {}
        self._decoded: dict[int, Decoded] = {}
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._read_all = False
        self._reader: asyncio.Task[None] | None = None
        self._over = False
        self._fault: AsrError | AudioError | None = None
        self._failure: BaseException | None = None

    async def run(self, requests: AsyncIterator[pb.StreamingRecognizeRequest]) -> None:
        """Raises `ClientFault`, `AudioError` or a `ServerFault` once what could be delivered has been."""
        await self._run(self._read_messages(requests))

    async def run_whole(self, frames: Frames, rate_hz: int) -> None:
        """The same for audio that is all there, decoded already."""
        self._take_in(rate_hz, frames.shape[1])
        await self._run(self._hear(frames, None))

    async def _run(self, reading: Coroutine[None, None, None]) -> None:
        self._reader = asyncio.create_task(self._read(reading))
        try:
            await self._deliver()
        finally:
            self._over = True
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
            self._host.worker.cancel(self._owner)
            self._decoder.close()
        if self._fault is not None:
            raise self._fault

    def end(self, fault: AsrError) -> None:
        """Read no more; deliver what was said, then fail the call with `fault`."""
        if self._fault is None and not self._read_all and self._reader is not None:
            self._fault = fault
            self._reader.cancel()

    # ------------------------------------------------------------------------------------------------------------ reading

    async def _read(self, reading: Coroutine[None, None, None]) -> None:
        ended_s = None
        try:
            try:
                await reading
                ended_s = self._host.now()
                await self._flush(ended_s)
            except (ClientFault, AudioError) as fault:
                self._fault = fault
            except asyncio.CancelledError:
                if self._over:
                    raise
                # `end` wants no more to be read, not this task to stop.
            self._close(self._host.now() if ended_s is None else ended_s)
        except Exception as failure:  # noqa: BLE001 - handed to `run`, which raises it where the call is ended
            self._fail(failure)

    async def _read_messages(self, requests: AsyncIterator[pb.StreamingRecognizeRequest]) -> None:
        idle_s = self._host.served.limits.idle_timeout_s
        while not self._session.timed_out:
            await self._until_room()
            try:
                async with asyncio.timeout(idle_s):
                    request = await anext(requests, None)
            except TimeoutError:
                raise IdleTooLong(f"no message for {idle_s:g} s; send audio or keep_alive, or half-close the stream") from None
            if request is None:
                return
            await self._take(request)

    async def _take(self, request: pb.StreamingRecognizeRequest) -> None:
        arrived_s = self._host.now()
        match request.WhichOneof("streaming_request"):
            case "audio_content":
                limit = self._host.served.limits.max_chunk_bytes
                if len(request.audio_content) > limit:
                    raise OutOfLimits(f"audio_content has {len(request.audio_content)} bytes, accepted: {limit} a message")
                await self._hear(self._decoder.feed(request.audio_content), arrived_s)
            case "finalize":
                self._act(self._session.finalize(), _Moment(arrived_s))
            case "keep_alive":
                pass
            case "config":
                raise WrongOrder("config was sent twice: only the first message carries it")
            case _:
                raise InvalidRequest(("streaming_request", "is empty, accepted: audio_content, finalize or keep_alive"))

    def _take_in(self, rate_hz: int, channels: int) -> None:
        self._intake = self._host.definition.intake(rate_hz, channels, self._wanted.channel)
        self._call.describe({names.SAMPLE_RATE_HZ: rate_hz, names.CHANNELS: channels})
        self._piece_frames = max(PIECE_MS * rate_hz // 1000, 1)

    async def _hear(self, frames: Frames, arrived_s: float | None) -> None:
        """`arrived_s` is None for audio that waits for us, not we for it: its clock starts when it is looked at."""
        if self._intake is None:
            if not self._decoder.rate_hz:
                return  # the header is not complete yet
            self._take_in(self._decoder.rate_hz, self._decoder.channels)
        assert self._intake is not None
        for start in range(0, len(frames), self._piece_frames):
            if start:
                await asyncio.sleep(0)
                await self._until_room()
            began_s = self._host.now() if arrived_s is None else arrived_s
            self._hear_piece(self._intake.feed(frames[start : start + self._piece_frames]), began_s)

    def _hear_piece(self, taken: Taken, arrived_s: float) -> None:
        taken_s = self._host.now()
        events = self._session.feed(taken)
        stages = (Stage("ingest", arrived_s, taken_s), Stage("condition", taken_s, self._host.now()))
        self._act(events, _Moment(arrived_s, stages))
        limit_s = self._host.served.limits.max_stream_audio_s
        if self._session.position_sample > limit_s * self._rate_hz:
            raise OutOfLimits(f"the stream has more than {limit_s:g} s of audio, the most accepted; open a new one")

    async def _flush(self, ended_s: float) -> None:
        """What the decoder and the resampler held back; all audio has come."""
        await self._hear(self._decoder.flush(), ended_s)
        if self._intake is not None:
            self._hear_piece(self._intake.flush(), ended_s)
        self._call.describe({names.TRAILING_BYTES: self._decoder.trailing_bytes})

    def _close(self, ended_s: float) -> None:
        """Have everything said that was heard; the clock of what is still open starts at `ended_s`."""
        began_s = self._host.now()
        events = self._session.close()
        stages = (Stage("ingest", ended_s, began_s), Stage("condition", began_s, self._host.now()))
        self._act(events, _Moment(ended_s, stages))
        self._call.describe({names.AUDIO_S: self._session.position_sample / self._rate_hz})
        self._read_all = True
        self._changed.set()

    async def _until_room(self) -> None:
        while len(self._asked) >= MAX_OPEN_FINALS or len(self._outbox) >= MAX_OUTBOX:
            self._room.clear()
            await self._room.wait()

    # ------------------------------------------------------------------------------------------------------------- acting

    def _act(self, events: list[Event], moment: _Moment) -> None:
        for event in events:
            match event:
                case DecodeWanted():
                    self._submit(event, moment)
                case DecodeUnwanted(job):
                    self._host.worker.cancel(self._owner, job)
                case Partial():
                    self._show(event)
                case Final():
                    self._finish(event)
                case SpeechStarted(at_sample):
                    self._tell(Response.SPEECH_ACTIVITY_BEGIN, at_sample, names.EVENT_SPEECH_STARTED)
                case SpeechEnded(at_sample):
                    self._tell(Response.SPEECH_ACTIVITY_END, at_sample, names.EVENT_SPEECH_ENDED)
                case UtteranceEnded(at_sample):
                    self._tell(Response.END_OF_UTTERANCE, at_sample, names.EVENT_UTTERANCE_ENDED)
                case Finalized(at_sample):
                    self._tell(Response.FINALIZED, at_sample, names.EVENT_FINALIZED, always=True)
                case StartTimedOut(at_sample):
                    self._tell(Response.START_TIMEOUT, at_sample, names.EVENT_START_TIMED_OUT, always=True)

    def _submit(self, wanted: DecodeWanted, moment: _Moment) -> None:
        host = self._host
        job = DecodeJob(
            owner=self._owner,
            job=wanted.job,
            purpose=wanted.purpose,
            window=wanted.window,
            options=self._wanted.decode,
            condition=host.definition.finish,
            answer_at_s=moment.arrived_s,
            budget=self._wanted.budget,
        )
        try:
            future = host.worker.submit(job)
        except Overloaded as refusal:
            if wanted.purpose is Purpose.PARTIAL:
                self._session.give_up_partial(wanted.job)
            else:
                self._fail(refusal)
            return
        if wanted.purpose is Purpose.FINAL:
            self._asked[wanted.job] = _Asked(wanted, moment.arrived_s, moment.stages)
        future.add_done_callback(lambda done: self._heard_back(wanted, done))

    def _heard_back(self, wanted: DecodeWanted, done: asyncio.Future[Decoded]) -> None:
        if done.cancelled():
            if wanted.purpose is Purpose.PARTIAL:
                self._session.give_up_partial(wanted.job)
            else:
                self._fail(NotServing("the server is stopping"))
            return
        error = done.exception()
        if error is not None:
            if wanted.purpose is Purpose.PARTIAL:
                self._session.give_up_partial(wanted.job)
            else:
                self._record_failure(self._asked.pop(wanted.job), error)
                self._fail(error)
            return
        decoded = done.result()
        if wanted.purpose is Purpose.FINAL:
            self._decoded[wanted.job] = decoded
        now_s = self._host.now()
        self._act(self._session.accept(wanted.job, decoded.decoding.hypothesis), _Moment(now_s))

    def _show(self, partial: Partial) -> None:
        shown = {
            names.SEGMENT: partial.segment,
            names.POSITION_S: partial.end_sample / self._rate_hz,
            names.STABLE_CHARS: len(partial.stable_text),
            names.UNSTABLE_CHARS: len(partial.unstable_text),
        }
        self._call.event(names.EVENT_PARTIAL, shown, self._host.now())
        response = Response(results=partial_results(partial, self._wanted, self._rate_hz))
        waiting = self._outbox[-1] if self._outbox else None
        if isinstance(waiting, Response) and waiting.results and waiting.results[0].segment == partial.segment:
            self._outbox[-1] = response
        else:
            self._put(response)

    def _finish(self, final: Final) -> None:
        began_s = self._host.now()
        asked, decoded = self._asked.pop(final.job), self._decoded.pop(final.job)
        self._room.set()
        ready = _ReadyFinal(final, asked, decoded, Stage("post", began_s, self._host.now()))
        if final.hypothesis.text:
            self._put(ready)
        else:
            self._record(ready, self._settle(ready, ready.post.end_s), ready.post.end_s)
        self._changed.set()

    def _tell(self, kind: "Response.SpeechEventType", at_sample: int, name: str, *, always: bool = False) -> None:
        self._call.event(name, {names.POSITION_S: at_sample / self._rate_hz}, self._host.now())
        if always or self._wanted.speech_events:
            self._put(Response(speech_event_type=kind, speech_event_offset=offset(at_sample, self._rate_hz)))

    def _put(self, message: Response | _ReadyFinal) -> None:
        self._outbox.append(message)
        self._changed.set()

    def _fail(self, failure: BaseException) -> None:
        self._failure = self._failure or failure
        self._changed.set()

    # ---------------------------------------------------------------------------------------------------------- delivering

    async def _deliver(self) -> None:
        while True:
            while self._outbox:
                message = self._outbox.popleft()
                self._room.set()
                if isinstance(message, _ReadyFinal):
                    await self._deliver_final(message)
                else:
                    await self._write(message)
            if self._failure is not None:
                if isinstance(self._failure, AsrError):
                    raise self._failure
                raise EngineFailed("the server failed on this stream") from self._failure
            if self._read_all and self._session.finished:
                return
            self._changed.clear()
            await self._changed.wait()

    async def _deliver_final(self, ready: _ReadyFinal) -> None:
        taken_s = self._host.now()
        ledger = self._settle(ready, taken_s)
        message = ledger_message(ledger, ready.decoded)
        await self._write(Response(results=[final_result(ready.final, self._wanted, self._rate_hz, message, self._host.system)]))
        self._record(ready, ledger, self._host.now())

    def _settle(self, ready: _ReadyFinal, taken_s: float) -> Ledger:
        stages = (*ready.asked.before, *ready.decoded.stages, ready.post, Stage("send", ready.post.end_s, taken_s))
        return settle(
            self._wanted.budget,
            stages,
            ready.decoded,
            response_ms=(taken_s - ready.asked.answer_at_s) * 1000,
            endpoint_wait_ms=ready.asked.wanted.endpoint_wait_samples * 1000 / self._rate_hz,
        )

    # ---------------------------------------------------------------------------------------------------------- telling others

    def _record(self, ready: _ReadyFinal, ledger: Ledger, sent_s: float) -> None:
        send = (Stage("send", ready.post.end_s, sent_s),) if ready.final.hypothesis.text else ()
        stages = (*ready.asked.before, *ready.decoded.stages, ready.post, *send)
        start_s = ready.asked.answer_at_s
        self._call.segment(
            segment_record(ready.final, ready.decoded, ledger, stages, start_s=start_s, end_s=sent_s, system=self._host.system)
        )

    def _record_failure(self, asked: _Asked, error: BaseException) -> None:
        attributes = system_attributes(self._host.system)
        now_s = self._host.now()
        self._call.segment(SegmentRecord(asked.wanted.segment, asked.answer_at_s, now_s, asked.before, attributes, failed=str(error)))
