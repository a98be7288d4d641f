import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import cycle

import pytest

from asr_server.budget import LatencyBudget
from asr_server.engine.correction import BESIDE_OTHERS
from asr_server.engine.engine import DecodeOptions, Decoding, EngineSpan
from asr_server.engine.worker import DecodeJob, Prediction, Worker, WorkerOptions
from asr_server.errors import EngineFailed
from asr_server.events import Purpose, Said, Tier, WordPlaces
from asr_server.transcript import Hypothesis, Word
from audio_norm import Normalized, SpeechWindow
from tests.engine.worker.jobs import RATE_HZ, condition, final, held, job, reject, result, window
from tests.fake_clock import FakeClock
from tests.fake_engine import COST, PATIENCE_S, FakeEngine, HeldEngine, said


def condition_taking(clock: FakeClock, ms: float) -> Callable[[SpeechWindow], Normalized]:
    def conditioned(window: SpeechWindow) -> Normalized:
        clock.advance_ms(ms)
        return condition(window)

    return conditioned


async def test_stages_tell_where_the_time_went_without_gaps() -> None:
    clock = FakeClock(now_s=100.0)

    def answer(_audio: Normalized, _options: DecodeOptions) -> Decoding:
        start_s = clock.now_s
        clock.advance_ms(80)
        spans = (EngineSpan("encode", start_s, start_s + 0.03), EngineSpan("decode", start_s + 0.03, start_s + 0.08))
        return Decoding(Hypothesis(), spans=spans)

    async with Worker(FakeEngine(answer), WorkerOptions(threads=1), now=clock) as worker:
        decoded = await result(worker.submit(job(condition=condition_taking(clock, 15))))

    queue, conditioning, asr = decoded.stages
    assert [stage.name for stage in decoded.stages] == ["queue", "condition", "asr"]
    assert queue.start_s == 100.0
    assert queue.end_s == conditioning.start_s
    assert conditioning.end_s == asr.start_s
    assert conditioning.spent_ms == pytest.approx(15)
    assert asr.spent_ms == pytest.approx(80)
    assert [part.name for part in asr.parts] == ["asr.encode", "asr.decode"]
    assert [part.spent_ms for part in asr.parts] == pytest.approx([30, 50])


async def test_waiting_is_counted_from_submission() -> None:
    clock = FakeClock()
    engine = HeldEngine()
    async with Worker(engine, WorkerOptions(threads=1), now=clock) as worker:
        running = await held(worker, engine)
        waiting = worker.submit(final("waiting", owner=1))
        clock.advance_ms(70)
        running.finish()
        (await engine.next_decode()).finish()

        assert (await result(waiting)).stages[0].spent_ms == pytest.approx(70)


FIVE_SECONDS = 5 * RATE_HZ
# With COST and 1 s of margin: 47 ms for the encoder, 22 tokens; a beam of 5 takes 328.6 ms, one of 2 249.4 ms, greedy 223 ms, word times
# 25 ms more.
WANTED = DecodeOptions(beam_size=5, word_times=True)


@pytest.mark.parametrize(
    ("budget", "waited_ms", "beam_size", "word_times", "degraded"),
    [
        # The asr slice of 300 ms is a limit also when more time is left.
        (LatencyBudget(), 0, 2, True, ("beam",)),
        (LatencyBudget(total_ms=1000, asr_ms=400), 0, 5, True, ()),
        # 500 - 10 - 20 ms less what was waited and 10 ms of conditioning: 248 ms are just enough for greedy with word times.
        (LatencyBudget(), 212, 1, True, ("beam",)),
        (LatencyBudget(), 213, 1, False, ("beam", "words")),
        # Late: the cheapest, decoded all the same.
        (LatencyBudget(), 2000, 1, False, ("beam", "words")),
    ],
)
async def test_a_final_is_planned_for_the_time_that_is_left_when_its_audio_is_ready(
    budget: LatencyBudget, waited_ms: float, beam_size: int, word_times: bool, degraded: tuple[str, ...]
) -> None:
    clock = FakeClock()
    seen: list[DecodeOptions] = []

    def answer(_audio: Normalized, options: DecodeOptions) -> Decoding:
        seen.append(options)
        return said("complete")

    answer_at_s = clock.now_s - waited_ms / 1000
    conditioned = condition_taking(clock, ms=9.999)
    late = DecodeJob(1, 0, Purpose.FINAL, window(FIVE_SECONDS), WANTED, conditioned, answer_at_s, budget)
    async with Worker(FakeEngine(answer), WorkerOptions(margin_ms=1000), now=clock) as worker:
        decoded = await result(worker.submit(late))

    assert decoded.decoding.hypothesis.text == "complete"
    assert decoded.degraded == decoded.plan.degraded == degraded
    assert (decoded.plan.beam_size, decoded.plan.word_times) == (beam_size, word_times)
    assert decoded.plan.predicted_ms == COST.predict(5000, 1000, beam_size, word_times=word_times).ms
    assert [(options.beam_size, options.word_times) for options in seen] == [(beam_size, word_times)]
    assert decoded.audio_ms == 5000


async def test_a_partial_is_greedy_without_word_times() -> None:
    async with Worker(FakeEngine()) as worker:
        decoded = await result(worker.submit(job(purpose=Purpose.PARTIAL, options=DecodeOptions(beam_size=5, word_times=True))))

    assert (decoded.plan.beam_size, decoded.plan.word_times, decoded.degraded) == (1, False, ())


async def test_rejected_audio_is_not_decoded_and_says_why(one_thread: Worker, engine: HeldEngine) -> None:
    decoded = await result(one_thread.submit(job(condition=reject)))

    assert engine.none_started()
    assert decoded.decoding.hypothesis == Hypothesis(rejected="too_short")
    assert [stage.name for stage in decoded.stages] == ["queue", "condition"]
    assert (decoded.audio_ms, decoded.plan.predicted_ms, decoded.degraded) == (0, 0, ())


@pytest.mark.parametrize(("ready_in_ms", "beam_size"), [(200, 5), (50, 2), (-30, 1)])
async def test_a_speculative_job_may_use_the_time_until_its_answer_is_wanted(ready_in_ms: float, beam_size: int) -> None:
    clock = FakeClock()
    wanted = DecodeOptions(beam_size=5)
    budget = LatencyBudget(asr_ms=200.0)
    asked = DecodeJob(1, 0, Purpose.SPECULATIVE, window(FIVE_SECONDS), wanted, condition, clock.now_s + ready_in_ms / 1000, budget)
    async with Worker(FakeEngine(), now=clock) as worker:
        decoded = await result(worker.submit(asked))

    assert decoded.plan.beam_size == beam_size


def test_the_time_allowed_ends_with_the_deadline_and_of_the_response_is_never_more_than_the_slice() -> None:
    asked = job(purpose=Purpose.SPECULATIVE, answer_at_s=10.0)

    allowed_ms = [asked.allowed_ms(now_s) for now_s in (9.0, 10.0, 10.1, 10.3, 11.0)]

    assert allowed_ms == pytest.approx([1300, 300, 300, 170, -530])


async def test_text_that_was_said_costs_its_tokens_and_leaves_fewer_to_expect() -> None:
    options = DecodeOptions(beam_size=1, said=Said(("ten",) * 10, until_sample=3 * RATE_HZ), word_places=WordPlaces.WITH)
    async with Worker(FakeEngine(), WorkerOptions(margin_ms=1000)) as worker:
        decoded = await result(worker.submit(job(options=options, samples=FIVE_SECONDS)))

    assert decoded.plan.predicted_ms == COST.predict(5000, 1000, 1, word_times=True, new_audio_ms=2000, given_tokens=13).ms


PLACED_AFTER = DecodeOptions(beam_size=1, word_places=WordPlaces.AFTER)
WORDS = (Word("ok", 0, 1_600, 0.8),)


class TwoStageEngine(FakeEngine):
    """Tells a text, and when the test allows it, its words, or that they were not found."""

    def __init__(self, *, fails: bool = False) -> None:
        super().__init__()
        self.has_begun, self.may_tell, self.may_place = threading.Event(), threading.Event(), threading.Event()
        self._fails = fails
        self.wanted: list[bool] = []

    def decode_together(
        self,
        jobs: Sequence[tuple[Normalized, DecodeOptions]],
        done: Callable[[int, Decoding | EngineFailed], None],
        told: Callable[[int, Decoding], None] = lambda _, __: None,
        wanted: Callable[[int], bool] = lambda _: True,
    ) -> None:
        self.has_begun.set()
        for number in range(len(jobs)):
            assert self.may_tell.wait(PATIENCE_S)
            self.wanted.append(wanted(number))
            if self.wanted[-1]:
                told(number, said("ok"))
            assert self.may_place.wait(PATIENCE_S)
            whole = said("ok")
            done(number, EngineFailed("no") if self._fails else replace(whole, hypothesis=replace(whole.hypothesis, words=WORDS)))


async def placed(queue: asyncio.Queue[tuple[Word, ...]]) -> tuple[Word, ...]:
    async with asyncio.timeout(PATIENCE_S):
        return await queue.get()


@pytest.mark.parametrize(("fails", "words"), [(False, WORDS), (True, ())])
async def test_a_text_does_not_wait_for_its_words(fails: bool, words: tuple[Word, ...]) -> None:
    engine = TwoStageEngine(fails=fails)
    queue: asyncio.Queue[tuple[Word, ...]] = asyncio.Queue()
    async with Worker(engine, WorkerOptions(threads=1)) as worker:
        engine.may_tell.set()
        decoded = await result(worker.submit(replace(job(options=PLACED_AFTER), placed=queue.put_nowait)))
        assert (decoded.decoding.hypothesis.text, decoded.decoding.hypothesis.words, queue.empty()) == ("ok", (), True)
        assert worker.running == 1
        engine.may_place.set()
        assert await placed(queue) == words
        assert worker.prediction.count == 1


async def test_who_waits_for_the_text_hears_of_it_before_its_words() -> None:
    engine = TwoStageEngine()
    engine.may_tell.set()
    engine.may_place.set()
    heard: list[str] = []
    async with Worker(engine, WorkerOptions(threads=1)) as worker:
        future = worker.submit(replace(job(options=PLACED_AFTER), placed=lambda _: heard.append("words")))
        future.add_done_callback(lambda _: heard.append("text"))
        time.sleep(0.05)  # noqa: ASYNC251 - both have come when the loop goes on
        await result(future)
    assert heard == ["text", "words"]


async def test_a_decode_that_is_given_up_while_it_runs_need_not_go_on() -> None:
    engine = TwoStageEngine()
    queue: asyncio.Queue[tuple[Word, ...]] = asyncio.Queue()
    async with Worker(engine, WorkerOptions(threads=1)) as worker:
        future = worker.submit(replace(job(options=PLACED_AFTER), placed=queue.put_nowait))
        await asyncio.to_thread(engine.has_begun.wait, PATIENCE_S)
        worker.cancel(1)
        engine.may_tell.set()
        engine.may_place.set()
    assert engine.wanted == [False]
    assert future.cancelled()
    assert queue.empty()


async def test_each_model_is_predicted_by_its_own_decodes() -> None:
    clock = FakeClock()
    engine, smaller = FakeEngine(Machine(clock, times=1.0)), FakeEngine(Machine(clock, times=2.0), model="smaller")
    options = DecodeOptions(beam_size=1)
    async with Worker(engine, WorkerOptions(threads=1), now=clock, smaller=smaller) as worker:
        for number in range(50):
            asked = job(number=number, purpose=Purpose.PARTIAL, samples=FIVE_SECONDS, options=options)
            by_smaller = (await result(worker.submit(asked))).plan
        by_main = (await result(worker.submit(job(number=50, samples=FIVE_SECONDS, options=options)))).plan

        assert worker.prediction.count == 1
        assert worker.prediction_error == pytest.approx(1.3, abs=0.3), "decodes by either model count"
    assert (by_smaller.by_smaller, by_main.by_smaller) == (True, False)
    assert by_smaller.predicted_ms > 1.5 * 223
    assert by_main.predicted_ms == pytest.approx(223)


class Machine:
    """Decodes take a fixed multiple of what the calibrated model says."""

    def __init__(self, clock: FakeClock, times: float) -> None:
        self._clock = clock
        self._times = times

    def __call__(self, audio: Normalized, options: DecodeOptions) -> Decoding:
        ms = COST.predict(audio.duration_s * 1000, 1000, options.beam_size, word_times=options.word_times).ms
        self._clock.advance_ms(ms * self._times)
        return said("ok")


async def test_predictions_follow_what_decodes_take() -> None:
    clock = FakeClock()
    async with Worker(FakeEngine(Machine(clock, times=1.2)), WorkerOptions(threads=1), now=clock) as worker:
        assert worker.prediction == Prediction.unlearnt(1)
        plans = [(await result(worker.submit(job(number=number, samples=FIVE_SECONDS)))).plan for number in range(100)]

        assert worker.prediction.count == 100
        assert worker.prediction.factors == pytest.approx([1.2], rel=0.01)
        assert worker.prediction.error == pytest.approx(1.0, abs=0.05)
    assert plans[0].predicted_ms == pytest.approx(223)
    assert plans[-1].predicted_ms == pytest.approx(1.2 * 223, rel=0.01)


@pytest.mark.parametrize(
    ("times", "purpose", "beam_size"),
    [((1.0, 1.0), Purpose.FINAL, 2), ((1 / 1.3, 1.3), Purpose.FINAL, 1), ((1 / 1.3, 1.3), Purpose.SPECULATIVE, 2)],
)
async def test_where_decodes_take_now_more_now_less_a_final_leaves_room_for_that(
    times: tuple[float, float], purpose: Purpose, beam_size: int
) -> None:
    clock = FakeClock()
    machines = cycle([Machine(clock, times=one) for one in times])

    def decode(audio: Normalized, options: DecodeOptions) -> Decoding:
        return next(machines)(audio, options)

    async with Worker(FakeEngine(decode), WorkerOptions(threads=1), now=clock) as worker:
        for number in range(100):
            await result(worker.submit(job(number=number, purpose=Purpose.PARTIAL, samples=FIVE_SECONDS)))
        options = DecodeOptions(beam_size=2)
        asked = job(number=100, purpose=purpose, samples=FIVE_SECONDS, options=options, answer_at_s=clock.now_s)
        decoded = await result(worker.submit(asked))

    assert decoded.plan.beam_size == beam_size


async def test_a_decode_beside_another_is_predicted_to_take_longer(two_threads: Worker, engine: HeldEngine) -> None:
    running = await held(two_threads, engine)
    beside = two_threads.submit(final("beside", owner=1))
    (await engine.next_decode()).finish()

    assert (await result(beside)).plan.predicted_ms == pytest.approx(BESIDE_OTHERS * COST.predict(500, 1000, 1, word_times=False).ms)
    running.finish()


async def test_the_time_threads_were_busy_is_told_by_purpose() -> None:
    clock = FakeClock()
    async with Worker(FakeEngine(Machine(clock, times=1.0)), WorkerOptions(threads=1), now=clock) as worker:
        for number, purpose in enumerate((Purpose.FINAL, Purpose.FINAL, Purpose.PARTIAL)):
            asked = job(number=number, purpose=purpose, samples=FIVE_SECONDS)
            await result(worker.submit(asked))

        assert worker.busy_s == pytest.approx(dict.fromkeys(Purpose, 0.0) | {Purpose.FINAL: 0.446, Purpose.PARTIAL: 0.223})


HALF = replace(COST, encode_ms_per_frame=0.035, token_ms=4.0)


@pytest.mark.parametrize(
    ("language", "waited_ms", "model", "degraded"),
    [
        ("en", 230, "fake", ("beam", "words")),
        # 223 ms for a greedy decode are not left: the smaller model does it in half, with word times and a beam of 5.
        ("en", 250, "smaller", ("model",)),
        ("en", 2000, "smaller", ("beam", "words", "model")),
        # It does not speak these.
        ("de", 250, "fake", ("beam", "words")),
        ("auto", 250, "fake", ("beam", "words")),
    ],
)
async def test_a_smaller_model_decodes_what_would_be_late_otherwise(
    language: str, waited_ms: float, model: str, degraded: tuple[str, ...]
) -> None:
    clock = FakeClock()
    options = DecodeOptions(language=language, beam_size=5, word_times=True)
    engine = FakeEngine(lambda _audio, _options: said("by the main one"), languages=("en", "de"))
    smaller = FakeEngine(lambda _audio, _options: said("by the smaller one"), HALF, model="smaller")
    asked = job(options=options, samples=FIVE_SECONDS, answer_at_s=clock.now_s - waited_ms / 1000)
    async with Worker(engine, now=clock, smaller=smaller) as worker:
        decoded = await result(worker.submit(asked))

    assert decoded.release.model == model
    assert decoded.degraded == degraded
    assert ("smaller" in decoded.decoding.hypothesis.text) == (model == "smaller")


@pytest.mark.parametrize(
    ("language", "purpose", "tier", "model"),
    [
        ("en", Purpose.PARTIAL, Tier.ANY, "smaller"),
        ("en", Purpose.PARTIAL, Tier.MAIN, "fake"),
        ("de", Purpose.PARTIAL, Tier.ANY, "fake"),
        ("auto", Purpose.PARTIAL, Tier.ANY, "fake"),
        ("en", Purpose.FINAL, Tier.SMALLER, "smaller"),
        ("en", Purpose.FINAL, Tier.ANY, "fake"),
        ("de", Purpose.FINAL, Tier.SMALLER, "fake"),
        ("auto", Purpose.FINAL, Tier.SMALLER, "fake"),
        # It was named: which language is found out by it.
        ("auto", Purpose.FINAL, Tier.ONLY_SMALLER, "smaller"),
        ("auto", Purpose.PARTIAL, Tier.ONLY_SMALLER, "smaller"),
    ],
)
async def test_a_smaller_model_decodes_partials_and_for_who_prefers_it_if_it_speaks_the_language(
    language: str, purpose: Purpose, tier: Tier, model: str
) -> None:
    options = DecodeOptions(language=language, beam_size=1, tier=tier)
    engine, smaller = FakeEngine(languages=("en", "de")), FakeEngine(model="smaller")
    async with Worker(engine, now=FakeClock(), smaller=smaller) as worker:
        decoded = await result(worker.submit(job(options=options, purpose=purpose, samples=FIVE_SECONDS)))

    assert (decoded.release.model, decoded.degraded) == (model, ())


@pytest.mark.parametrize(("field", "value"), [("threads", 0), ("max_queued", 0), ("margin_ms", -1.0), ("retry_after_s", 0.0)])
def test_options_that_cannot_work_are_refused(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"worker {field} is"):
        WorkerOptions(**{field: value})  # type: ignore[arg-type]  # a value of each field's type
