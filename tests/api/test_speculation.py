"""Presets, and decodes begun in the silence, over a real gRPC connection."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import grpc
import numpy as np
import pytest

from asr_server.api.host import Host
from asr_server.api.limits import Limits
from asr_server.api.wire import Served, system_version
from asr_server.budget import LatencyBudget
from asr_server.engine.engine import BatchingEngine, DecodeOptions, Decoding
from asr_server.engine.worker import Decoded, DecodeJob, Worker, WorkerOptions
from asr_server.errors import EngineFailed
from asr_server.events import Purpose, Tier, WordPlaces
from asr_server.pb import asr_pb2 as pb
from asr_server.presets import PRESETS, Preset
from asr_server.session import SessionOptions
from asr_server.transcript import Alternative, Hypothesis, Word
from audio_norm import Normalized, Samples
from tests.api.harness import Request, Response, Running, chunks, converse, first, linear16, refused, speech_server
from tests.fake_engine import FakeEngine, HeldEngine, said
from tests.fake_observer import FakeObserver
from tests.session.script import heard, plain_definition, silence, speech
from tests.waiting import until

Call = grpc.aio.StreamStreamCall[Request, Response]

EARLY = Preset("balanced", SessionOptions(vad_stop_ms=300, speculate_after_ms=100), beam_size=2)
WITH_CONTEXT = replace(EARLY, session=replace(EARLY.session, context_ms=4_000))
ALL = tuple(PRESETS.values())


class RememberingWorker(Worker):
    """Keeps what it was asked for."""

    def __init__(self, engine: BatchingEngine) -> None:
        super().__init__(engine, WorkerOptions(threads=2))
        self.asked: list[tuple[DecodeJob, asyncio.Future[Decoded]]] = []

    @property
    def purposes(self) -> list[Purpose]:
        return [job.purpose for job, _ in self.asked]

    def submit(self, job: DecodeJob) -> asyncio.Future[Decoded]:
        future = super().submit(job)
        self.asked.append((job, future))
        return future


class DisplacingWorker(RememberingWorker):
    """A job that becomes a final has lost its place to another's the moment before; its stream has not heard of it yet."""

    def promote(self, owner: int, job: int, answer_at_s: float) -> None:
        self.cancel(owner, job)
        super().promote(owner, job, answer_at_s)


@asynccontextmanager
async def served_by(worker: Worker, engine: BatchingEngine, preset: Preset = EARLY) -> AsyncIterator[Running]:
    definition = plain_definition()
    served = Served(engine.release.model, engine.languages, "en", Limits(), LatencyBudget(), (preset,))
    system = system_version("0.test", (definition.version, definition.digest), engine.release)
    async with speech_server(opened=False) as server, worker:
        server.service.open(Host(worker, engine, definition, served, system))
        yield server


class SlowToPlace(FakeEngine):
    """Finds its words a while after the text, and keeps what it was told that had been said."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[tuple[str, ...]] = []

    def decode_together(
        self,
        jobs: Sequence[tuple[Normalized, DecodeOptions]],
        done: Callable[[int, Decoding | EngineFailed], None],
        told: Callable[[int, Decoding], None] = lambda _, __: None,
        wanted: Callable[[int], bool] = lambda _: True,
    ) -> None:
        ((audio, options),) = jobs
        self.said.append(options.said.words if options.said is not None else ())
        text = said("well")
        told(0, text)
        time.sleep(0.1)
        span = audio.kept[-1]
        words = (Word("well", span.end_sample - 9_600, span.end_sample - 4_800, 1.0),)
        done(0, replace(text, hypothesis=replace(text.hypothesis, words=words)))


async def test_each_segment_of_a_file_goes_on_from_the_one_before_however_late_its_words_are_found() -> None:
    engine = SlowToPlace()
    spoken = np.concatenate([part for _ in range(3) for part in (speech(1_000), silence(1_100))])
    async with speech_server(engine, presets=(WITH_CONTEXT,)) as server:
        answer = await server.stub.Recognize(pb.RecognizeRequest(config=first().config.config, audio=linear16(spoken)))

    assert [result.alternatives[0].transcript for result in answer.results] == ["well"] * 3
    assert engine.said == [(), ("well",), ("well", "well")]


async def test_finals_of_files_are_offline_and_have_the_longest_budget() -> None:
    engine = FakeEngine()
    worker = RememberingWorker(engine)
    async with served_by(worker, engine) as server:
        request = pb.RecognizeRequest(config=first().config.config, audio=linear16(np.concatenate([speech(1_000), silence(500)])))
        answer = await server.stub.Recognize(request)
        request.latency_budget_ms = 700
        hurried = await server.stub.Recognize(request)

    assert worker.purposes == [Purpose.OFFLINE] * 2
    assert [one.results[0].ledger.budget_ms for one in (answer, hurried)] == [5_000, 700]


def asking(*, preset: str = "", eager_results: bool = False, interim_results: bool = False, words: bool = False) -> Request:
    request = first(interim_results=interim_results, enable_word_time_offsets=words)
    request.config.preset = preset
    request.config.eager_results = eager_results
    return request


async def say(call: Call, *audio: Samples) -> None:
    for chunk in chunks(b"".join(linear16(part) for part in audio)):
        await call.write(chunk)


async def result(call: Call) -> pb.StreamingRecognitionResult:
    """The only one of the next response."""
    response = await call.read()
    assert isinstance(response, Response)
    (only,) = response.results
    return only


async def ends_well(call: Call) -> None:
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
    assert await call.code() is grpc.StatusCode.OK


def spent_ms(ledger: pb.Ledger) -> dict[str, float]:
    return {entry.name: entry.spent_ms for entry in ledger.slices}


# ------------------------------------------------------------------------------------------------------------------- presets


async def test_a_preset_that_is_not_known_is_refused_with_those_there_are() -> None:
    async with speech_server(presets=ALL) as server:
        answer = await converse(server.stub, [asking(preset="quick")])
    assert answer.code is grpc.StatusCode.INVALID_ARGUMENT
    assert answer.violations == {"preset": "'quick' is not known, accepted: fast, balanced, accurate, or unset"}


async def test_a_whole_file_with_a_preset_that_is_not_known_is_refused_too() -> None:
    request = pb.RecognizeRequest(config=first().config.config, audio=linear16(speech(800)), preset="quick")
    async with speech_server(presets=ALL) as server:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await server.stub.Recognize(request)
    assert set(refused(caught.value).violations) == {"preset"}


@pytest.mark.parametrize(("name", "beam_size"), [("", 2), ("fast", 2), ("accurate", 5)])
async def test_the_preset_named_decides_and_without_a_name_the_first(name: str, beam_size: int) -> None:
    beams = []

    def answer(_audio: Normalized, options: DecodeOptions) -> Decoding:
        beams.append(options.beam_size)
        return said("ok")

    async with speech_server(FakeEngine(answer), presets=ALL) as server:
        await converse(server.stub, [asking(preset=name), *chunks(linear16(speech(800)))])
    assert beams == [beam_size]


async def test_server_info_lists_the_presets_the_default_one_first() -> None:
    async with speech_server(presets=(PRESETS["balanced"], PRESETS["fast"], PRESETS["accurate"])) as server:
        info = await server.stub.GetServerInfo(pb.GetServerInfoRequest())
    assert [preset.name for preset in info.presets] == ["balanced", "fast", "accurate"]
    for told in info.presets:
        preset = next(preset for preset in ALL if preset.name == told.name)
        assert told.longest_stop_ms == preset.session.vad_stop_ms
        assert told.shortest_stop_ms == preset.session.sure_stop_ms or told.shortest_stop_ms == told.longest_stop_ms
        assert (told.beam_size, told.context_ms) == (preset.beam_size, preset.session.context_ms)
    assert info.endpointing.vad_stop_ms == PRESETS["balanced"].session.vad_stop_ms


async def test_eager_results_are_refused_where_nothing_is_begun_early() -> None:
    async with speech_server() as server:
        answer = await converse(server.stub, [asking(eager_results=True)])
    assert (answer.code, set(answer.violations)) == (grpc.StatusCode.INVALID_ARGUMENT, {"eager_results"})


# --------------------------------------------------------------------------------------------------------------- eager results


def sure(*texts: str) -> FakeEngine:
    """Says one text after another, each of them sure."""
    coming = iter(texts)
    return FakeEngine(lambda _audio, _options: Decoding(heard(next(coming), sure=True)))


async def test_an_eager_result_is_told_in_the_silence_and_then_that_it_stood() -> None:
    async with speech_server(sure("That is all."), presets=(EARLY,)) as server:
        call = server.stub.StreamingRecognize()
        await call.write(asking(eager_results=True))
        await say(call, speech(1_000), silence(200))
        eager = await result(call)
        assert (eager.alternatives[0].transcript, eager.stability, eager.is_final, eager.segment) == ("That is all.", 1.0, False, 0)
        assert eager.result_end_offset.ToMilliseconds() == 1_000
        assert not eager.HasField("ledger")
        await say(call, silence(200))
        final = await result(call)
        assert (final.alternatives[0].transcript, final.is_final) == ("That is all.", True)
        assert (await call.read()).speech_event_type == Response.EAGER_STOOD
        await ends_well(call)


async def test_an_eager_result_that_was_wrong_is_withdrawn() -> None:
    async with speech_server(sure("That is all.", "That is all right."), presets=(EARLY,)) as server:
        call = server.stub.StreamingRecognize()
        await call.write(asking(eager_results=True))
        await say(call, speech(1_000), silence(200))
        assert (await result(call)).alternatives[0].transcript == "That is all."
        await say(call, speech(500), silence(200))
        assert (await call.read()).speech_event_type == Response.EAGER_WITHDRAWN
        assert (await result(call)).alternatives[0].transcript == "That is all right."
        await say(call, silence(200))
        assert (await result(call)).is_final
        assert (await call.read()).speech_event_type == Response.EAGER_STOOD
        await ends_well(call)


async def test_nothing_is_told_early_that_was_not_asked_for() -> None:
    async with speech_server(sure("That is all."), presets=(EARLY,)) as server:
        answer = await converse(server.stub, [asking(), *chunks(linear16(speech(1_000)) + linear16(silence(400)))])
    assert [response.results[0].is_final for response in answer.responses] == [True]


# ------------------------------------------------------------------------------------------------------------------- the ledger


async def test_a_final_known_before_its_segment_was_closed_costs_no_recognition() -> None:
    """The partial shows that the hypothesis is there."""
    async with speech_server(presets=(EARLY,)) as server:
        call = server.stub.StreamingRecognize()
        await call.write(asking(interim_results=True))
        await say(call, speech(400), silence(200))
        assert not (await result(call)).is_final
        await say(call, silence(200))
        ledger = (await result(call)).ledger
        await ends_well(call)
    assert ledger.speculated_ms > 0
    assert (spent_ms(ledger)["asr"], spent_ms(ledger)["queue"]) == (0.0, 0.0)
    assert sum(spent_ms(ledger).values()) == pytest.approx(ledger.response_ms, rel=1e-3)
    assert (ledger.endpoint_wait_ms, ledger.late) == (300, False)


async def test_of_a_decode_that_outlasts_the_silence_only_what_comes_after_it_counts() -> None:
    engine = HeldEngine()
    async with speech_server(engine, presets=(EARLY,)) as server:
        call = server.stub.StreamingRecognize()
        await call.write(first(events=True))
        await say(call, speech(1_000), silence(200))
        assert (await call.read()).speech_event_type == Response.SPEECH_ACTIVITY_BEGIN
        held = await engine.next_decode()
        await say(call, silence(200))
        assert (await call.read()).speech_event_type == Response.SPEECH_ACTIVITY_END
        held.finish("ok")
        ledger = (await result(call)).ledger
        await call.done_writing()
    assert ledger.speculated_ms > 0
    assert 0 < spent_ms(ledger)["asr"] <= ledger.response_ms
    assert ledger.endpoint_wait_ms == 300


# ------------------------------------------------------------------------------------------------------------ what goes wrong


async def test_a_decode_begun_early_that_fails_is_asked_for_again_as_a_final_and_the_stream_lives() -> None:
    engine = HeldEngine()
    worker = RememberingWorker(engine)
    async with served_by(worker, engine) as server:
        call = server.stub.StreamingRecognize()
        await call.write(asking())
        await say(call, speech(1_000), silence(200))
        (await engine.next_decode()).fail(RuntimeError("broken"))
        await asyncio.wait({worker.asked[0][1]})
        await say(call, silence(200))
        (await engine.next_decode()).finish("at last")
        assert (await result(call)).alternatives[0].transcript == "at last"
        await ends_well(call)
    assert worker.purposes == [Purpose.SPECULATIVE, Purpose.FINAL]


async def test_a_decode_that_fails_once_it_is_a_final_is_asked_for_again_by_the_main_model() -> None:
    engine = HeldEngine()
    worker = RememberingWorker(engine)
    async with served_by(worker, engine, replace(EARLY, tier=Tier.SMALLER)) as server:
        call = server.stub.StreamingRecognize()
        await call.write(first(events=True))
        await say(call, speech(1_000), silence(400))
        held = await engine.next_decode()
        while (await call.read()).speech_event_type != Response.SPEECH_ACTIVITY_END:
            pass
        held.fail(RuntimeError("broken"))
        (await engine.next_decode()).finish("at last")
        assert (await result(call)).alternatives[0].transcript == "at last"
        await call.done_writing()
    assert worker.purposes == [Purpose.SPECULATIVE, Purpose.FINAL]
    assert [job.options.tier for job, _ in worker.asked] == [Tier.SMALLER, Tier.MAIN]


async def test_a_final_that_fails_twice_ends_the_stream() -> None:
    engine = HeldEngine()
    async with speech_server(engine, presets=(EARLY,)) as server:
        call = server.stub.StreamingRecognize()
        await call.write(first())
        await say(call, speech(1_000), silence(400))
        for _ in range(2):
            (await engine.next_decode()).fail(RuntimeError("broken"))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
    assert caught.value.code() is grpc.StatusCode.INTERNAL


async def test_a_model_that_was_named_is_not_left_when_it_fails_once() -> None:
    engine = HeldEngine()
    worker = RememberingWorker(engine)
    async with served_by(worker, engine, replace(EARLY, tier=Tier.ONLY_SMALLER)) as server:
        call = server.stub.StreamingRecognize()
        await call.write(first())
        await say(call, speech(1_000), silence(400))
        (await engine.next_decode()).fail(RuntimeError("broken"))
        (await engine.next_decode()).finish("at last")
        await result(call)
        await ends_well(call)
    assert [job.options.tier for job, _ in worker.asked] == [Tier.ONLY_SMALLER] * 2


async def test_a_partial_that_fails_is_no_loss_and_can_be_seen(caplog: pytest.LogCaptureFixture) -> None:
    def answer(_audio: Normalized, options: DecodeOptions) -> Decoding:
        if options.beam_size == 1:
            raise RuntimeError("broken")
        return said("whole")

    observer = FakeObserver()
    async with speech_server(FakeEngine(answer), presets=(EARLY,), observer=observer) as server:
        call = server.stub.StreamingRecognize()
        await call.write(asking(interim_results=True))
        await say(call, speech(1_000))
        await until(lambda: "decode_failed" in [name for name, _, _ in observer.only.events])
        await say(call, silence(400))
        while not (final := await result(call)).is_final:
            pass
        await ends_well(call)
    assert (final.alternatives[0].transcript, list(final.ledger.degraded)) == ("whole", ["partials"])
    failed = [attributes for name, attributes, _ in observer.only.events if name == "decode_failed"]
    assert failed[0] == {"asr.segment": 0, "asr.purpose": "partial", "error.type": "EngineFailed"}
    assert caplog.text.count("a partial decode failed: recognition failed: RuntimeError: broken") == 1


async def test_a_segment_that_showed_a_partial_gave_none_up() -> None:
    async with speech_server(presets=(EARLY,)) as server:
        call = server.stub.StreamingRecognize()
        await call.write(asking(interim_results=True))
        await say(call, speech(1_000))
        assert not (await result(call)).is_final
        await say(call, silence(400))
        while not (final := await result(call)).is_final:
            pass
        await ends_well(call)
    assert list(final.ledger.degraded) == []


async def test_a_decode_that_lost_its_place_as_it_became_a_final_is_asked_for_again() -> None:
    engine = HeldEngine()
    worker = DisplacingWorker(engine)
    async with served_by(worker, engine) as server:
        call = server.stub.StreamingRecognize()
        await call.write(asking())
        await say(call, speech(1_000), silence(200))
        lost = await engine.next_decode()
        await say(call, silence(200))
        again = await engine.next_decode()
        lost.finish("too late")
        again.finish("ok")
        final = await result(call)
        await ends_well(call)
    assert worker.purposes == [Purpose.SPECULATIVE, Purpose.FINAL]
    assert (final.alternatives[0].transcript, final.ledger.endpoint_wait_ms, final.ledger.speculated_ms) == ("ok", 300, 0)


async def test_speech_that_goes_on_makes_the_decode_useless_and_nothing_of_it_is_sent() -> None:
    engine = HeldEngine()
    worker = RememberingWorker(engine)
    async with served_by(worker, engine) as server:
        call = server.stub.StreamingRecognize()
        await call.write(asking())
        await say(call, speech(1_000), silence(200))
        useless = await engine.next_decode()
        await say(call, speech(500), silence(400))
        useful = await engine.next_decode()
        assert worker.asked[0][1].cancelled()
        useless.finish("too early")
        useful.finish("all of it")
        assert (await result(call)).alternatives[0].transcript == "all of it"
        await ends_well(call)
    assert worker.purposes == [Purpose.SPECULATIVE, Purpose.SPECULATIVE]


# -------------------------------------------------------------------------------------------------------------------- the words


@pytest.mark.parametrize("asked_for", [False, True])
async def test_words_that_the_context_wants_are_sent_only_when_the_caller_does_too(asked_for: bool) -> None:
    def answer(audio: Normalized, options: DecodeOptions) -> Decoding:
        assert (options.word_places, options.word_times) == (WordPlaces.AFTER, asked_for)
        return Decoding(Hypothesis((Alternative("ok", 0.9),), (Word("ok", audio.to_stream(0), audio.to_stream(1_600), 0.8),)))

    content = linear16(speech(1_000)) + linear16(silence(400))
    async with speech_server(FakeEngine(answer), presets=(WITH_CONTEXT,)) as server:
        result = await converse(server.stub, [asking(words=asked_for), *chunks(content)])
    assert result.code is grpc.StatusCode.OK
    assert [word.word for word in result.finals[0].alternatives[0].words] == (["ok"] if asked_for else [])


async def test_a_segment_is_decoded_with_the_words_before_it() -> None:
    told = []

    def answer(audio: Normalized, options: DecodeOptions) -> Decoding:
        told.append(() if options.said is None else options.said.words)
        words = (Word("one", audio.to_stream(8_000), audio.to_stream(12_000), 0.8),)
        return Decoding(Hypothesis((Alternative("one", 0.9),), words))

    async with speech_server(FakeEngine(answer), presets=(WITH_CONTEXT,)) as server:
        call = server.stub.StreamingRecognize()
        await call.write(asking())
        for _ in range(2):
            await say(call, speech(1_000), silence(400))
            assert (await result(call)).is_final
        await ends_well(call)
    assert told == [(), ("one",)]
