import asyncio

import pytest

from asr_server.engine.worker import Worker
from asr_server.errors import EngineFailed
from audio_norm import Normalized, SpeechWindow
from tests.engine.worker.jobs import decoded_order, final, held, job, result
from tests.fake_engine import HeldEngine


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


async def test_the_result_of_a_cancelled_job_that_has_no_further_step_is_discarded(one_thread: Worker, engine: HeldEngine) -> None:
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
