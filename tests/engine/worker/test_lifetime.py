import asyncio
import gc
import threading
import weakref

import pytest

from asr_server.engine.engine import DecodeOptions, Decoding
from asr_server.engine.worker import Worker, WorkerOptions
from asr_server.errors import NotServing
from asr_server.events import Purpose
from audio_norm import Normalized
from tests.engine.worker.jobs import engine_threads, final, job, partial, reject, result
from tests.fake_engine import PATIENCE_S, FakeEngine, HeldEngine, said


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
            job(f"{owner}/{number}", owner, number, Purpose.PARTIAL if number == 4 else Purpose.FINAL)
            for owner in range(100)
            for number in range(5)
        ]
        decoded = await asyncio.gather(*(result(worker.submit(job)) for job in jobs))
        assert worker.queue_depth == worker.running == 0

    assert [one.decoding.hypothesis.text for one in decoded] == [job.options.phrases[0] for job in jobs]
