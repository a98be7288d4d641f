"""A small client of the speech server, used by everything here that talks to one.

    async with Client("localhost:50051") as client:
        async for heard in client.stream_file("speech.wav"):
            if isinstance(heard, Result) and heard.is_final:
                print(heard.text)

**Reconnecting.** A stream is never silently resumed: audio the server has heard is gone with it, so words would be lost or doubled. Only
the *opening* is tried again, as long as none of the caller's audio has been taken: when the server cannot be reached (UNAVAILABLE) or has
no room and says when it may (RESOURCE_EXHAUSTED with RetryInfo), at most `open_attempts` times within `open_time_limit_s`, after the
delay the server asks for. The other calls have no audio to lose and are tried again by the same rule. Any later failure is raised; the
caller, who knows what its audio is worth, opens a new stream.

Everything raised on account of a call is a `SpeechError`.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from enum import Enum
from pathlib import Path
from typing import Self, TypeVar

import grpc

from asr_server.accuracy.wer import ErrorCounts
from asr_server.api.call_errors import speech_error
from asr_server.api.clip import SentTimes, decode_clip, play
from asr_server.api.opening import ACCEPTED_METADATA, MAX_MESSAGE_BYTES
from asr_server.api.options import ClientOptions, StreamOptions, Verdict
from asr_server.api.reading import drift_status, final, heard, objectives, server_info, server_status
from asr_server.api.results import Heard, Result, ServerInfo
from asr_server.api.true_status import TrueStatus
from asr_server.errors import ServerBusy, ServerUnreachable, SpeechError
from asr_server.pb import asr_pb2 as pb
from asr_server.pb import asr_pb2_grpc
from asr_server.watch.status import DriftStatus, ObjectiveState, ServerStatus

_Answer = TypeVar("_Answer")
_StreamCall = grpc.aio.StreamStreamCall[pb.StreamingRecognizeRequest, pb.StreamingRecognizeResponse]

_CHANNEL_OPTIONS = (
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    # A channel that could not connect answers every call with that failure until its back-off is over: keep it shorter than ours.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)


class Control(Enum):
    """What may stand between chunks of audio."""

    FINALIZE = pb.StreamingRecognizeRequest(finalize=pb.Finalize())
    """Final now: close the open segment without waiting for silence; answered by the event "finalized"."""
    KEEP_ALIVE = pb.StreamingRecognizeRequest(keep_alive=pb.KeepAlive())
    """Nothing to send at present; do not let the stream time out."""


class Client:
    """One channel to one server ("host:port"); make and use it on one running event loop, as an async context manager."""

    def __init__(self, target: str, *, options: ClientOptions | None = None) -> None:
        self.target = target
        self._options = options or ClientOptions()
        self._channel = grpc.aio.insecure_channel(target, options=_CHANNEL_OPTIONS)
        self._stub = asr_pb2_grpc.SpeechStub(self._channel)
        self._admin = asr_pb2_grpc.AdminStub(self._channel)
        self._senders: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Cancels what is open."""
        for sender in self._senders:
            sender.cancel()
        await asyncio.gather(*self._senders, return_exceptions=True)
        await self._channel.close()

    async def stream(self, audio: AsyncIterator[bytes | Control], options: StreamOptions | None = None) -> AsyncGenerator[Heard, None]:
        """Audio in the encoding that `options` names, in chunks with any borders; results and events as they come.

        The end of `audio` half-closes the stream: everything said is finalized, then the iteration ends. Leaving it early cancels the call.
        `audio` is taken from only once the server has accepted the stream, never faster than the server reads, and is closed at the end.
        What `audio` raises is raised here.
        """
        try:
            call = await self._retrying(lambda: self._open((options or StreamOptions()).to_streaming_config()))
        except BaseException:
            await _close(audio)
            raise
        status = TrueStatus(call)
        sender = asyncio.create_task(_send(call, audio))
        self._senders.add(sender)
        try:
            async for response in call:
                received_at_s = time.monotonic()
                for item in heard(response, received_at_s):
                    yield item
        except grpc.aio.AioRpcError as error:
            if (failed := await status.of(error)) is not None:
                raise speech_error(failed, self.target) from None
        except asyncio.CancelledError:
            # A call that `_send` cancelled because the audio failed looks like this task being cancelled.
            if (failure := _failure(sender)) is not None:
                raise failure from None
            raise
        finally:
            call.cancel()
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)
            self._senders.discard(sender)
            await _close(audio)

    async def stream_file(
        self,
        path: str | Path,
        options: StreamOptions | None = None,
        *,
        realtime: bool = False,
        chunk_ms: int = 20,
        sent: SentTimes | None = None,
    ) -> AsyncGenerator[Heard, None]:
        """A file that libsndfile or FFmpeg reads, decoded here and sent as LINEAR16 in chunks of `chunk_ms`: paced like a microphone with
        `realtime`, else as fast as the server takes it. `options` need not say the encoding.

        Raises OSError for a file that cannot be read and `audio_norm.AudioError` for one that is not audio.
        """
        data = await asyncio.to_thread(Path(path).read_bytes)
        clip = await asyncio.to_thread(decode_clip, data)
        chunks = play(clip.chunks(chunk_ms), clip.bytes_per_second, realtime=realtime, sent=sent)
        async with aclosing(self.stream(chunks, (options or StreamOptions()).for_clip(clip))) as items:
            async for item in items:
                yield item

    async def recognize(self, data: bytes, options: StreamOptions | None = None) -> list[Result]:
        """A whole file or buffer in one message: one final a segment. Without an encoding in `options` any audio file."""
        request = (options or StreamOptions()).to_recognize_request(data)
        response = await self._unary(self._stub.Recognize, request)
        received_at_s = time.monotonic()
        return [final(result, received_at_s) for result in response.results]

    async def server_info(self) -> ServerInfo:
        return server_info(await self._unary(self._stub.GetServerInfo, pb.GetServerInfoRequest()))

    async def feedback(
        self, segment_id: str, *, corrected: str | None = None, verdict: Verdict = "", shown: str = ""
    ) -> ErrorCounts | None:
        """Say of a final what was really said (`corrected`), or what the user made of it (`verdict`).

        Returns when the server has stored it, with the errors of its text where it was corrected. `shown`: what the user saw, for a server
        that has forgotten it.
        """
        if (corrected is None) == (verdict == ""):
            raise ValueError("feedback wants corrected or verdict, one of them")
        request = pb.SubmitFeedbackRequest(segment_id=segment_id, shown_transcript=shown)
        if corrected is not None:
            request.corrected_transcript = corrected
        else:
            request.verdict = pb.SubmitFeedbackRequest.Verdict.Value(verdict.upper())  # type: ignore[assignment]  # the stub's own type
        response = await self._unary(self._stub.SubmitFeedback, request)
        if corrected is None:
            return None
        return ErrorCounts(response.substitutions, response.deletions, response.insertions, response.words)

    async def drift_status(self) -> DriftStatus:
        return drift_status(await self._unary(self._admin.GetDriftReport, pb.GetDriftReportRequest()))

    async def status(self) -> ServerStatus:
        return server_status(await self._unary(self._admin.GetStatus, pb.GetStatusRequest()))

    async def objectives(self) -> tuple[ObjectiveState, ...]:
        return objectives(await self._unary(self._admin.GetSlo, pb.GetSloRequest()))

    async def _unary(self, method: Callable[..., Awaitable[_Answer]], request: object) -> _Answer:
        return await self._retrying(lambda: method(request, metadata=self._options.metadata, timeout=self._options.deadline_s))

    async def _open(self, config: pb.StreamingRecognitionConfig) -> _StreamCall:
        """A stream that the server has accepted, or has not refused within `opening_wait_s`."""
        call: _StreamCall = self._stub.StreamingRecognize(metadata=self._options.metadata, timeout=self._options.deadline_s)
        status = TrueStatus(call)
        try:
            await call.write(pb.StreamingRecognizeRequest(config=config))
            await _until_accepted(call, self._options.opening_wait_s)
        except grpc.aio.AioRpcError as error:
            # A refusal may come while the config is being written.
            try:
                failed = await status.of(error)
            finally:
                call.cancel()
            raise (failed or error) from None
        except BaseException:
            call.cancel()
            raise
        return call

    async def _retrying(self, attempt: Callable[[], Awaitable[_Answer]]) -> _Answer:
        give_up_at_s = time.monotonic() + self._options.open_time_limit_s
        for number in range(1, self._options.open_attempts + 1):
            try:
                return await attempt()
            except grpc.aio.AioRpcError as error:
                failure = speech_error(error, self.target)
            delay_s = _retry_delay_s(failure, number)
            if delay_s is None or number == self._options.open_attempts or time.monotonic() + delay_s > give_up_at_s:
                raise failure
            await asyncio.sleep(delay_s)
        raise AssertionError("the last attempt returns or raises")


def _retry_delay_s(failure: SpeechError, number: int) -> float | None:
    """How long to wait after the failed attempt `number` (from 1); None: trying again is no use."""
    if isinstance(failure, ServerBusy):
        return failure.retry_after_s
    if isinstance(failure, ServerUnreachable):
        return failure.retry_after_s if failure.retry_after_s is not None else 0.05 * 2**number
    return None


async def _until_accepted(call: _StreamCall, wait_s: float) -> None:
    """Returns when the server has said that it accepted the stream, and after `wait_s` also when it has said nothing: not every server
    sends `ACCEPTED_METADATA`. Raises AioRpcError when it refused."""
    accepted = asyncio.create_task(_is_accepted(call))
    ended = asyncio.create_task(call.code())
    try:
        async with asyncio.timeout(wait_s):
            await asyncio.wait({accepted, ended}, return_when=asyncio.FIRST_COMPLETED)
            # Without the sign these may be the empty headers of a refusal, whose status is on its way.
            if accepted.done() and not accepted.result():
                await ended
    except TimeoutError:
        return
    finally:
        accepted.cancel()
        ended.cancel()
        await asyncio.gather(accepted, ended, return_exceptions=True)
    if ended.done() and not ended.cancelled() and ended.result() is not grpc.StatusCode.OK:
        raise grpc.aio.AioRpcError(
            ended.result(), await call.initial_metadata(), await call.trailing_metadata(), details=await call.details()
        )


async def _is_accepted(call: _StreamCall) -> bool:
    return ACCEPTED_METADATA in tuple(await call.initial_metadata())


async def _send(call: _StreamCall, audio: AsyncIterator[bytes | Control]) -> None:
    """Everything in `audio`, then the half-close. Ends early when the call has: its reader tells why."""
    try:
        async for item in audio:
            request = item.value if isinstance(item, Control) else pb.StreamingRecognizeRequest(audio_content=item)
            try:
                await call.write(request)
            except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
                return
        await call.done_writing()
    except BaseException:
        call.cancel()
        raise


def _failure(sender: asyncio.Task[None]) -> BaseException | None:
    return sender.exception() if sender.done() and not sender.cancelled() else None


async def _close(audio: AsyncIterator[bytes | Control]) -> None:
    if isinstance(audio, AsyncGenerator):
        await audio.aclose()
