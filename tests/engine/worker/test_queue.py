import asyncio
import threading

import numpy as np
import pytest

from asr_server.budget import LatencyBudget
from asr_server.engine.engine import DecodeOptions, Decoding
from asr_server.engine.worker import LIVE_S, DecodeJob, Worker, WorkerOptions
from asr_server.errors import Overloaded
from asr_server.events import Purpose
from audio_norm import Normalized
from tests.engine.worker.jobs import condition, decoded_order, final, held, job, name_of, partial, result, speculative, window
from tests.fake_clock import FakeClock
from tests.fake_engine import FakeEngine, HeldDecode, HeldEngine, said


async def held_too(worker: Worker, engine: HeldEngine) -> HeldDecode:
    worker.submit(final("running too", owner=0, number=1))
    return await engine.next_decode()


async def test_finals_are_decoded_by_earliest_deadline_and_before_partials(one_thread: Worker, engine: HeldEngine) -> None:
    running = await held(one_thread, engine)
    for waiting in (partial("partial", owner=1), final("late", owner=2, answer_at_s=5.0), final("early", owner=3, answer_at_s=3.0)):
        one_thread.submit(waiting)

    assert await decoded_order(engine, running, 3) == ["early", "late", "partial"]


async def test_offline_jobs_are_decoded_after_what_somebody_waits_for_or_may_and_before_partials(
    two_threads: Worker, engine: HeldEngine
) -> None:
    running = [await held(two_threads, engine), await held_too(two_threads, engine)]
    for waiting in (
        partial("partial", owner=1),
        job("file", owner=2, purpose=Purpose.OFFLINE),
        speculative("maybe", owner=3, answer_at_s=9e9),
        final("final", owner=4, answer_at_s=9e9),
    ):
        two_threads.submit(waiting)

    assert await decoded_order(engine, running[0], 4) == ["final", "maybe", "file", "partial"]
    running[1].finish()


async def test_while_somebody_speaks_a_thread_is_kept_free_of_offline_jobs(engine: HeldEngine) -> None:
    clock = FakeClock()
    async with Worker(engine, WorkerOptions(threads=2), now=clock) as worker:
        files = [worker.submit(job(f"file {owner}", owner, purpose=Purpose.OFFLINE)) for owner in (1, 2)]
        alone = [await engine.next_decode(), await engine.next_decode()]
        assert {name_of(decode) for decode in alone} == {"file 1", "file 2"}
        for decode in alone:
            decode.finish()
        for file in files:
            await result(file)

        speech = worker.submit(final("speech", owner=3))
        (await engine.next_decode()).finish()
        await result(speech)
        for owner in (4, 5):
            worker.submit(job(f"file {owner}", owner, purpose=Purpose.OFFLINE))
        first = await engine.next_decode()
        assert (worker.running, worker.queue_depth) == (1, 1)
        clock.advance_ms(LIVE_S * 1000)
        third = worker.submit(job("file 6", 6, purpose=Purpose.OFFLINE))
        second = await engine.next_decode()
        assert name_of(second) == "file 5"
        first.finish()
        second.finish()
        (await engine.next_decode()).finish()
        await result(third)


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


async def test_speculative_jobs_come_after_finals_and_before_partials_by_earliest_deadline(one_thread: Worker, engine: HeldEngine) -> None:
    running = await held(one_thread, engine)
    one_thread.submit(speculative("late", owner=1, answer_at_s=9.0))
    one_thread.submit(speculative("early", owner=2, answer_at_s=8.0))
    one_thread.submit(final("final", owner=3, answer_at_s=10.0))

    assert await decoded_order(engine, running, 3) == ["final", "early", "late"]

    running = await held(one_thread, engine)
    one_thread.submit(partial("partial", owner=1))
    one_thread.submit(speculative("speculative", owner=2))

    assert await decoded_order(engine, running, 2) == ["speculative", "partial"]


async def test_a_newer_speculative_job_takes_the_place_of_the_older(one_thread: Worker, engine: HeldEngine) -> None:
    running = await held(one_thread, engine)
    old = one_thread.submit(speculative("old", owner=1, number=1))
    one_thread.submit(speculative("new", owner=1, number=2))

    assert old.cancelled()
    assert await decoded_order(engine, running, 1) == ["new"]


@pytest.mark.parametrize("purpose", [Purpose.FINAL, Purpose.SPECULATIVE])
async def test_a_partial_that_waits_is_dropped_when_its_owner_asks_for_more(
    one_thread: Worker, engine: HeldEngine, purpose: Purpose
) -> None:
    running = await held(one_thread, engine)
    dropped, kept = one_thread.submit(partial("dropped", owner=1, number=1)), one_thread.submit(partial("kept", owner=2))
    one_thread.submit(job("more", owner=1, number=2, purpose=purpose))

    assert dropped.cancelled()
    assert not kept.done()
    assert await decoded_order(engine, running, 2) == ["more", "kept"]


async def test_speculative_jobs_may_use_every_thread(two_threads: Worker, engine: HeldEngine) -> None:
    futures = [two_threads.submit(speculative(f"speculative {owner}", owner)) for owner in (1, 2)]
    for decode in [await engine.next_decode(), await engine.next_decode()]:
        decode.finish()
    for future in futures:
        await result(future)


async def test_a_promoted_job_waits_among_the_finals_by_its_new_deadline(one_thread: Worker, engine: HeldEngine) -> None:
    running = await held(one_thread, engine)
    promoted = one_thread.submit(speculative("promoted", owner=1, number=7, answer_at_s=9.0))
    one_thread.submit(speculative("other", owner=2, answer_at_s=1.0))
    one_thread.submit(final("early", owner=3, answer_at_s=2.0))
    one_thread.promote(1, 7, answer_at_s=3.0)

    assert one_thread.queue_depth == 3
    assert await decoded_order(engine, running, 3) == ["early", "promoted", "other"]
    assert (await result(promoted)).stages[0].name == "queue"


async def test_a_promoted_job_keeps_its_place_against_newer_speculative_ones_and_finals(one_thread: Worker, engine: HeldEngine) -> None:
    running = await held(one_thread, engine)
    promoted = one_thread.submit(speculative("promoted", owner=1, number=1, answer_at_s=3.0))
    one_thread.promote(1, 1, answer_at_s=3.0)
    one_thread.submit(speculative("next", owner=1, number=2))
    for owner in (2, 3):
        one_thread.submit(final("final", owner))

    assert not promoted.done()
    assert await decoded_order(engine, running, 3) == ["final", "final", "promoted"]


async def test_to_promote_what_runs_or_is_no_speculative_job_that_is_open_changes_nothing(one_thread: Worker, engine: HeldEngine) -> None:
    future = one_thread.submit(speculative("running", owner=1, number=1))
    running = await engine.next_decode()
    one_thread.submit(final("early", owner=2, number=1, answer_at_s=1.0))
    one_thread.submit(final("late", owner=3, number=1, answer_at_s=2.0))
    for owner, number in ((1, 1), (1, 2), (3, 1), (4, 1)):
        one_thread.promote(owner, number, answer_at_s=0.0)

    assert await decoded_order(engine, running, 2) == ["early", "late"]
    await result(future)
    one_thread.promote(1, 1, answer_at_s=0.0)


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


async def test_a_final_takes_the_place_of_the_last_speculative_job_only_when_no_partial_waits(
    one_thread: Worker, engine: HeldEngine
) -> None:
    running = await held(one_thread, engine)
    early = one_thread.submit(speculative("early", owner=1, answer_at_s=1.0))
    late = one_thread.submit(speculative("late", owner=2, answer_at_s=2.0))
    last = one_thread.submit(partial("partial", owner=3))

    one_thread.submit(final("one", owner=4))
    assert (early.done(), late.done(), last.cancelled()) == (False, False, True)
    one_thread.submit(final("two", owner=5))
    assert (early.done(), late.cancelled()) == (False, True)
    assert await decoded_order(engine, running, 3) == ["one", "two", "early"]


async def test_a_speculative_job_takes_the_place_of_the_last_partial_and_of_nothing_else(one_thread: Worker, engine: HeldEngine) -> None:
    running = await held(one_thread, engine)
    one_thread.submit(final("final", owner=1))
    one_thread.submit(speculative("other", owner=2, answer_at_s=9.0))
    dropped = one_thread.submit(partial("dropped", owner=3))
    one_thread.submit(speculative("wanted", owner=4))

    assert dropped.cancelled()
    with pytest.raises(Overloaded, match="3 jobs wait"):
        one_thread.submit(speculative("refused", owner=5))
    assert await decoded_order(engine, running, 3) == ["final", "wanted", "other"]
