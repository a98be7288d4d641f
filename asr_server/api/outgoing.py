"""What leaves a stream: the messages that wait for the transport, and each final's ledger, settled when the transport takes it."""

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from asr_server.api.host import Host
from asr_server.api.ledger import Ledger, settle
from asr_server.api.record import segment_record, system_attributes
from asr_server.api.wire import EAGER, Wanted, final_result, ledger_message
from asr_server.engine.worker import Decoded
from asr_server.events import Final
from asr_server.pb import asr_pb2 as pb
from asr_server.watch.observer import CallObserver, SegmentRecord, Stage

Response = pb.StreamingRecognizeResponse
Write = Callable[[Response], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Asked:
    """When and why a final was asked for."""

    segment: int
    endpoint_wait_samples: int
    """Silence between the end of speech and that moment."""
    answer_at_s: float
    before: tuple[Stage, ...]
    """Stages of the message that closed the segment: ingest, condition."""


@dataclass(frozen=True, slots=True)
class ReadyFinal:
    """A final on its way out."""

    final: Final
    asked: Asked
    decoded: Decoded
    post: Stage
    gave_up: tuple[str, ...] = ()
    """To save time, besides what the decode did."""


class Outbox:
    """Messages of one stream in the order in which they leave. Used on the event loop only."""

    def __init__(self, host: Host, owner: int, wanted: Wanted, call: CallObserver, write: Write) -> None:
        self._host = host
        self._owner = owner
        self._wanted = wanted
        self._call = call
        self._write = write
        self._rate_hz = host.definition.audio.rate_hz
        self._waiting: deque[Response | ReadyFinal] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, message: Response | ReadyFinal) -> None:
        self._waiting.append(message)

    def add_partial(self, response: Response) -> None:
        """A partial takes the place of an older one of its segment that has not left yet."""
        last = self._waiting[-1] if self._waiting else None
        if isinstance(last, Response) and _is_partial(last) and last.results[0].segment == response.results[0].segment:
            self._waiting[-1] = response
        else:
            self._waiting.append(response)

    async def send_first(self) -> None:
        """Returns when the transport has taken it, which a slow reader delays."""
        message = self._waiting.popleft()
        if isinstance(message, Response):
            await self._write(message)
            return
        taken_s = self._host.now()
        ledger = self._settle(message, taken_s)
        wire_ledger = ledger_message(ledger, message.decoded)
        system = self._host.system_of(message.decoded.release)
        result = final_result(
            message.final,
            self._wanted,
            self._rate_hz,
            wire_ledger,
            system,
            trace_id=self._call.trace_id,
            segment_id=self._id_of(message.final.segment),
        )
        await self._write(Response(results=[result]))
        self._record(message, ledger, taken_s)

    def keep_to_ourselves(self, ready: ReadyFinal) -> None:
        """A segment in which nothing was recognised is recorded, not sent."""
        self._record(ready, self._settle(ready, ready.post.end_s), ready.post.end_s)

    def record_failure(self, asked: Asked, error: BaseException) -> None:
        attributes = system_attributes(self._host.system)
        now_s = self._host.now()
        record = SegmentRecord(asked.segment, asked.answer_at_s, now_s, asked.before, attributes, failed=str(error))
        self._tell(record)

    def _settle(self, ready: ReadyFinal, taken_s: float) -> Ledger:
        return settle(
            self._wanted.budget,
            _stages(ready, taken_s),
            ready.decoded,
            start_s=ready.asked.answer_at_s,
            end_s=taken_s,
            endpoint_wait_ms=ready.asked.endpoint_wait_samples * 1000 / self._rate_hz,
            gave_up=ready.gave_up,
        )

    def _record(self, ready: ReadyFinal, ledger: Ledger, taken_s: float) -> None:
        """The stages are the ledger's own; the segment goes on until the transport has let go of the message."""
        record = segment_record(
            ready.final,
            ready.decoded,
            ledger,
            _stages(ready, taken_s),
            start_s=ready.asked.answer_at_s,
            end_s=self._host.now(),
            system=self._host.system_of(ready.decoded.release),
        )
        self._tell(record)
        if self._host.second is not None:
            self._host.second.consider(self._id_of(ready.final.segment), ready.decoded, ready.final.hypothesis)

    def _tell(self, record: SegmentRecord) -> None:
        self._call.segment(replace(record, trace_id=self._call.trace_id, id=self._id_of(record.index)))

    def _id_of(self, segment: int) -> str:
        return f"{self._host.instance}-{self._owner}-{segment}"


def _stages(ready: ReadyFinal, taken_s: float) -> tuple[Stage, ...]:
    return (*ready.asked.before, *ready.decoded.stages, ready.post, Stage("send", ready.post.end_s, taken_s))


def _is_partial(message: Response) -> bool:
    """Not an eager result: of each of those its client is told what became of it."""
    return len(message.results) > 0 and message.results[0].stability < EAGER
