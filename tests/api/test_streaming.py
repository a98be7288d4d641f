"""One stream over a real gRPC connection, with an engine that says what the test wants."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import numpy as np
import pytest

from asr_server.api.interceptors import INTERNAL_MESSAGE
from asr_server.api.limits import Limits
from asr_server.api.stream import PIECE_MS
from asr_server.engine.engine import DecodeOptions, Decoding
from asr_server.errors import NotServing
from asr_server.pb import asr_pb2 as pb
from asr_server.transcript import Alternative, Hypothesis, Word
from audio_norm import Normalized
from tests.api.harness import (
    FINALIZE,
    KEEP_ALIVE,
    Config,
    Request,
    Response,
    chunks,
    converse,
    first,
    iter_async,
    linear16,
    refused,
    speech_server,
)
from tests.audio_norm import encoded
from tests.fake_engine import FakeEngine, HeldEngine, said
from tests.fake_observer import FakeObserver
from tests.session.script import silence, speech
from tests.waiting import until


def audio(*parts: object) -> bytes:
    return b"".join(linear16(part) for part in parts)  # type: ignore[arg-type]


async def test_speech_comes_back_as_a_final_with_its_ledger_and_what_made_it() -> None:
    async with speech_server() as server:
        answer = await converse(server.stub, [first(), *chunks(audio(silence(300), speech(1000), silence(700)))])
    assert answer.code is grpc.StatusCode.OK
    (final,) = answer.finals
    assert (final.alternatives[0].transcript, final.stability, final.segment) == ("ok", 1.0, 0)
    assert (final.result_start_offset.ToMilliseconds(), final.result_end_offset.ToMilliseconds()) == (300, 1300)
    assert (final.system.model, final.system.data_definition, len(final.system.data_definition_digest)) == ("fake", "v1", 12)
    ledger = final.ledger
    assert [entry.name for entry in ledger.slices] == ["ingest", "condition", "queue", "asr", "post", "send", "reserve"]
    assert sum(entry.planned_ms for entry in ledger.slices) == ledger.budget_ms == 500
    assert sum(entry.spent_ms for entry in ledger.slices) == pytest.approx(ledger.response_ms, rel=1e-3)
    assert ledger.endpoint_wait_ms == 500
    assert ledger.audio_ms == 1500, "250 ms of silence are kept on both sides"
    assert (ledger.late, list(ledger.degraded), ledger.guard) == (False, [], "")


async def test_events_are_sent_in_order_when_asked_for() -> None:
    async with speech_server() as server:
        answer = await converse(server.stub, [first(events=True), *chunks(audio(silence(300), speech(1000), silence(1500)))])
    kinds = ["final" if response.results else Response.SpeechEventType.Name(response.speech_event_type) for response in answer.responses]
    assert kinds == ["SPEECH_ACTIVITY_BEGIN", "SPEECH_ACTIVITY_END", "final", "END_OF_UTTERANCE"]
    assert answer.responses[0].speech_event_offset.ToMilliseconds() == 300


async def test_partials_come_in_a_stable_and_an_unstable_portion_that_join_to_the_text() -> None:
    texts = iter(["one two three four", "one two three four five", "one two three four five six"])
    engine = FakeEngine(lambda _audio, _options: said(next(texts, "one two three four five six seven")))
    async with speech_server(engine) as server:
        answer = await converse(server.stub, [first(interim_results=True), *chunks(audio(speech(3000), silence(700)), 320)])
    partials = [response.results for response in answer.responses if response.results and not response.results[0].is_final]
    assert partials
    stable_before = ""
    for portions in partials:
        stable = "".join(result.alternatives[0].transcript for result in portions if result.stability > 0.5)
        assert stable.startswith(stable_before)
        stable_before = stable
    assert answer.texts[0].startswith(stable_before)


async def test_finalize_gives_the_final_at_once_and_the_stream_goes_on() -> None:
    async with speech_server() as server:
        call = server.stub.StreamingRecognize()
        await call.write(first())
        for chunk in chunks(audio(speech(800))):
            await call.write(chunk)
        await call.write(FINALIZE)
        final = await call.read()
        assert final.results[0].is_final
        assert final.results[0].ledger.endpoint_wait_ms < 50
        assert (await call.read()).speech_event_type == Response.FINALIZED
        for chunk in chunks(audio(speech(800))):
            await call.write(chunk)
        await call.done_writing()
        assert (await call.read()).results[0].segment == 1
        assert await call.read() is grpc.aio.EOF
        assert await call.code() is grpc.StatusCode.OK


async def test_finalize_before_any_audio_is_answered() -> None:
    async with speech_server() as server:
        answer = await converse(server.stub, [first(), FINALIZE, KEEP_ALIVE, FINALIZE])
    assert answer.events == ["FINALIZED", "FINALIZED"]


@pytest.mark.parametrize("requests", [[], [first()], [first(), Request(audio_content=b"")], [first(), KEEP_ALIVE]])
async def test_streams_without_audio_end_well(requests: list[Request]) -> None:
    async with speech_server() as server:
        answer = await converse(server.stub, requests)
        assert (answer.code, answer.responses) == (grpc.StatusCode.OK, [])
        assert server.admission.active == 0


async def test_half_close_in_mid_word_delivers_the_word() -> None:
    async with speech_server() as server:
        answer = await converse(server.stub, [first(), *chunks(audio(speech(730)) + b"\x01", 641)])
    assert answer.texts == ["ok"]
    assert answer.finals[0].result_end_offset.ToMilliseconds() == 730


async def test_one_large_chunk_is_the_same_as_many_small_ones() -> None:
    said_in = []
    for size in (7, 640, 1 << 20):
        async with speech_server() as server:
            content = audio(speech(900), silence(800), speech(700), silence(900))
            answer = await converse(server.stub, [first(), *chunks(content, size)])
            said_in.append(
                [(final.result_start_offset.ToMilliseconds(), final.result_end_offset.ToMilliseconds()) for final in answer.finals]
            )
    assert said_in == [[(0, 900), (1700, 2400)]] * 3


async def test_words_and_alternatives_are_returned_when_asked_for() -> None:
    def answer(heard: Normalized, options: DecodeOptions) -> Decoding:
        assert (options.word_times, options.max_alternatives, options.phrases) == (True, 2, ("okay",))
        words = (Word("ok", heard.to_stream(0), heard.to_stream(1600), 0.8),)
        return Decoding(Hypothesis((Alternative("ok", 0.9), Alternative("oak", 0.4)), words))

    config: Any = {"enable_word_time_offsets": True, "max_alternatives": 2, "speech_contexts": [pb.SpeechContext(phrases=["okay"])]}
    async with speech_server(FakeEngine(answer)) as server:
        result = await converse(server.stub, [first(**config), *chunks(audio(silence(400), speech(800)))])
    alternatives = result.finals[0].alternatives
    assert [alternative.transcript for alternative in alternatives] == ["ok", "oak"]
    (word,) = alternatives[0].words
    assert (word.word, word.start_time.ToMilliseconds(), word.end_time.ToMilliseconds()) == ("ok", 150, 250)


async def test_the_language_tag_comes_back_as_it_was_sent() -> None:
    async with speech_server() as server:
        answer = await converse(server.stub, [first(language_code="en-GB"), *chunks(audio(speech(800)))])
    assert answer.finals[0].language_code == "en-GB"


async def test_no_speech_within_the_start_timeout_ends_the_stream_well() -> None:
    async with speech_server() as server:
        call = server.stub.StreamingRecognize()
        await call.write(first(endpointing={"start_timeout_ms": 500}))
        await call.write(chunks(audio(silence(600)), 1 << 20)[0])
        assert (await call.read()).speech_event_type == Response.START_TIMEOUT
        assert await call.read() is grpc.aio.EOF
        assert await call.code() is grpc.StatusCode.OK


# ------------------------------------------------------------------------------------------------------------ what goes wrong


async def test_the_first_message_must_be_the_config() -> None:
    async with speech_server() as server:
        answer = await converse(server.stub, chunks(audio(speech(100))))
        assert answer.code is grpc.StatusCode.FAILED_PRECONDITION
        assert answer.message == "the first message carries audio_content, expected: config"


async def test_a_second_config_ends_the_stream_after_what_was_said_before_it() -> None:
    async with speech_server() as server:
        answer = await converse(server.stub, [first(), *chunks(audio(speech(800))), first()])
    assert answer.code is grpc.StatusCode.FAILED_PRECONDITION
    assert answer.texts == ["ok"]


async def test_wrong_fields_are_named_one_by_one() -> None:
    async with speech_server() as server:
        answer = await converse(server.stub, [first(sample_rate_hertz=1000, model="huge")])
    assert answer.code is grpc.StatusCode.INVALID_ARGUMENT
    assert set(answer.violations) == {"config.sample_rate_hertz", "config.model"}


async def test_a_chunk_over_the_limit_is_out_of_range_after_what_was_said_before_it() -> None:
    async with speech_server(limits=Limits(max_chunk_bytes=64_000)) as server:
        answer = await converse(server.stub, [first(), *chunks(audio(speech(800)), 64_000), Request(audio_content=bytes(64_001))])
    assert (answer.code, answer.texts) == (grpc.StatusCode.OUT_OF_RANGE, ["ok"])
    assert answer.message == "audio_content has 64001 bytes, accepted: 64000 a message"


async def test_a_stream_over_its_length_limit_is_out_of_range_after_what_was_said_before_it() -> None:
    async with speech_server(limits=Limits(max_stream_audio_s=2)) as server:
        answer = await converse(server.stub, [first(), *chunks(audio(speech(3000)))])
    assert (answer.code, answer.texts) == (grpc.StatusCode.OUT_OF_RANGE, ["ok"])


async def test_audio_that_turns_out_broken_is_refused_after_what_was_said_before_it() -> None:
    nan = b"\x00\x00\xc0\x7f" * 100
    content = speech(800).astype("<f4").tobytes()
    async with speech_server() as server:
        answer = await converse(server.stub, [first(encoding=Config.FLOAT32), *chunks(content), Request(audio_content=nan)])
    assert (answer.code, answer.texts) == (grpc.StatusCode.INVALID_ARGUMENT, ["ok"])
    assert "audio_content" in answer.violations


async def test_a_stream_without_messages_times_out_after_what_was_said() -> None:
    async with speech_server(limits=Limits(idle_timeout_s=0.2)) as server:
        call = server.stub.StreamingRecognize()
        await call.write(first())
        await call.write(chunks(audio(speech(800)), 1 << 20)[0])
        assert (await call.read()).results[0].is_final
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert "no message for 0.2 s" in (caught.value.details() or "")


async def test_one_session_too_many_is_told_when_to_come_back() -> None:
    async with speech_server(limits=Limits(max_sessions=1, retry_after_s=2.5)) as server:
        busy = server.stub.StreamingRecognize()
        await busy.write(first())
        await busy.initial_metadata()
        answer = await converse(server.stub, [first()])
        assert (answer.code, answer.retry_after_s) == (grpc.StatusCode.RESOURCE_EXHAUSTED, 2.5)
        await busy.done_writing()
        assert await busy.code() is grpc.StatusCode.OK
        assert (await converse(server.stub, [first()])).code is grpc.StatusCode.OK


async def test_an_engine_failure_ends_its_stream_and_no_other() -> None:
    def answer(heard: Normalized, _options: DecodeOptions) -> Decoding:
        if heard.duration_s < 1.0:
            raise RuntimeError("secret detail")
        return said("fine")

    async with speech_server(FakeEngine(answer)) as server:
        broken, fine = await asyncio.gather(
            converse(server.stub, [first(), *chunks(audio(speech(600)))]),
            converse(server.stub, [first(), *chunks(audio(speech(2000)))]),
        )
    assert broken.code is grpc.StatusCode.INTERNAL
    assert "Traceback" not in broken.message
    assert fine.texts == ["fine"]


async def test_cancelling_drops_what_has_not_started_and_leaves_no_session() -> None:
    engine = HeldEngine()
    observer = FakeObserver()
    async with speech_server(engine, observer=observer) as server:
        call = server.stub.StreamingRecognize()
        await call.write(first())
        await call.write(chunks(audio(speech(800), silence(600)), 1 << 20)[0])
        held = await engine.next_decode()
        call.cancel()
        await until(lambda: not server.admission.active)
        held.finish()
        assert server.worker.queue_depth == 0
        assert (await converse(server.stub, [first()])).code is grpc.StatusCode.OK
    assert (await observer.calls[0].status())[0] == "CANCELLED"


async def test_the_callers_deadline_ends_the_call_and_its_session() -> None:
    engine = HeldEngine()
    async with speech_server(engine) as server:
        waiting = asyncio.create_task(converse(server.stub, [first(), *chunks(audio(speech(800)))], timeout_s=0.3))
        held = await engine.next_decode()
        answer = await waiting
        assert answer.code is grpc.StatusCode.DEADLINE_EXCEEDED
        await until(lambda: not server.admission.active)
        held.finish()


async def test_a_deadline_in_the_past_leaves_no_session() -> None:
    async with speech_server() as server:
        answer = await converse(server.stub, [first()], timeout_s=-1)
        assert answer.code is grpc.StatusCode.DEADLINE_EXCEEDED
        assert server.admission.active == 0


async def test_a_slow_reader_holds_the_sender_back_and_loses_nothing() -> None:
    pause_then_word = audio(speech(300), silence(600))
    async with speech_server() as server:
        call = server.stub.StreamingRecognize()
        await call.write(first(interim_results=True, events=True))
        sender = asyncio.create_task(_send_all(call, pause_then_word, times=40))
        await asyncio.wait({sender}, timeout=0.5)
        texts = []
        while (response := await call.read()) is not grpc.aio.EOF:
            texts += [result.alternatives[0].transcript for result in response.results if result.is_final]
        await sender
        assert len(texts) == 40


async def _send_all(call: grpc.aio.StreamStreamCall[Request, Response], content: bytes, times: int) -> None:
    for _ in range(times):
        await call.write(Request(audio_content=content))
    await call.done_writing()


async def test_streams_still_open_when_the_server_stops_get_their_last_finals() -> None:
    async with speech_server() as server:
        call = server.stub.StreamingRecognize()
        await call.write(first(events=True))
        await call.write(chunks(audio(speech(800)), 1 << 20)[0])
        assert (await call.read()).speech_event_type == Response.SPEECH_ACTIVITY_BEGIN
        server.service.end_streams(NotServing("the server is stopping"))
        assert (await call.read()).speech_event_type == Response.SPEECH_ACTIVITY_END
        assert (await call.read()).results[0].is_final
        assert (await call.read()).speech_event_type == Response.END_OF_UTTERANCE
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_calls_before_the_model_is_loaded_are_unavailable() -> None:
    async with speech_server(opened=False) as server:
        answer = await converse(server.stub, [first()])
        assert (answer.code, answer.message) == (grpc.StatusCode.UNAVAILABLE, "the server is loading its model")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await server.stub.GetServerInfo(pb.GetServerInfoRequest())
        assert refused(caught.value).code is grpc.StatusCode.UNAVAILABLE


async def test_server_info_says_what_is_served() -> None:
    async with speech_server() as server:
        info = await server.stub.GetServerInfo(pb.GetServerInfoRequest())
    assert [(model.name, list(model.languages), model.is_default) for model in info.models] == [("fake", ["en"], True)]
    assert [definition.name for definition in info.data_definitions] == ["v1"]
    assert (info.limits.max_chunk_bytes, info.limits.idle_timeout.seconds) == (1 << 20, 60)
    assert (info.endpointing.vad_stop_ms, info.endpointing.end_of_utterance_ms) == (500, 1000)
    assert sum(entry.planned_ms for entry in info.budget) == 500
    assert len(info.encodings) == 7


async def test_many_streams_at_once_all_get_their_own_text() -> None:
    engine = FakeEngine(lambda heard, _options: said(f"{round(heard.duration_s, 1)}"))
    async with speech_server(engine) as server:
        lengths = [600 + 200 * n for n in range(12)]
        answers = await asyncio.gather(*(converse(server.stub, [first(), *chunks(audio(speech(ms)))]) for ms in lengths))
        assert server.admission.active == 0
    assert [answer.texts for answer in answers] == [[f"{ms / 1000:.1f}"] for ms in lengths]


async def test_what_is_reported_of_a_stream() -> None:
    observer = FakeObserver()
    async with speech_server(observer=observer) as server:

        async def spoken() -> AsyncIterator[Request]:
            """The silence that makes a final only once a partial was shown: a final that is wanted first does away with it."""
            for request in [first(interim_results=True), *chunks(audio(silence(300), speech(1500)))]:
                yield request
            await until(lambda: any(name == "partial" for name, *_ in observer.only.events))
            for request in chunks(audio(silence(700))):
                yield request

        await _drain(server.stub.StreamingRecognize(spoken()))
    call = observer.only
    assert await call.status() == ("OK", "")
    (record,) = call.segments
    names = [stage.name for stage in record.stages]
    assert names == ["ingest", "condition", "queue", "condition", "asr", "post", "send"]
    assert all(stage.start_s <= stage.end_s for stage in record.stages)
    assert record.attributes["asr.model"] == "fake"
    assert record.attributes["asr.late"] is False
    assert {"speech_started", "speech_ended", "partial"} <= {name for name, *_ in call.events}


async def _drain(call: grpc.aio.StreamStreamCall[Request, Response]) -> list[Response]:
    return [response async for response in call]


async def test_requests_after_the_servers_refusal_do_not_hang_the_client() -> None:
    async with speech_server() as server:
        call = server.stub.StreamingRecognize(iter_async([Request(audio_content=b"x")] * 1000))
        with pytest.raises(grpc.aio.AioRpcError):
            await _drain(call)


async def test_what_an_engine_failed_of_is_in_the_log_and_not_in_the_message(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_audio: Normalized, _options: DecodeOptions) -> Decoding:
        raise RuntimeError("secret detail")

    async with speech_server(FakeEngine(fail)) as server:
        answer = await converse(server.stub, [first(), *chunks(audio(speech(600)))])
    assert (answer.code, answer.message) == (grpc.StatusCode.INTERNAL, INTERNAL_MESSAGE)
    assert "secret detail" in caplog.text


async def read_all(call: grpc.aio.StreamStreamCall[Request, Response]) -> None:
    while await call.read() is not grpc.aio.EOF:
        pass


async def test_a_client_that_reads_nothing_does_not_keep_its_place_for_ever() -> None:
    """What it is sent fills the windows of the transport."""
    spoken = [part for _ in range(8) for part in (speech(800), silence(600))]
    async with speech_server(FakeEngine(lambda _audio, _options: said("long " * 600_000)), limits=Limits(idle_timeout_s=0.3)) as server:
        call = server.stub.StreamingRecognize()
        await call.write(first())
        for chunk in chunks(audio(*spoken)):
            await call.write(chunk)
        await call.done_writing()
        await until(lambda: server.admission.active == 0)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await read_all(call)
    assert (caught.value.code(), caught.value.details()) == (
        grpc.StatusCode.DEADLINE_EXCEEDED,
        "no answer was taken for 0.3 s; read what the server sends, or cancel the call",
    )


async def test_a_segment_that_fails_does_not_take_the_one_before_it_along() -> None:
    engine = HeldEngine()
    async with speech_server(engine) as server:
        waiting = asyncio.create_task(
            converse(server.stub, [first(), *chunks(audio(speech(800), silence(600), speech(1500), silence(600)), 1 << 20)])
        )
        started = [await engine.next_decode(), await engine.next_decode()]
        earlier, later = sorted(started, key=lambda held: held.audio.duration_s)
        later.fail(RuntimeError("broken"))
        (await engine.next_decode()).fail(RuntimeError("broken"))
        earlier.finish("the first")
        answer = await waiting
    assert (answer.code, answer.texts) == (grpc.StatusCode.INTERNAL, ["the first"])


@pytest.mark.parametrize("interim_results", [True, False])
async def test_a_text_that_cannot_be_sent_ends_the_stream_instead_of_hanging_it(interim_results: bool) -> None:
    async with speech_server(FakeEngine(lambda _audio, _options: said("\ud800"))) as server:
        answer = await converse(server.stub, [first(interim_results=interim_results), *chunks(audio(speech(2000), silence(600)))])
        assert answer.code is grpc.StatusCode.INTERNAL
        await until(lambda: not server.admission.active)


async def test_a_small_chunk_of_much_compressed_audio_does_not_hold_up_the_others() -> None:
    """20 minutes of silence are a few kB of FLAC. While they are decoded and heard, the event loop goes round many times."""
    content = encoded.flac(np.zeros((20 * 60 * 16_000, 1), np.float32))
    assert len(content) < 1 << 20
    rounds = 0

    async def count_rounds() -> None:
        nonlocal rounds
        while True:
            rounds += 1
            await asyncio.sleep(0)

    async with speech_server() as server:
        counting = asyncio.create_task(count_rounds())
        answer = await converse(server.stub, [first(encoding=Config.FLAC), Request(audio_content=content)], timeout_s=120)
        counting.cancel()
    assert answer.code is grpc.StatusCode.OK
    assert rounds > 20 * 60 * 1000 / PIECE_MS / 2


async def test_a_stream_that_has_not_sent_its_config_when_the_server_stops_is_told_so() -> None:
    async with speech_server() as server:
        call = server.stub.StreamingRecognize()
        await until(lambda: server.admission.active == 1)
        server.service.end_streams(NotServing("the server is stopping"))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_finalize_without_end_is_answered_one_by_one_and_bounded() -> None:
    engine = HeldEngine()
    async with speech_server(engine) as server:
        requests = [first(), *chunks(audio(speech(800)), 1 << 20), *[FINALIZE] * 200]
        waiting = asyncio.create_task(converse(server.stub, requests))
        (await engine.next_decode()).finish()
        answer = await waiting
    assert answer.texts == ["ok"]
    assert answer.events == ["FINALIZED"] * 200


async def test_a_unary_call_has_one_final_a_segment_and_no_partials() -> None:
    request = pb.RecognizeRequest(
        config=first().config.config,
        audio=audio(speech(1500), silence(800), speech(1500)),
        endpointing=pb.EndpointingConfig(vad_stop_ms=300),
    )
    async with speech_server() as server:
        response = await server.stub.Recognize(request)
    assert [(result.is_final, result.segment) for result in response.results] == [(True, 0), (True, 1)]
    assert response.total_billed_time.ToMilliseconds() == 3800


async def test_a_unary_call_with_more_to_hear_when_the_server_stops_is_told_so() -> None:
    engine = HeldEngine()
    content = audio(*[speech(800), silence(1_000)] * 4)
    async with speech_server(engine) as server:
        call = server.stub.Recognize(pb.RecognizeRequest(config=first().config.config, audio=content))
        held = [await engine.next_decode(), await engine.next_decode()]
        server.service.end_streams(NotServing("the server is stopping"))
        for decode in held:
            decode.finish()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
