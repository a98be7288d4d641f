"""The pump of one stream: wire messages into a session, its events out, its decodes to the worker and back.

One task reads, one writes. The reader stops reading while `MAX_OPEN_FINALS` finals are being recognised or `MAX_OUTBOX` messages wait to be
taken by a slow client: the transport's flow control then holds the sender back, and memory stays bounded. Partials that wait behind such a
client are replaced by newer ones.

What goes wrong, on the client's side or with one segment, ends the stream only after everything said before it has been delivered.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence

from asr_server.api.decodes import Decodes, Listener, Moment
from asr_server.api.host import Host
from asr_server.api.outgoing import Asked, Outbox, ReadyFinal, Response, Write
from asr_server.api.wire import Wanted, eager_result, offset, partial_results
from asr_server.errors import (
    AsrError,
    ClientFault,
    EngineFailed,
    IdleTooLong,
    InvalidRequest,
    OutOfLimits,
    WrongOrder,
)
from asr_server.events import (
    DecodePromoted,
    DecodeUnwanted,
    DecodeWanted,
    Eager,
    EagerSettled,
    Event,
    Final,
    Finalized,
    Partial,
    SpeechEnded,
    SpeechStarted,
    StartTimedOut,
    UtteranceEnded,
)
from asr_server.pb import asr_pb2 as pb
from asr_server.session import Session
from asr_server.transcript import Hypothesis, Word
from asr_server.watch import attributes as names
from asr_server.watch.observer import CallObserver, Stage
from audio_norm import AudioError, ChunkDecoder, Frames, Intake, Taken, open_decoder

MAX_OPEN_FINALS = 2
MAX_OUTBOX = 16
PIECE_MS = 100
"""Audio conditioned in one go. Between two the event loop serves others, however large a chunk a client sends."""


class Stream:
    """Made for one call and discarded after it. `run` returns when everything has been said."""

    def __init__(self, host: Host, owner: int, wanted: Wanted, call: CallObserver, write: Write, *, in_background: bool = False) -> None:
        """`in_background`: nobody waits for it; whoever speaks goes first."""
        self._host = host
        self._wanted = wanted
        self._call = call
        self._rate_hz = host.definition.audio.rate_hz
        self._session = Session(wanted.session, host.definition)
        self._decoder: ChunkDecoder = open_decoder(wanted.format)
        self._intake: Intake | None = None
        self._piece_frames = 1
        self._outbox = Outbox(host, owner, wanted, call, write)
        listener = Listener(self._heard, self._placed, self._session.give_up, self._lost)
        self._decodes = Decodes(host, owner, wanted, call, listener, in_background=in_background)
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None
        self._read_all = False
        self._fault: AsrError | AudioError | None = None
        self._failure: BaseException | None = None
        self._failed_job = 0

    @property
    def timed_out(self) -> bool:
        """The server ended the stream because nobody spoke."""
        return self._session.timed_out

    async def run(self, requests: AsyncIterator[pb.StreamingRecognizeRequest]) -> None:
        """Raises `ClientFault`, `AudioError` or a `ServerFault` once what could be delivered has been."""
        await self._run(self._read_messages(requests))

    async def run_whole(self, pieces: Sequence[Taken]) -> None:
        """The same for audio that is all there, taken in already."""
        await self._run(self._hear_whole(pieces))

    async def _run(self, reading: Coroutine[None, None, None]) -> None:
        self._reading = asyncio.create_task(reading)
        reader = asyncio.create_task(self._read(self._reading))
        try:
            await self._deliver()
        finally:
            self._decodes.close()
            self._decoder.close()
            self._reading.cancel()
            reader.cancel()
            await asyncio.gather(self._reading, reader, return_exceptions=True)
        if self._fault is not None:
            raise self._fault

    def end(self, fault: AsrError) -> None:
        """Read no more; deliver what was heard, then fail the call with `fault`."""
        if self._fault is None and not self._read_all:
            self._fault = fault
            if self._reading is not None:
                self._reading.cancel()

    # ------------------------------------------------------------------------------------------------------------ reading

    async def _read(self, reading: asyncio.Task[None]) -> None:
        """Whatever ends the reading, what was heard is said; a failure of ours is handed to `_deliver`."""
        try:
            await asyncio.wait({reading})
            ended_s = self._host.now()
            try:
                if not reading.cancelled():
                    reading.result()
                await self._flush(ended_s)
            except (ClientFault, AudioError) as fault:
                self._fault = self._fault or fault
            self._close(ended_s)
        except Exception as failure:  # noqa: BLE001 - raised by `_deliver`, where the call is ended
            self._fail(failure)

    async def _read_messages(self, requests: AsyncIterator[pb.StreamingRecognizeRequest]) -> None:
        idle_s = self._host.served.limits.idle_timeout_s
        while not self._session.timed_out:
            await self._until(self._has_room)
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
                await self._take_audio(request.audio_content, arrived_s)
            case "finalize":
                self._act(self._session.finalize(), Moment(arrived_s))
            case "keep_alive":
                pass
            case "config":
                raise WrongOrder("config was sent twice: only the first message carries it")
            case _:
                raise InvalidRequest(("streaming_request", "is empty, accepted: audio_content, finalize or keep_alive"))

    async def _take_audio(self, content: bytes, arrived_s: float) -> None:
        limit = self._host.served.limits.max_chunk_bytes
        if len(content) > limit:
            raise OutOfLimits(f"audio_content has {len(content)} bytes, accepted: {limit} a message")
        for number, frames in enumerate(self._decoder.pieces(content)):
            if number:
                await asyncio.sleep(0)
            await self._hear(frames, arrived_s)

    async def _hear(self, frames: Frames, arrived_s: float) -> None:
        if self._intake is None:
            if not self._decoder.rate_hz:
                return  # the header is not complete yet
            rate_hz, channels = self._decoder.rate_hz, self._decoder.channels
            self._intake = self._host.definition.intake(rate_hz, channels, self._wanted.channel)
            self._call.describe({names.SAMPLE_RATE_HZ: rate_hz, names.CHANNELS: channels})
            self._piece_frames = PIECE_MS * rate_hz // 1000
        for start in range(0, len(frames), self._piece_frames):
            if start:
                await asyncio.sleep(0)
            await self._until(self._has_room)
            self._hear_piece(self._intake.feed(frames[start : start + self._piece_frames]), arrived_s)

    async def _hear_whole(self, pieces: Sequence[Taken]) -> None:
        """The audio waits for us, not we for it: the clock of a piece starts when it is looked at."""
        for piece in pieces:
            await asyncio.sleep(0)
            await self._until(self._has_room)
            if self._wanted.session.context_ms:
                # One segment after the other, so that each goes on from what was said before it, however busy the server is.
                await self._until(self._has_told)
            self._hear_piece(piece, self._host.now())

    def _hear_piece(self, taken: Taken, arrived_s: float) -> None:
        taken_s = self._host.now()
        events = self._session.feed(taken)
        stages = (Stage("ingest", arrived_s, taken_s), Stage("condition", taken_s, self._host.now()))
        self._act(events, Moment(arrived_s, stages))
        limit_s = self._host.served.limits.max_stream_audio_s
        if self._session.position_sample > limit_s * self._rate_hz:
            raise OutOfLimits(f"the stream has more than {limit_s:g} s of audio, the most accepted; open a new one")

    async def _flush(self, ended_s: float) -> None:
        """What the decoder and the resampler held back; no more audio will come."""
        await self._hear(self._decoder.flush(), ended_s)
        if self._intake is not None:
            self._hear_piece(self._intake.flush(), ended_s)
        self._call.describe({names.TRAILING_BYTES: self._decoder.trailing_bytes})

    def _close(self, ended_s: float) -> None:
        """Have everything said that was heard; the clock of what is still open starts at `ended_s`."""
        began_s = self._host.now()
        events = self._session.close()
        stages = (Stage("ingest", ended_s, began_s), Stage("condition", began_s, self._host.now()))
        self._act(events, Moment(ended_s, stages))
        self._call.describe({names.AUDIO_S: self._session.position_sample / self._rate_hz})
        self._read_all = True
        self._changed.set()

    async def _until(self, is_so: Callable[[], bool]) -> None:
        while not is_so():
            self._room.clear()
            await self._room.wait()

    def _has_room(self) -> bool:
        return self._decodes.finals_open < MAX_OPEN_FINALS and len(self._outbox) + self._session.open_answers < MAX_OUTBOX

    def _has_told(self) -> bool:
        """Everything that was asked for has been answered, with the places of its words."""
        return not (self._decodes.finals_open or self._session.awaits_words)

    # ------------------------------------------------------------------------------------------------------------- acting

    def _act(self, events: list[Event], moment: Moment) -> None:
        for event in events:
            match event:
                case DecodeWanted():
                    self._decodes.submit(event, moment)
                case DecodePromoted(job, wait_samples, segment):
                    self._decodes.promote(job, segment, wait_samples, moment)
                case DecodeUnwanted(job):
                    self._decodes.cancel(job)
                case Partial():
                    self._show(event)
                case Eager():
                    self._show_eager(event)
                case Final():
                    self._finish(event, moment)
                case _:
                    self._tell(event)
        self._changed.set()

    def _heard(self, job: int, hypothesis: Hypothesis) -> None:
        now_s = self._host.now()
        self._act(self._session.accept(job, hypothesis), Moment(now_s))

    def _placed(self, job: int, words: tuple[Word, ...]) -> None:
        self._session.place(job, words)
        self._room.set()

    def _lost(self, error: BaseException, job: int, asked: Asked | None) -> None:
        """A final will not come: its error ends the stream once those before it have left."""
        if asked is not None:
            self._outbox.record_failure(asked, error)
        self._fail(error, job)

    def _fail(self, failure: BaseException, job: int = 0) -> None:
        """Finals asked for before `job` still leave."""
        if self._failure is None:
            self._failure, self._failed_job = failure, job
            if self._reading is not None:
                self._reading.cancel()
        self._changed.set()

    def _show(self, partial: Partial) -> None:
        shown = {
            names.SEGMENT: partial.segment,
            names.POSITION_S: partial.end_sample / self._rate_hz,
            names.STABLE_CHARS: len(partial.stable_text),
            names.UNSTABLE_CHARS: len(partial.unstable_text),
        }
        self._call.event(names.EVENT_PARTIAL, shown, self._host.now())
        self._outbox.add_partial(Response(results=partial_results(partial, self._wanted, self._rate_hz)))

    def _finish(self, final: Final, moment: Moment) -> None:
        """`moment`: the last thing it waited for, its hypothesis or the audio that closed it."""
        answered_s = moment.stages[-1].end_s if moment.stages else moment.arrived_s
        answer = self._decodes.take(final.job, final.segment)
        gave_up: tuple[str, ...] = ("partials",) if answer.partials_given_up else ()
        ready = ReadyFinal(final, answer.asked, answer.decoded, Stage("post", answered_s, self._host.now()), gave_up)
        if final.hypothesis.text:
            self._outbox.add(ready)
        else:
            self._outbox.keep_to_ourselves(ready)
        self._room.set()

    def _show_eager(self, eager: Eager) -> None:
        self._call.event(names.EVENT_EAGER, {names.SEGMENT: eager.segment}, self._host.now())
        self._outbox.add(Response(results=[eager_result(eager, self._wanted, self._rate_hz)]))

    def _tell(self, event: SpeechStarted | SpeechEnded | UtteranceEnded | Finalized | StartTimedOut | EagerSettled) -> None:
        """Events that are a kind and a position."""
        match event:
            case SpeechStarted():
                kind, name = Response.SPEECH_ACTIVITY_BEGIN, names.EVENT_SPEECH_STARTED
            case SpeechEnded():
                kind, name = Response.SPEECH_ACTIVITY_END, names.EVENT_SPEECH_ENDED
            case UtteranceEnded():
                kind, name = Response.END_OF_UTTERANCE, names.EVENT_UTTERANCE_ENDED
            case Finalized():
                kind, name = Response.FINALIZED, names.EVENT_FINALIZED
            case StartTimedOut():
                kind, name = Response.START_TIMEOUT, names.EVENT_START_TIMED_OUT
            case EagerSettled(stood=True):
                kind, name = Response.EAGER_STOOD, names.EVENT_EAGER_STOOD
            case EagerSettled():
                kind, name = Response.EAGER_WITHDRAWN, names.EVENT_EAGER_WITHDRAWN
        self._call.event(name, {names.POSITION_S: event.at_sample / self._rate_hz}, self._host.now())
        if self._wanted.speech_events or isinstance(event, Finalized | StartTimedOut | EagerSettled):
            self._outbox.add(Response(speech_event_type=kind, speech_event_offset=offset(event.at_sample, self._rate_hz)))

    async def _deliver(self) -> None:
        while True:
            while self._outbox:
                await self._send_first()
                self._room.set()
            if self._failure is not None and not self._decodes.is_open_before(self._failed_job):
                if isinstance(self._failure, AsrError):
                    raise self._failure
                raise EngineFailed("the server failed on this stream") from self._failure
            if self._read_all and self._session.finished:
                return
            self._changed.clear()
            await self._changed.wait()

    async def _send_first(self) -> None:
        idle_s = self._host.served.limits.idle_timeout_s
        try:
            async with asyncio.timeout(idle_s):
                await self._outbox.send_first()
        except TimeoutError:
            raise IdleTooLong(f"no answer was taken for {idle_s:g} s; read what the server sends, or cancel the call") from None
