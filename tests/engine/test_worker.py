import asyncio
import gc
import threading
import weakref
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import pytest

from asr_server.budget import LatencyBudget
from asr_server.engine.engine import DecodeOptions, Decoding, EngineSpan
from asr_server.engine.worker import Decoded, DecodeJob, Worker, WorkerOptions
from asr_server.errors import EngineFailed, NotServing, Overloaded
from asr_server.events import Purpose
from asr_server.transcript import Hypothesis
from audio_norm import Normalized, Span, SpeechWindow
from tests.fake_clock import FakeClock
from tests.fake_engine import COST, PATIENCE_S, FakeEngine, HeldDecode, HeldEngine, said

RATE_HZ = 16_000
SAMPLES = RATE_HZ // 2


def window(samples: int = SAMPLES) -> SpeechWindow:
    return SpeechWindow(np.zeros(samples, np.float32), start_sample=0, speech=(Span(0, samples),))


def condition(window: SpeechWindow) -> Normalized:
    """Keeps the window as it is."""
    return Normalized(
        samples=window.samples,
        rate_hz=RATE_HZ,
        kept=(Span(window.start_sample, window.end_sample),),
        gain_db=0.0,
        loudness_lufs=None,
        true_peak_dbfs=None,
        speech_samples=len(window.samples),
        rejected=None,
        definition="test",
    )


def reject(_window: SpeechWindow) -> Normalized:
    return Normalized(
        samples=np.zeros(0, np.float32),
        rate_hz=RATE_HZ,
        kept=(),
        gain_db=0.0,
        loudness_lufs=None,
        true_peak_dbfs=None,
        speech_samples=0,
        rejected="too_short",
        definition="test",
    )


def job(
    name: str = "a",
    owner: int = 1,
    number: int = 0,
    purpose: Purpose = Purpose.FINAL,
    answer_at_s: float = 0.0,
    condition: Callable[[SpeechWindow], Normalized] = condition,
    options: DecodeOptions | None = None,
    samples: int = SAMPLES,
) -> DecodeJob:
    """A job that the engine recognises by `name`."""
    options = options or DecodeOptions(beam_size=1, phrases=(name,))
    return DecodeJob(owner, number, purpose, window(samples), options, condition, answer_at_s, LatencyBudget())


def final(name: str, owner: int = 1, number: int = 0, answer_at_s: float = 0.0) -> DecodeJob:
    return job(name, owner, number, Purpose.FINAL, answer_at_s)


def partial(name: str, owner: int = 1, number: int = 0) -> DecodeJob:
    return job(name, owner, number, Purpose.PARTIAL)


def name_of(held: HeldDecode) -> str:
    return held.options.phrases[0]


async def result(future: asyncio.Future[Decoded]) -> Decoded:
    async with asyncio.timeout(PATIENCE_S):
        return await future


def engine_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("engine-")]


@pytest.fixture
async def engine() -> AsyncIterator[HeldEngine]:
    """Also sees to it that nothing the worker calls on the loop fails unheard."""
    failures: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: failures.append(context))
    yield HeldEngine()
    assert failures == []


@pytest.fixture
async def one_thread(engine: HeldEngine) -> AsyncIterator[Worker]:
    async with Worker(engine, WorkerOptions(threads=1, max_queued=3)) as worker:
        yield worker
    assert engine_threads() == []


@pytest.fixture
async def two_threads(engine: HeldEngine) -> AsyncIterator[Worker]:
    async with Worker(engine, WorkerOptions(threads=2)) as worker:
        yield worker
    assert engine_threads() == []


async def held(worker: Worker, engine: HeldEngine, name: str = "running") -> HeldDecode:
    """A final of owner 0 that occupies a thread."""
    worker.submit(final(name, owner=0))
    return await engine.next_decode()


async def decoded_order(engine: HeldEngine, first: HeldDecode, count: int) -> list[str]:
    """Ends `first` and then each decode as it starts; the names of the `count` after it."""
    names = []
    first.finish()
    for _ in range(count):
        decode = await engine.next_decode()
        names.append(name_of(decode))
        decode.finish()
    return names


# ------------------------------------------------------------------------------------------------------------------------- order


async def test_finals_are_decoded_by_earliest_deadline_and_before_partials(one_thread: Worker, engine: HeldEngine) -> None:
    running = await held(one_thread, engine)
    for waiting in (partial("partial", owner=1), final("late", owner=2, answer_at_s=5.0), final("early", owner=3, answer_at_s=3.0)):
        one_thread.submit(waiting)

    assert await decoded_order(engine, running, 3) == ["early", "late", "partial"]


async def test_a_shorter_budget_is_an_earlier_deadline() -> None:
    def deadline_s(budget: LatencyBudget) -> float:
        return DecodeJob(1, 0, Purpose.FINAL, window(), DecodeOptions(), condition, 10.0, budget).deadline.at_s

    assert deadline_s(LatencyBudget(total_ms=500, post_ms=10, send_ms=20)) == pytest.approx(10.47)
    assert deadline_s(LatencyBudget().scaled_to(200)) < deadline_s(LatencyBudget())


async def test_finals_of_equal_deadline_are_decoded_in_the_order_of_submission(one_thread: Worker, engine: HeldEngine) -> None:
    running = await held(one_thread, engine)
    for owner, name in enumerate(("first", "second", "third"), start=1):
        one_thread.submit(final(name, owner))

    assert await decoded_order(engine, running, 3) == ["first", "second", "third"]


async def test_a_newer_partial_takes_the_place_of_the_older_whose_future_is_cancelled(one_thread: Worker, engine: HeldEngine) -> None:
    running = await held(one_thread, engine)
    old = one_thread.submit(partial("old", owner=1, number=1))
    one_thread.submit(partial("other", owner=2))
    new = one_thread.submit(partial("new", owner=1, number=2))

    assert old.cancelled()
    assert one_thread.queue_depth == 2
    assert await decoded_order(engine, running, 2) == ["new", "other"]
    assert (await result(new)).decoding.hypothesis.text == "ok"


async def test_a_running_partial_is_not_replaced(one_thread: Worker, engine: HeldEngine) -> None:
    running_future = one_thread.submit(partial("running", owner=1, number=1))
    running = await engine.next_decode()
    newer = one_thread.submit(partial("newer", owner=1, number=2))
    running.finish("old text")

    assert (await result(running_future)).decoding.hypothesis.text == "old text"
    (await engine.next_decode()).finish("new text")
    assert (await result(newer)).decoding.hypothesis.text == "new text"


async def test_partials_leave_a_thread_to_a_final(two_threads: Worker, engine: HeldEngine) -> None:
    two_threads.submit(partial("partial 1", owner=1))
    running = await engine.next_decode()
    # One thread has a partial. The other has been at work, and must now leave what waits alone.
    before = await held(two_threads, engine, "before")
    waiting = [two_threads.submit(partial("partial 2", owner=2)), two_threads.submit(partial("partial 3", owner=3))]
    before.finish()
    two_threads.submit(final("final", owner=4))
    final_decode = await engine.next_decode()

    assert name_of(final_decode) == "final"
    assert two_threads.queue_depth == len(waiting)

    final_decode.finish()
    assert await decoded_order(engine, running, 2) == ["partial 2", "partial 3"]
    for future in waiting:
        await result(future)


@pytest.mark.parametrize("threads", [1, 2, 4])
async def test_no_more_partials_run_at_a_time_than_leave_one_thread_free(threads: int) -> None:
    lock = threading.Lock()
    now_running, most_running = 0, 0

    def answer(_audio: Normalized, _options: DecodeOptions) -> Decoding:
        nonlocal now_running, most_running
        with lock:
            now_running += 1
            most_running = max(most_running, now_running)
        np.linalg.norm(np.ones((200, 200)))
        with lock:
            now_running -= 1
        return said("ok")

    async with Worker(FakeEngine(answer), WorkerOptions(threads=threads)) as worker:
        await asyncio.gather(*(result(worker.submit(partial("p", owner))) for owner in range(50)))

    assert 1 <= most_running <= max(1, threads - 1)


async def test_with_one_thread_partials_run_too(one_thread: Worker, engine: HeldEngine) -> None:
    future = one_thread.submit(partial("alone"))
    (await engine.next_decode()).finish("text")

    assert (await result(future)).decoding.hypothesis.text == "text"


# -------------------------------------------------------------------------------------------------------------------- cancelling


async def test_a_cancelled_waiting_job_never_reaches_the_engine(one_thread: Worker, engine: HeldEngine) -> None:
    running = await held(one_thread, engine)
    future = one_thread.submit(final("unwanted", owner=1))
    one_thread.submit(final("wanted", owner=2))
    one_thread.cancel(1)

    assert future.cancelled()
    assert one_thread.queue_depth == 1
    assert await decoded_order(engine, running, 1) == ["wanted"]


async def test_one_job_of_an_owner_can_be_cancelled_alone(one_thread: Worker, engine: HeldEngine) -> None:
    running = await held(one_thread, engine)
    kept, dropped = one_thread.submit(final("kept", owner=1, number=1)), one_thread.submit(final("dropped", owner=1, number=2))
    one_thread.cancel(1, job=2)
    one_thread.cancel(1, job=3)
    one_thread.cancel(99)

    assert dropped.cancelled()
    assert not kept.done()
    assert await decoded_order(engine, running, 1) == ["kept"]


async def test_a_cancelled_running_job_is_left_to_end_and_its_result_discarded(one_thread: Worker, engine: HeldEngine) -> None:
    future = one_thread.submit(final("unwanted", owner=1))
    running = await engine.next_decode()
    next_future = one_thread.submit(final("next", owner=2))
    one_thread.cancel(1)

    assert future.cancelled()
    assert one_thread.running == 1

    assert await decoded_order(engine, running, 1) == ["next"]
    await result(next_future)
    assert future.cancelled()


async def test_to_cancel_the_future_is_to_cancel_the_job(one_thread: Worker, engine: HeldEngine) -> None:
    running = await held(one_thread, engine)
    waiting = asyncio.create_task(result(one_thread.submit(final("unwanted", owner=1))))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    await asyncio.sleep(0)

    assert one_thread.queue_depth == 0
    running.finish()


async def test_the_number_of_a_job_is_free_again_once_it_is_done_or_cancelled(one_thread: Worker, engine: HeldEngine) -> None:
    future = one_thread.submit(final("one", owner=1, number=7))
    running = await engine.next_decode()
    with pytest.raises(ValueError, match="job 7 of owner 1 is still open"):
        one_thread.submit(final("two", owner=1, number=7))

    running.finish()
    await result(future)
    running = await held(one_thread, engine)
    one_thread.submit(final("three", owner=1, number=7))
    one_thread.cancel(1, 7)
    one_thread.submit(final("four", owner=1, number=7))

    assert await decoded_order(engine, running, 1) == ["four"]


# -------------------------------------------------------------------------------------------------------------------------- room


async def test_a_final_is_refused_at_once_when_only_finals_wait_and_those_are_all_decoded(one_thread: Worker, engine: HeldEngine) -> None:
    running = await held(one_thread, engine)
    futures = [one_thread.submit(final(name, owner)) for owner, name in enumerate(("one", "two", "three"), start=1)]

    with pytest.raises(Overloaded, match="3 jobs wait") as refusal:
        one_thread.submit(final("four", owner=4, answer_at_s=-100.0))

    assert refusal.value.retry_after_s == 1.0
    assert await decoded_order(engine, running, 3) == ["one", "two", "three"]
    for future in futures:
        await result(future)


async def test_a_final_takes_the_place_of_the_last_partial_when_the_queue_is_full(one_thread: Worker, engine: HeldEngine) -> None:
    running = await held(one_thread, engine)
    one_thread.submit(final("one", owner=1))
    stays = one_thread.submit(partial("two", owner=2))
    goes = one_thread.submit(partial("three", owner=3))
    one_thread.submit(final("four", owner=4))

    assert goes.cancelled()
    assert not stays.done()
    assert await decoded_order(engine, running, 3) == ["one", "four", "two"]


async def test_a_partial_is_refused_when_the_queue_is_full_unless_its_owner_has_one_waiting(one_thread: Worker, engine: HeldEngine) -> None:
    running = await held(one_thread, engine)
    for owner in (1, 2):
        one_thread.submit(final(f"final {owner}", owner))
    one_thread.submit(partial("old", owner=3, number=1))
    with pytest.raises(Overloaded):
        one_thread.submit(partial("refused", owner=4))
    one_thread.submit(partial("new", owner=3, number=2))

    assert one_thread.queue_depth == 3
    assert await decoded_order(engine, running, 3) == ["final 1", "final 2", "new"]


# ---------------------------------------------------------------------------------------------------------------------- failures


async def test_what_the_engine_raises_reaches_the_future_as_our_error_and_the_thread_goes_on(
    one_thread: Worker, engine: HeldEngine
) -> None:
    future = one_thread.submit(final("bad", owner=1))
    cause = RuntimeError("out of luck")
    (await engine.next_decode()).fail(cause)

    with pytest.raises(EngineFailed, match="RuntimeError: out of luck") as failure:
        await result(future)
    assert failure.value.__cause__ is cause

    good = one_thread.submit(final("good", owner=1))
    (await engine.next_decode()).finish("text")
    assert (await result(good)).decoding.hypothesis.text == "text"


async def test_our_own_errors_pass_as_they_are(one_thread: Worker, engine: HeldEngine) -> None:
    future = one_thread.submit(final("bad"))
    error = EngineFailed("no such language")
    (await engine.next_decode()).fail(error)

    with pytest.raises(EngineFailed) as failure:
        await result(future)
    assert failure.value is error


async def test_what_conditioning_raises_reaches_the_future_too(one_thread: Worker, engine: HeldEngine) -> None:
    def broken(_window: SpeechWindow) -> Normalized:
        raise ZeroDivisionError("no samples")

    with pytest.raises(EngineFailed, match="ZeroDivisionError: no samples"):
        await result(one_thread.submit(job(condition=broken)))
    assert engine.none_started()
    assert one_thread.running == 0


async def test_a_failure_nobody_waits_for_any_more_is_no_error(one_thread: Worker, engine: HeldEngine) -> None:
    one_thread.submit(final("unwanted", owner=1))
    running = await engine.next_decode()
    one_thread.cancel(1)
    running.fail(RuntimeError("out of luck"))

    after = one_thread.submit(final("after", owner=2))
    (await engine.next_decode()).finish()
    await result(after)


# --------------------------------------------------------------------------------------------------------------- start and stop


async def test_stop_cancels_what_waits_delivers_what_runs_and_leaves_no_thread() -> None:
    engine = HeldEngine()
    worker = Worker(engine, WorkerOptions(threads=1))
    await worker.start()
    running_future = worker.submit(final("running", owner=1))
    running = await engine.next_decode()
    waiting = [worker.submit(final("final", owner=2)), worker.submit(partial("partial", owner=3))]

    stopping = asyncio.create_task(worker.stop())
    await asyncio.sleep(0)

    assert all(future.cancelled() for future in waiting)
    assert not stopping.done()
    running.finish("kept")
    async with asyncio.timeout(PATIENCE_S):
        await stopping
    assert running_future.result().decoding.hypothesis.text == "kept"
    assert engine_threads() == []
    assert worker.queue_depth == worker.running == 0
    assert engine.none_started()


async def test_a_stop_that_was_interrupted_can_be_repeated() -> None:
    engine = HeldEngine()
    worker = Worker(engine, WorkerOptions(threads=2))
    await worker.start()
    worker.submit(final("running"))
    running = await engine.next_decode()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await worker.stop()
    running.finish()
    async with asyncio.timeout(PATIENCE_S):
        await worker.stop()

    assert engine_threads() == []


async def test_jobs_are_refused_before_start_and_after_stop_and_a_stopped_worker_stays_stopped() -> None:
    worker = Worker(FakeEngine())
    with pytest.raises(NotServing, match="not started"):
        worker.submit(job())

    async with worker:
        await result(worker.submit(job()))

    await worker.stop()
    with pytest.raises(NotServing, match="stopped"):
        worker.submit(job())
    with pytest.raises(RuntimeError, match="only a new one can be started"):
        await worker.start()


async def test_a_worker_that_never_started_stops_at_once() -> None:
    await Worker(FakeEngine()).stop()


def test_a_thread_whose_event_loop_was_closed_ends_quietly() -> None:
    let_go, ended = threading.Event(), threading.Event()

    def answer(_audio: Normalized, _options: DecodeOptions) -> Decoding:
        let_go.wait(PATIENCE_S)
        ended.set()
        return said("too late")

    async def start_and_leave() -> None:
        worker = Worker(FakeEngine(answer), WorkerOptions(threads=1))
        await worker.start()
        worker.submit(job())

    asyncio.run(start_and_leave())
    (thread,) = engine_threads()
    let_go.set()
    thread.join(PATIENCE_S)

    assert ended.is_set()
    assert not thread.is_alive()


async def test_nothing_is_kept_of_a_job_after_it() -> None:
    async with Worker(FakeEngine(), WorkerOptions(threads=1)) as worker:
        submitted = job()
        samples = weakref.ref(submitted.window.samples)
        await result(worker.submit(submitted))
        await result(worker.submit(job(owner=2, condition=reject)))
        del submitted
        gc.collect()

        assert samples() is None
        assert worker._open == {}


async def test_many_owners_at_once_all_get_their_own_text() -> None:
    def answer(_audio: Normalized, options: DecodeOptions) -> Decoding:
        return said(options.phrases[0])

    async with Worker(FakeEngine(answer), WorkerOptions(threads=4, max_queued=1000)) as worker:
        jobs = [
            job(f"{owner}/{number}", owner, number, Purpose.FINAL if number else Purpose.PARTIAL)
            for owner in range(100)
            for number in range(5)
        ]
        decoded = await asyncio.gather(*(result(worker.submit(job)) for job in jobs))
        assert worker.queue_depth == worker.running == 0

    assert [one.decoding.hypothesis.text for one in decoded] == [job.options.phrases[0] for job in jobs]


# ----------------------------------------------------------------------------------------------------- plan, stages, rejection


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
# With COST and 1 s of margin: 47 ms for the encoder, 22 tokens; a beam of 5 takes 328.6 ms, greedy 223 ms, word times 25 ms more.
WANTED = DecodeOptions(beam_size=5, word_times=True)


@pytest.mark.parametrize(
    ("budget", "waited_ms", "beam_size", "word_times", "degraded"),
    [
        # The asr slice of 300 ms is a limit also when more time is left.
        (LatencyBudget(), 0, 1, True, ("beam",)),
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
    assert decoded.plan.predicted_ms == COST.predict_ms(5000, 1000, beam_size, word_times=word_times)
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


@pytest.mark.parametrize(("field", "value"), [("threads", 0), ("max_queued", 0), ("margin_ms", -1.0), ("retry_after_s", 0.0)])
def test_options_that_cannot_work_are_refused(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"worker {field} is"):
        WorkerOptions(**{field: value})  # type: ignore[arg-type]  # a value of each field's type
