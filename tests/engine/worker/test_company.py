"""Jobs that a thread decodes together."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Hashable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from queue import SimpleQueue

import pytest

from asr_server.engine.engine import DecodeOptions, Decoding
from asr_server.engine.worker import Decoded, DecodeJob, Worker, WorkerOptions
from asr_server.errors import EngineFailed
from asr_server.events import Purpose
from audio_norm import Normalized, SpeechWindow
from tests.engine.worker.jobs import condition, engine_threads, job, reject, result
from tests.fake_clock import FakeClock
from tests.fake_engine import COST, PATIENCE_S, FakeEngine, said

# A job of half a second takes 15.5 ms once and 32 ms of steps: 47.5 alone, 71 for two, 94.5 for three; beside others a quarter more.
TOGETHER = replace(COST, step_share=0.25, once_share=1.0)
BOTH_BUSY = WorkerOptions(threads=2, max_batch=4, margin_ms=1000)
ALONE = WorkerOptions(threads=1, max_batch=4, margin_ms=1000)


@dataclass(frozen=True)
class HeldBatch:
    """Decodes in progress on one thread. Each ends when the test says how."""

    names: list[str]
    _outcomes: SimpleQueue[tuple[int, Decoding | EngineFailed] | Exception] = field(default_factory=SimpleQueue)

    def finish(self, name: str) -> None:
        self._outcomes.put((self.names.index(name), replace(said(name), batch=len(self.names))))

    def finish_all(self) -> None:
        for name in self.names:
            self.finish(name)

    def fail(self, name: str, error: EngineFailed) -> None:
        self._outcomes.put((self.names.index(name), error))

    def break_off(self, error: Exception) -> None:
        self._outcomes.put(error)

    def next(self) -> tuple[int, Decoding | EngineFailed]:
        """For the engine."""
        outcome = self._outcomes.get(timeout=PATIENCE_S)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


class HeldBatchEngine(FakeEngine):
    """Made on the event loop of a test, which awaits each batch as it starts."""

    def __init__(self) -> None:
        super().__init__(cost=TOGETHER)
        self.shapeless = ""
        self._loop = asyncio.get_running_loop()
        self._started: asyncio.Queue[HeldBatch] = asyncio.Queue()

    async def next_batch(self) -> HeldBatch:
        async with asyncio.timeout(PATIENCE_S):
            return await self._started.get()

    def shape(self, options: DecodeOptions) -> Hashable:
        if options.phrases == (self.shapeless,):
            raise ValueError("no shape")
        return super().shape(options)

    def decode_together(
        self,
        jobs: Sequence[tuple[Normalized, DecodeOptions]],
        done: Callable[[int, Decoding | EngineFailed], None],
        told: Callable[[int, Decoding], None] = lambda _, __: None,
        wanted: Callable[[int], bool] = lambda _: True,
    ) -> None:
        held = HeldBatch([options.phrases[0] for _, options in jobs])
        self._loop.call_soon_threadsafe(self._started.put_nowait, held)
        for _ in jobs:
            done(*held.next())


@dataclass(frozen=True)
class Busy:
    """A worker all of whose threads decode something."""

    worker: Worker
    engine: HeldBatchEngine
    clock: FakeClock
    running: list[HeldBatch]

    def submit(
        self,
        name: str,
        owner: int,
        purpose: Purpose = Purpose.FINAL,
        answer_in_ms: float = 0.0,
        condition: Callable[[SpeechWindow], Normalized] = condition,
    ) -> asyncio.Future[Decoded]:
        asked = job(name, owner, purpose=purpose, answer_at_s=self.clock.now_s + answer_in_ms / 1000, condition=condition)
        return self.worker.submit(asked)

    async def next_batch(self) -> HeldBatch:
        """What the thread that has been busy for longest takes now."""
        self.running.pop(0).finish_all()
        return await self.engine.next_batch()


@asynccontextmanager
async def busy(options: WorkerOptions) -> AsyncIterator[Busy]:
    engine, clock = HeldBatchEngine(), FakeClock(now_s=100.0)
    async with Worker(engine, options, now=clock) as worker:
        running = []
        for number in range(options.threads):
            worker.submit(job(f"running {number}", owner=100 + number, answer_at_s=clock.now_s))
            running.append(await engine.next_batch())
        yield Busy(worker, engine, clock, running)
        for batch in running:
            batch.finish_all()
    assert engine_threads() == []


async def test_with_all_threads_busy_those_who_wait_are_taken_together_in_the_order_of_their_turns() -> None:
    async with busy(BOTH_BUSY) as at:
        asked = {
            "late": at.submit("late", 1, answer_in_ms=50),
            "partial": at.submit("partial", 2, Purpose.PARTIAL),
            "early": at.submit("early", 3, answer_in_ms=10),
            "maybe": at.submit("maybe", 5, Purpose.SPECULATIVE, answer_in_ms=100),
        }
        batch = await at.next_batch()
        # What is worth more does not take longer for a partial.
        assert batch.names == ["early", "late", "maybe"]
        assert at.worker.queue_depth == 1
        assert at.worker.running == 1 + 3
        batch.finish_all()
        alone = await at.engine.next_batch()
        assert alone.names == ["partial"]
        alone.finish_all()
        decoded = {name: await result(future) for name, future in asked.items()}

    assert {name: one.decoding.hypothesis.text for name, one in decoded.items()} == {name: name for name in asked}
    assert [decoded[name].batch for name in ("early", "late", "maybe", "partial")] == [3, 3, 3, 1]


async def test_while_a_thread_is_idle_each_is_decoded_by_itself() -> None:
    engine = HeldBatchEngine()
    async with Worker(engine, BOTH_BUSY) as worker:
        for name in ("one", "two"):
            worker.submit(job(name, owner=hash(name)))
            batch = await engine.next_batch()
            assert batch.names == [name]
            batch.finish_all()


async def test_partials_come_together_while_the_thread_that_takes_none_is_idle() -> None:
    engine = HeldBatchEngine()
    async with Worker(engine, BOTH_BUSY) as worker:
        worker.submit(job("running", owner=0, purpose=Purpose.PARTIAL))
        running = await engine.next_batch()
        for owner in (1, 2, 3):
            worker.submit(job(f"partial {owner}", owner, purpose=Purpose.PARTIAL))
        running.finish_all()
        batch = await engine.next_batch()
        assert batch.names == ["partial 1", "partial 2", "partial 3"]
        batch.finish_all()


async def test_files_do_not_join_the_thread_that_is_kept_free_of_them_while_somebody_speaks() -> None:
    engine, clock = HeldBatchEngine(), FakeClock(now_s=100.0)
    async with Worker(engine, replace(BOTH_BUSY, threads=2), now=clock) as worker:
        worker.submit(job("speech", owner=1, answer_at_s=clock.now_s))
        speech = await engine.next_batch()
        worker.submit(job("file", owner=2, purpose=Purpose.OFFLINE))
        file = await engine.next_batch()
        worker.submit(job("more speech", owner=1, number=1, answer_at_s=clock.now_s))
        waiting = worker.submit(job("another file", owner=3, purpose=Purpose.OFFLINE))
        speech.finish_all()
        more = await engine.next_batch()
        assert more.names == ["more speech"]
        more.finish_all()
        file.finish_all()
        another = await engine.next_batch()
        assert another.names == ["another file"]
        another.finish_all()
        await result(waiting)


async def test_without_batches_each_is_decoded_by_itself() -> None:
    async with busy(replace(ALONE, max_batch=1)) as at:
        at.submit("one", 1)
        at.submit("two", 2)
        first = await at.next_batch()
        assert first.names == ["one"]
        first.finish_all()
        at.running.append(await at.engine.next_batch())


async def test_nobody_joins_one_whom_that_would_make_late() -> None:
    async with busy(ALONE) as at:
        # Of 300 ms from the answer on, 60 are left to the first: enough for 47.5, not for the 71 that two take.
        at.submit("hurried", 1, answer_in_ms=-410)
        at.submit("patient", 2)
        hurried = await at.next_batch()
        assert hurried.names == ["hurried"]
        hurried.finish_all()
        at.running.append(await at.engine.next_batch())
        assert at.running[0].names == ["patient"]


async def test_who_joins_is_decoded_as_it_would_be_alone_and_those_of_another_shape_are_left() -> None:
    async with busy(ALONE) as at:
        wide = DecodeJob(
            2, 0, Purpose.FINAL, job().window, DecodeOptions(beam_size=5, phrases=("wide",)), condition, at.clock.now_s, job().budget
        )
        at.submit("one", 1, answer_in_ms=-1)
        at.worker.submit(wide)
        at.submit("three", 3, answer_in_ms=1)
        at.submit("partial", 4, Purpose.PARTIAL)
        batch = await at.next_batch()
        assert batch.names == ["one", "three"]
        batch.finish_all()
        at.running.append(await at.engine.next_batch())
        assert at.running[0].names == ["wide"]


async def test_one_that_cannot_be_planned_is_left_and_told_so_when_its_turn_comes() -> None:
    async with busy(ALONE) as at:
        at.engine.shapeless = "broken"
        at.submit("one", 1, answer_in_ms=-1)
        broken = at.submit("broken", 2)
        at.submit("three", 3, answer_in_ms=1)
        batch = await at.next_batch()
        assert batch.names == ["one", "three"]
        batch.finish_all()
        with pytest.raises(EngineFailed, match="recognition failed: ValueError: no shape"):
            await result(broken)


async def test_no_more_threads_have_partials_than_leave_one_free() -> None:
    async with busy(BOTH_BUSY) as at:
        at.submit("partial 1", 1, Purpose.PARTIAL)
        first = await at.next_batch()
        assert first.names == ["partial 1"]
        at.submit("final", 2)
        at.submit("partial 2", 3, Purpose.PARTIAL)
        second = await at.next_batch()
        assert second.names == ["final"]
        first.finish_all()
        second.finish_all()
        at.running.append(await at.engine.next_batch())
        assert at.running[0].names == ["partial 2"]


async def test_who_has_ended_does_not_wait_for_the_others() -> None:
    async with busy(ALONE) as at:
        futures = [at.submit(name, owner) for owner, name in enumerate(("one", "two"), start=1)]
        batch = await at.next_batch()
        batch.finish("two")
        await result(futures[1])
        assert not futures[0].done()
        assert at.worker.running == 1
        batch.finish("one")
        await result(futures[0])


async def test_a_failure_is_that_of_one_and_what_breaks_all_off_that_of_those_who_had_not_ended() -> None:
    async with busy(ALONE) as at:
        futures = [at.submit(name, owner) for owner, name in enumerate(("good", "bad", "cut", "off"), start=1)]
        batch = await at.next_batch()
        batch.fail("bad", EngineFailed("no such word"))
        batch.finish("good")
        batch.break_off(RuntimeError("out of memory"))

        assert (await result(futures[0])).decoding.hypothesis.text == "good"
        with pytest.raises(EngineFailed, match="no such word"):
            await result(futures[1])
        for future in futures[2:]:
            with pytest.raises(EngineFailed, match="RuntimeError: out of memory"):
                await result(future)
        assert at.worker.running == 0
        at.submit("next", 9)
        at.running.append(await at.engine.next_batch())


async def test_one_that_is_rejected_or_cannot_be_conditioned_does_not_keep_the_others() -> None:
    def broken(_window: SpeechWindow) -> Normalized:
        raise ZeroDivisionError("no samples")

    async with busy(ALONE) as at:
        at.submit("one", 1)
        rejected, failed = at.submit("rejected", 2, condition=reject), at.submit("failed", 3, condition=broken)
        at.submit("two", 4)
        batch = await at.next_batch()
        assert batch.names == ["one", "two"]
        assert (await result(rejected)).decoding.hypothesis.rejected == "too_short"
        with pytest.raises(EngineFailed, match="ZeroDivisionError"):
            await result(failed)
        at.running.append(batch)


async def test_to_cancel_or_promote_one_of_them_is_to_do_it_to_a_job_that_runs() -> None:
    async with busy(ALONE) as at:
        gone, promoted = at.submit("gone", 1), at.submit("promoted", 2, Purpose.SPECULATIVE)
        batch = await at.next_batch()
        at.worker.cancel(1)
        at.worker.promote(2, 0, answer_at_s=at.clock.now_s)
        assert gone.cancelled()
        assert at.worker.running == 2
        batch.finish_all()
        assert (await result(promoted)).decoding.hypothesis.text == "promoted"
        assert gone.cancelled()
        assert at.worker.busy_s[Purpose.SPECULATIVE] == 0


async def test_times_are_each_ones_own_and_together_those_of_the_thread() -> None:
    async with busy(ALONE) as at:

        def slowly(window: SpeechWindow) -> Normalized:
            at.clock.advance_ms(10)
            return condition(window)

        one, two = at.submit("one", 1, condition=slowly), at.submit("two", 2, Purpose.SPECULATIVE, condition=slowly)
        at.clock.advance_ms(5)
        batch = await at.next_batch()
        at.clock.advance_ms(40)
        batch.finish("two")
        second = await result(two)
        at.clock.advance_ms(20)
        batch.finish("one")
        first = await result(one)

        for decoded in (first, second):
            assert [stage.name for stage in decoded.stages] == ["queue", "condition", "asr"]
            assert all(a.end_s == b.start_s for a, b in pairwise(decoded.stages))
            assert decoded.plan.predicted_ms == pytest.approx(71, rel=0.1)  # the one before it has taught a little
        # Each waits while the other is conditioned: the second in the line, the first as if it were decoded.
        assert [stage.spent_ms for stage in first.stages] == pytest.approx([5, 10, 70])
        assert [stage.spent_ms for stage in second.stages] == pytest.approx([15, 10, 40])
        assert sum(at.worker.busy_s.values()) == pytest.approx(0.005 + 0.08)
        assert at.worker.busy_s[Purpose.SPECULATIVE] == pytest.approx((0.01 + 0.04) / 2)


async def test_what_a_batch_takes_does_not_teach_what_one_alone_takes() -> None:
    async with busy(ALONE) as at:
        futures = [at.submit(name, owner) for owner, name in enumerate(("one", "two"), start=1)]
        batch = await at.next_batch()
        before = at.worker.prediction
        at.clock.advance_ms(500)
        batch.finish_all()
        for future in futures:
            await result(future)
        assert at.worker.prediction == before


async def test_while_others_ask_a_speculative_job_is_begun_only_when_it_is_ripe() -> None:
    options = replace(BOTH_BUSY, ripen_ms=64)
    async with busy(options) as at:
        at.submit("green", 1, Purpose.SPECULATIVE, answer_in_ms=300)
        at.submit("shown", 2, Purpose.PARTIAL)
        shown = await at.next_batch()
        assert shown.names == ["shown"]
        at.running.append(shown)


async def test_partials_rest_beside_other_work_and_are_begun_again_without_being_asked_for() -> None:
    engine = HeldBatchEngine()
    async with Worker(engine, BOTH_BUSY) as worker:
        worker.submit(job("other", 1))
        other = await engine.next_batch()
        worker.submit(job("shown", 2, 0, Purpose.PARTIAL))
        shown = await engine.next_batch()
        begun_s = time.monotonic()
        await asyncio.sleep(0.05)
        shown.finish_all()
        worker.submit(job("next", 2, 1, Purpose.PARTIAL))
        following = await engine.next_batch()
        assert time.monotonic() - begun_s >= 0.1
        assert following.names == ["next"]
        following.finish_all()
        other.finish_all()


async def test_a_ripe_speculative_job_is_begun_without_being_asked_for() -> None:
    engine = HeldBatchEngine()
    async with Worker(engine, replace(BOTH_BUSY, ripen_ms=20)) as worker:
        worker.submit(job("other", 1))
        other = await engine.next_batch()
        asked_s = time.monotonic()
        worker.submit(job("speculative", 2, purpose=Purpose.SPECULATIVE, answer_at_s=asked_s + 1))
        ripe = await engine.next_batch()
        assert time.monotonic() - asked_s >= 0.02
        assert ripe.names == ["speculative"]
        ripe.finish_all()
        other.finish_all()


async def test_alone_a_speculative_job_is_begun_at_once() -> None:
    async with Worker(FakeEngine(), replace(BOTH_BUSY, ripen_ms=60_000)) as worker:
        first = worker.submit(job("partial", 1, 0, Purpose.PARTIAL))
        own = worker.submit(job("speculative", 1, 1, Purpose.SPECULATIVE, answer_at_s=time.monotonic() + 1))
        await asyncio.gather(result(own), asyncio.wait([first]))


async def test_a_speculative_job_that_becomes_a_final_need_not_ripen() -> None:
    async with busy(replace(BOTH_BUSY, ripen_ms=60_000)) as at:
        asked = at.submit("asked", 1, Purpose.SPECULATIVE, answer_in_ms=300)
        at.worker.promote(1, 0, at.clock.now_s)
        batch = await at.next_batch()
        assert batch.names == ["asked"]
        batch.finish_all()
        await result(asked)
