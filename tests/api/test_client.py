"""The client against a scripted service over real gRPC."""

import asyncio
import io
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path
from types import SimpleNamespace

import grpc
import numpy as np
import pytest
import soundfile
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import BadRequest, RetryInfo

from asr_server.api.client import Client, Control
from asr_server.api.clip import SentTimes
from asr_server.api.options import ClientOptions, StreamOptions
from asr_server.api.results import Heard, Result, SpeechEvent
from asr_server.errors import CallFailed, CallTimedOut, RequestRefused, ServerBusy, ServerUnreachable, SpeechError
from asr_server.pb import asr_pb2 as pb
from audio_norm import AudioError
from tests.fake_speech_service import FakeSpeechService, Refusal, Response, chunks_of, event, final, partial, serving

LINEAR16 = StreamOptions(encoding="LINEAR16", sample_rate_hz=16_000)
QUICK = ClientOptions(opening_wait_s=0.05)


async def heard(service: FakeSpeechService, audio: AsyncGenerator[bytes | Control, None], options: StreamOptions = LINEAR16) -> list[Heard]:
    async with serving(service) as target, Client(target) as client:
        return [item async for item in client.stream(audio, options)]


def busy(retry_s: float) -> Refusal:
    delay = Duration()
    delay.FromMilliseconds(round(retry_s * 1000))
    return Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "all 2 sessions are taken", [RetryInfo(retry_delay=delay)])


def draining() -> Refusal:
    return Refusal(grpc.StatusCode.UNAVAILABLE, "the server is stopping")


async def read_slowly(items: AsyncGenerator[Heard, None], read: list[Heard]) -> None:
    async for item in items:
        read.append(item)
        await asyncio.sleep(0.001)


async def over(service: FakeSpeechService) -> None:
    async with asyncio.timeout(10):
        await service.calls[0].over.wait()


class Counted:
    """Audio that counts what was taken of it, and notes that it was closed."""

    def __init__(self, items: int) -> None:
        self.taken = 0
        self.closed = False
        self._items = items

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        try:
            for _ in range(self._items):
                self.taken += 1
                yield bytes(640)
        finally:
            self.closed = True


# --------------------------------------------------------------------------------------------------------------- streaming


async def test_the_config_comes_first_then_the_audio_in_order_then_the_half_close() -> None:
    service = FakeSpeechService()
    await heard(service, chunks_of([b"ab", b"cd", b"e"]))
    (call,) = service.calls
    assert call.kinds == ["config", "audio_content", "audio_content", "audio_content"]
    assert call.chunks == [b"ab", b"cd", b"e"]
    assert call.half_closed


async def test_every_option_reaches_its_field() -> None:
    service = FakeSpeechService()
    options = StreamOptions(
        language_code="de",
        model="tiny.en",
        interim_results=False,
        voice_activity_events=True,
        word_times=True,
        max_alternatives=3,
        phrases=("asr", "gRPC"),
        vad_stop_ms=200,
        end_of_utterance_ms=900,
        start_timeout_ms=5000,
        max_segment_ms=8000,
        latency_budget_ms=400,
        encoding="MULAW",
        sample_rate_hz=8000,
        channels=2,
        channel=1,
    )
    await heard(service, chunks_of([]), options)
    assert service.calls[0].config == pb.StreamingRecognitionConfig(
        config=pb.RecognitionConfig(
            encoding=pb.RecognitionConfig.MULAW,
            sample_rate_hertz=8000,
            language_code="de",
            max_alternatives=3,
            speech_contexts=[pb.SpeechContext(phrases=["asr", "gRPC"])],
            audio_channel_count=2,
            enable_word_time_offsets=True,
            model="tiny.en",
            audio_channel=1,
        ),
        interim_results=False,
        enable_voice_activity_events=True,
        endpointing=pb.EndpointingConfig(vad_stop_ms=200, end_of_utterance_ms=900, start_timeout_ms=5000, max_segment_ms=8000),
        latency_budget_ms=400,
    )


async def test_control_messages_keep_their_place_between_chunks() -> None:
    async def audio() -> AsyncGenerator[bytes | Control, None]:
        yield b"ab"
        yield Control.FINALIZE
        yield Control.KEEP_ALIVE
        yield b"cd"

    service = FakeSpeechService()
    items = await heard(service, audio())
    assert service.calls[0].kinds == ["config", "audio_content", "finalize", "keep_alive", "audio_content"]
    assert [item.kind for item in items if isinstance(item, SpeechEvent)] == ["finalized"]


async def test_results_come_while_audio_is_still_being_sent() -> None:
    answered = asyncio.Event()

    async def audio() -> AsyncGenerator[bytes, None]:
        yield b"ab"
        await answered.wait()
        yield b"cd"

    service = FakeSpeechService([final("hello")], answer_after_chunks=1)
    async with serving(service) as target, Client(target) as client, aclosing(client.stream(audio(), LINEAR16)) as items:
        assert (await anext(items)).received_at_s > 0
        answered.set()
        assert [item async for item in items] == []
    assert service.calls[0].audio == b"abcd"


async def test_a_final_carries_words_ledger_and_system() -> None:
    (result,) = await heard(FakeSpeechService([final("hello there", start_s=0.52, end_s=1.9, segment=3)]), chunks_of([b"ab"]))
    assert isinstance(result, Result)
    assert (result.text, result.stable_text, result.unstable_text) == ("hello there", "hello there", "")
    assert (result.is_final, result.stability, result.segment, result.language) == (True, 1.0, 3, "en")
    assert (result.start_s, result.end_s) == pytest.approx((0.52, 1.9))
    assert (result.confidence, [other.text for other in result.alternatives]) == (0.875, ["hello there", "hello there?"])
    (word,) = result.words
    assert (word.text, word.confidence) == ("hello", 0.5)
    assert (word.start_s, word.end_s) == pytest.approx((0.52, 0.77))
    ledger = result.ledger
    assert ledger is not None
    assert (ledger.budget_ms, ledger.response_ms, ledger.endpoint_wait_ms, ledger.predicted_ms) == (500, 142, 500, 128)
    assert [(part.name, part.spent_ms) for part in ledger.slices][:3] == [("condition", 3), ("queue", 1), ("asr", 131)]
    assert (ledger.late, ledger.degraded, ledger.guard, ledger.beam_size, ledger.audio_ms) == (False, (), "", 5, 1200)
    assert result.system is not None
    assert (result.system.code, result.system.data_definition, result.system.model) == ("0.1.0", "v1", "base")
    assert result.system.options == {"beam_size": "5"}


async def test_the_portions_of_a_partial_are_one_result() -> None:
    both, unstable, stable = await heard(
        FakeSpeechService([partial("hello", " the", end_s=0.75), partial("", "hello"), partial("hello", "")]), chunks_of([b"ab"])
    )
    assert isinstance(both, Result)
    assert (both.text, both.stable_text, both.unstable_text, both.is_final) == ("hello the", "hello", " the", False)
    assert (both.stability, both.end_s, both.ledger, both.system) == (0.1, 0.75, None, None)
    assert isinstance(unstable, Result)
    assert (unstable.stable_text, unstable.unstable_text, unstable.stability) == ("", "hello", 0.1)
    assert isinstance(stable, Result)
    assert (stable.stable_text, stable.unstable_text, stable.stability) == ("hello", "", 0.9)


async def test_events_have_lower_case_names_and_a_position() -> None:
    items = await heard(FakeSpeechService([event(Response.END_OF_UTTERANCE, 2.25)]), chunks_of([b"ab"]))
    assert [(item.kind, item.at_s) for item in items if isinstance(item, SpeechEvent)] == [("end_of_utterance", 2.25)]


async def test_everything_sent_before_a_failure_is_delivered_to_a_slow_reader() -> None:
    service = FakeSpeechService([final(f"word {n}") for n in range(50)], failure=Refusal(grpc.StatusCode.INTERNAL, "the engine failed"))
    items: list[Heard] = []
    async with serving(service) as target, Client(target) as client:
        with pytest.raises(CallFailed, match="the engine failed"):
            await read_slowly(client.stream(chunks_of([b"ab"]), LINEAR16), items)
    assert [item.text for item in items if isinstance(item, Result)] == [f"word {n}" for n in range(50)]


async def test_a_stream_that_the_server_ends_takes_no_more_audio() -> None:
    audio = Counted(1_000_000)
    service = FakeSpeechService(ends_after_chunks=2)
    async with serving(service) as target, Client(target) as client:
        assert [item async for item in client.stream(audio.chunks(), LINEAR16)] == []
    assert audio.closed
    assert audio.taken < 1_000_000


async def test_the_servers_own_status_is_told_though_audio_was_being_written() -> None:
    """grpc.aio overwrites it when a write fails: in either order of the two."""
    for responses in ([], [final("hello")]):
        service = FakeSpeechService(responses, answer_after_chunks=3, failure=Refusal(grpc.StatusCode.OUT_OF_RANGE, "too much audio"))
        async with serving(service) as target, Client(target) as client:
            for _ in range(5):
                with pytest.raises(RequestRefused, match="too much audio"):
                    await read_slowly(client.stream(Counted(1_000_000).chunks(), LINEAR16), [])


async def test_metadata_goes_with_every_call() -> None:
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    service = FakeSpeechService()
    async with serving(service) as target, Client(target, options=ClientOptions(metadata=(("traceparent", traceparent),))) as client:
        async for _ in client.stream(chunks_of([]), LINEAR16):
            pass
    assert service.calls[0].metadata["traceparent"] == traceparent


# ------------------------------------------------------------------------------------------------------------ leaving early


async def test_leaving_the_iteration_cancels_the_call_and_closes_the_audio() -> None:
    audio = Counted(1_000_000)
    service = FakeSpeechService([final("hello")], answer_after_chunks=1, ends_only_cancelled=True)
    async with serving(service) as target, Client(target) as client:
        async with aclosing(client.stream(audio.chunks(), LINEAR16)) as items:
            await anext(items)
        await over(service)
    assert service.calls[0].cancelled
    assert audio.closed


async def test_a_plain_break_leaves_nothing_running() -> None:
    async def endless() -> AsyncGenerator[bytes, None]:
        yield b"ab"
        await asyncio.Event().wait()

    service = FakeSpeechService([final("hello")], answer_after_chunks=1, ends_only_cancelled=True)
    async with serving(service) as target:
        async with Client(target) as client:
            async for _ in client.stream(endless(), LINEAR16):
                break
        await over(service)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_cancelling_the_caller_cancels_the_call() -> None:
    service = FakeSpeechService([final("hello")], answer_after_chunks=1, ends_only_cancelled=True)
    heard_one = asyncio.Event()

    async def endless() -> AsyncGenerator[bytes, None]:
        yield b"ab"
        await asyncio.Event().wait()

    async def listen(client: Client) -> None:
        async for _ in client.stream(endless(), LINEAR16):
            heard_one.set()

    async with serving(service) as target, Client(target) as client:
        listener = asyncio.create_task(listen(client))
        await heard_one.wait()
        listener.cancel()
        with pytest.raises(asyncio.CancelledError):
            await listener
        await over(service)
    assert service.calls[0].cancelled


async def test_what_the_audio_raises_is_raised_to_the_caller() -> None:
    async def broken() -> AsyncGenerator[bytes, None]:
        yield b"ab"
        raise OSError("the microphone was unplugged")

    service = FakeSpeechService(ends_only_cancelled=True)
    async with serving(service) as target, Client(target) as client:
        with pytest.raises(OSError, match="unplugged"):
            async for _ in client.stream(broken(), LINEAR16):
                pass
        await over(service)
    assert service.calls[0].cancelled


# ------------------------------------------------------------------------------------------------------- refused and retried


@pytest.mark.parametrize("refusal", [busy(0.01), draining()])
async def test_a_refused_opening_is_tried_again_and_no_audio_is_lost(refusal: Refusal) -> None:
    service = FakeSpeechService([final("hello")], refusals=[refusal, refusal])
    items = await heard(service, chunks_of([b"ab", b"cd"]))
    assert [item.text for item in items if isinstance(item, Result)] == ["hello"]
    assert len(service.calls) == 3
    assert service.calls[-1].audio == b"abcd"


async def test_attempts_are_counted_and_no_audio_is_taken_meanwhile() -> None:
    audio = Counted(3)
    service = FakeSpeechService(refusals=[busy(0.01)] * 9)
    async with serving(service) as target, Client(target, options=ClientOptions(open_attempts=3)) as client:
        with pytest.raises(ServerBusy, match="all 2 sessions are taken") as caught:
            async for _ in client.stream(audio.chunks(), LINEAR16):
                pass
    assert caught.value.retry_after_s == 0.01
    assert len(service.calls) == 3
    assert audio.taken == 0


async def test_a_delay_beyond_the_time_limit_is_not_waited_for() -> None:
    service = FakeSpeechService(refusals=[busy(60)])
    async with serving(service) as target, Client(target) as client:
        with pytest.raises(ServerBusy):
            await client.recognize(b"RIFF")
    assert service.requests == []


async def test_a_full_server_that_names_no_delay_is_not_asked_again() -> None:
    service = FakeSpeechService(refusals=[Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "quota used up")])
    with pytest.raises(ServerBusy, match="quota used up"):
        await heard(service, chunks_of([b"ab"]))
    assert len(service.calls) == 1


async def test_a_failure_after_audio_was_taken_is_raised_not_retried() -> None:
    service = FakeSpeechService(failure=draining(), answer_after_chunks=1)
    with pytest.raises(ServerUnreachable, match="the server is stopping"):
        await heard(service, chunks_of([b"ab"]))
    assert len(service.calls) == 1


async def test_a_server_that_does_not_say_that_it_accepted_is_served_too() -> None:
    service = FakeSpeechService([final("hello")], says_accepted=False)
    async with serving(service) as target, Client(target, options=QUICK) as client:
        items = [item async for item in client.stream(chunks_of([b"ab"]), LINEAR16)]
    assert [item.text for item in items if isinstance(item, Result)] == ["hello"]
    assert service.calls[0].audio == b"ab"


async def test_nobody_listening_is_unreachable_and_names_the_address() -> None:
    async with Client("127.0.0.1:9", options=ClientOptions(open_attempts=2)) as client:
        with pytest.raises(ServerUnreachable, match=r"server 127\.0\.0\.1:9: ") as caught:
            await client.server_info()
    assert caught.value.status == "UNAVAILABLE"


# ------------------------------------------------------------------------------------------------------------------- errors


async def test_field_violations_of_a_refused_request_are_values() -> None:
    bad = BadRequest(field_violations=[BadRequest.FieldViolation(field="config.sample_rate_hertz", description="4 is not accepted")])
    service = FakeSpeechService(refusals=[Refusal(grpc.StatusCode.INVALID_ARGUMENT, "config.sample_rate_hertz: 4 is not accepted", [bad])])
    with pytest.raises(RequestRefused, match="4 is not accepted") as caught:
        await heard(service, chunks_of([b"ab"]))
    assert caught.value.status == "INVALID_ARGUMENT"
    assert caught.value.violations == (("config.sample_rate_hertz", "4 is not accepted"),)
    assert caught.value.retry_after_s is None


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, RequestRefused),
        (grpc.StatusCode.OUT_OF_RANGE, RequestRefused),
        (grpc.StatusCode.FAILED_PRECONDITION, RequestRefused),
        (grpc.StatusCode.UNIMPLEMENTED, RequestRefused),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, ServerBusy),
        (grpc.StatusCode.DEADLINE_EXCEEDED, CallTimedOut),
        (grpc.StatusCode.INTERNAL, CallFailed),
        (grpc.StatusCode.DATA_LOSS, CallFailed),
    ],
)
async def test_each_status_has_its_class(code: grpc.StatusCode, kind: type[SpeechError]) -> None:
    async with serving(FakeSpeechService(refusals=[Refusal(code, "because")])) as target, Client(target) as client:
        with pytest.raises(SpeechError, match="because") as caught:
            await client.recognize(b"RIFF")
    assert type(caught.value) is kind
    assert caught.value.status == code.name


async def test_details_that_contradict_the_status_are_left_out() -> None:
    class Contradicting(Refusal):
        @property
        def metadata(self) -> tuple[tuple[str, bytes], ...]:
            return (("grpc-status-details-bin", b"\xff\xff"),)

    service = FakeSpeechService(refusals=[Contradicting(grpc.StatusCode.INTERNAL, "because")])
    async with serving(service) as target, Client(target) as client:
        with pytest.raises(CallFailed, match="because") as caught:
            await client.server_info()
    assert caught.value.violations == ()


async def test_a_deadline_ends_the_call() -> None:
    async def endless() -> AsyncGenerator[bytes, None]:
        yield b"ab"
        await asyncio.Event().wait()

    async with serving(FakeSpeechService()) as target, Client(target, options=ClientOptions(deadline_s=0.3)) as client:
        with pytest.raises(CallTimedOut):
            async for _ in client.stream(endless(), LINEAR16):
                pass


# --------------------------------------------------------------------------------------------------------- files and the rest


def write_wav(path: Path, *, rate_hz: int = 16_000, channels: int = 1, seconds: float = 0.25) -> np.ndarray:
    """Random int16 audio in a file."""
    samples = np.random.default_rng(7).integers(-(2**15), 2**15, (round(rate_hz * seconds), channels), dtype=np.int16)
    soundfile.write(path, samples, rate_hz, subtype="PCM_16")
    return samples


@pytest.mark.parametrize(("rate_hz", "channels"), [(16_000, 1), (44_100, 2), (11_025, 1)])
async def test_a_file_is_sent_bit_for_bit_in_chunks_of_whole_frames(tmp_path: Path, rate_hz: int, channels: int) -> None:
    samples = write_wav(tmp_path / "speech.wav", rate_hz=rate_hz, channels=channels)
    service = FakeSpeechService()
    async with serving(service) as target, Client(target) as client:
        async for _ in client.stream_file(tmp_path / "speech.wav", StreamOptions(language_code="de"), chunk_ms=20):
            pass
    (call,) = service.calls
    config = call.config.config
    assert (config.encoding, config.sample_rate_hertz, config.audio_channel_count) == (pb.RecognitionConfig.LINEAR16, rate_hz, channels)
    assert config.language_code == "de"
    assert call.audio == samples.tobytes()
    assert all(len(chunk) % (2 * channels) == 0 for chunk in call.chunks)
    assert {len(chunk) // (2 * channels) for chunk in call.chunks[:-1]} <= {rate_hz * 20 // 1000, rate_hz * 20 // 1000 + 1}


@pytest.mark.parametrize(("rate_hz", "sent_hz"), [(96_000, 48_000), (4_000, 8_000)])
async def test_rates_the_wire_does_not_take_are_resampled(tmp_path: Path, rate_hz: int, sent_hz: int) -> None:
    write_wav(tmp_path / "speech.wav", rate_hz=rate_hz, seconds=0.5)
    service = FakeSpeechService()
    sent = SentTimes(sent_hz * 2)
    async with serving(service) as target, Client(target) as client:
        async for _ in client.stream_file(tmp_path / "speech.wav", sent=sent):
            pass
    assert service.calls[0].config.config.sample_rate_hertz == sent_hz
    assert sent.audio_s == pytest.approx(0.5, abs=0.001)


async def test_a_file_that_is_not_audio_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not audio")
    service = FakeSpeechService()
    async with serving(service) as target, Client(target) as client:
        with pytest.raises(AudioError):
            await anext(client.stream_file(tmp_path / "notes.txt"))
    assert service.calls == []


async def test_recognize_sends_the_file_as_it_is() -> None:
    data = io.BytesIO()
    soundfile.write(data, np.zeros(160, np.int16), 16_000, format="FLAC")
    service = FakeSpeechService([final("one"), final("two", segment=1)])
    async with serving(service) as target, Client(target) as client:
        results = await client.recognize(data.getvalue(), StreamOptions(latency_budget_ms=900, vad_stop_ms=300))
    assert [result.text for result in results] == ["one", "two"]
    (request,) = service.requests
    assert request.audio == data.getvalue()
    assert request.config.encoding == pb.RecognitionConfig.ENCODING_UNSPECIFIED
    assert (request.latency_budget_ms, request.endpointing.vad_stop_ms) == (900, 300)


async def test_server_info_says_what_would_make_a_result() -> None:
    info = pb.GetServerInfoResponse(
        version="0.1.0",
        models=[
            pb.ModelInfo(name="tiny.en", weights_sha256="5afa", languages=["en"]),
            pb.ModelInfo(name="base", weights_sha256="d01c", is_default=True),
        ],
        data_definitions=[pb.DataDefinitionInfo(name="v1", digest="0123", is_default=True)],
        limits=pb.Limits(max_sessions=64, idle_timeout=Duration(seconds=60)),
        endpointing=pb.EndpointingConfig(vad_stop_ms=500),
        budget=[pb.LedgerSlice(name="asr", planned_ms=300)],
        encodings=[pb.RecognitionConfig.FLAC],
        active_sessions=2,
    )
    async with serving(FakeSpeechService(info=info)) as target, Client(target) as client:
        told = await client.server_info()
    assert (told.version, told.encodings, told.active_sessions) == ("0.1.0", ("FLAC",), 2)
    assert (told.limits["max_sessions"], told.limits["idle_timeout_s"], told.endpointing_ms["vad_stop_ms"]) == (64, 60.0, 500)
    assert (told.system().model, told.system().weights_sha256, told.system().data_definition) == ("base", "d01c", "v1")
    assert told.system("tiny.en").weights_sha256 == "5afa"


def test_options_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="vad_stop_ms is -1"):
        StreamOptions(vad_stop_ms=-1)
    with pytest.raises(ValueError, match="open_attempts is 0"):
        ClientOptions(open_attempts=0)
    with pytest.raises(ValueError, match="lower case"):
        ClientOptions(metadata=(("Traceparent", "00"),))


async def test_a_message_too_large_for_grpc_is_the_callers_fault(server_address: str) -> None:
    async with Client(server_address) as client:
        with pytest.raises(RequestRefused, match="larger than max"):
            await client.recognize(bytes(40 << 20))


# ------------------------------------------------------------------------------------- refused while the config is being written


class RefusedWhileWriting:
    """A call as `grpc.aio` leaves it when the server's refusal arrives while the first message is being written."""

    def __init__(self, refusal: Refusal) -> None:
        self._status: tuple[grpc.StatusCode, str] | None = None
        self._refusal = refusal
        self._done: list[Callable[[object], None]] = []
        self.cancelled = False

    def add_done_callback(self, note: Callable[[object], None]) -> None:
        self._done.append(note)

    async def code(self) -> grpc.StatusCode:
        assert self._status is not None
        return self._status[0]

    async def details(self) -> str:
        assert self._status is not None
        return self._status[1]

    async def trailing_metadata(self) -> grpc.aio.Metadata:
        return grpc.aio.Metadata(*self._refusal.metadata)

    async def write(self, _request: object) -> None:
        asyncio.get_running_loop().call_later(0.01, self._end)
        raise grpc.aio.AioRpcError(grpc.StatusCode.INTERNAL, grpc.aio.Metadata(), grpc.aio.Metadata(), "Internal error from Core")

    def _end(self) -> None:
        self._status = (self._refusal.code, self._refusal.message)
        for note in self._done:
            note(self)

    def cancel(self) -> None:
        self.cancelled = True
        if self._status is None:
            self._refusal = Refusal(grpc.StatusCode.CANCELLED, "cancelled here")
            self._end()


async def test_a_refusal_while_the_config_is_being_written_is_told_as_the_server_meant_it(monkeypatch: pytest.MonkeyPatch) -> None:
    call = RefusedWhileWriting(busy(60))
    async with Client("nowhere:1") as client:
        monkeypatch.setattr(client, "_stub", SimpleNamespace(StreamingRecognize=lambda **_: call))
        with pytest.raises(ServerBusy, match="all 2 sessions are taken") as caught:
            await anext(client.stream(chunks_of([b"ab"]), LINEAR16))
    assert caught.value.retry_after_s == 60
    assert call.cancelled
