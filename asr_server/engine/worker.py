"""The one bridge between the event loop and the engine: a bounded priority queue and the threads that decode from it.

Nothing else starts threads for the engine or names an executor, and nothing else acts on lateness. Blocking work without a deadline, such
as decoding a file, goes to a thread beside them (`Worker.run`).

Order. Finals first, by earliest deadline; then partials, in the order in which their owners first asked. An owner has at most one partial
waiting: a newer one takes the place of the older, whose future is cancelled. With more than one thread, one of them never takes partials,
so that a final does not wait for one.

Room. `max_queued` jobs may wait. A final that finds them all taken takes the place of the last partial in line (its future is cancelled);
when only finals wait, it is refused with `Overloaded`, at once, as is a partial that would need a place of its own. A final that waits is
never given up, neither for lack of room nor for being late. So no final of an admitted stream is refused while `max_queued` is at least
the number of finals that all admitted streams together may leave open.

Time. The deadline of recognition is `answer_at_s` plus the budget's total less its `post` and `send` slices: what earlier stages saved,
and the reserve, may be used. When a thread has conditioned the audio, the planner is given the time to that deadline, but never more than
the `asr` slice.

Threads. A `Worker` is used from the event loop it was started on. `DecodeJob.condition`, `Engine.decode` and the clock are called on the
worker's threads, several at once. The loop waits for the lock only while a thread moves an entry of the queue.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from itertools import count
from types import TracebackType
from typing import Self, TypeVar

from asr_server.budget import Deadline, LatencyBudget
from asr_server.engine.aside import Aside
from asr_server.engine.engine import DecodeOptions, Decoding, Engine
from asr_server.engine.line import Line
from asr_server.engine.planner import NO_DECODE, Plan, Sacrifice, plan
from asr_server.errors import AsrError, EngineFailed, NotServing, Overloaded
from asr_server.events import Purpose
from asr_server.transcript import Hypothesis
from asr_server.watch.observer import Stage
from audio_norm import Normalized, SpeechWindow

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """How many may decode and wait at a time."""

    threads: int = 2
    """Decodes at a time. Each is one-threaded work, so more than the machine has cores gains nothing."""
    max_queued: int = 256
    """Jobs that may wait, finals and partials together."""
    margin_ms: float = 1000.0
    """Silence the engine encodes after the speech; the planner counts it."""
    retry_after_s: float = 1.0
    """What `Overloaded` advises."""

    def __post_init__(self) -> None:
        if self.threads < 1:
            raise ValueError(f"worker threads is {self.threads}, must be at least 1")
        if self.max_queued < 1:
            raise ValueError(f"worker max_queued is {self.max_queued}, must be at least 1")
        if self.margin_ms < 0:
            raise ValueError(f"worker margin_ms is {self.margin_ms:g}, must not be negative")
        if self.retry_after_s <= 0:
            raise ValueError(f"worker retry_after_s is {self.retry_after_s:g}, must be positive")


@dataclass(frozen=True, slots=True)
class DecodeJob:
    """A window to be recognised for one owner (a stream or call)."""

    owner: int
    job: int
    """Different from all open jobs of the owner."""
    purpose: Purpose
    window: SpeechWindow
    options: DecodeOptions
    condition: Callable[[SpeechWindow], Normalized]
    """Trims, levels or rejects the window: the data definition. Called on a worker thread."""
    answer_at_s: float
    """When the response clock started, on the worker's clock."""
    budget: LatencyBudget

    @property
    def deadline(self) -> Deadline:
        """When recognition must have ended for `post` and `send` to have their slices."""
        return Deadline.after(self.answer_at_s, self.budget.total_ms - self.budget.post_ms - self.budget.send_ms)


@dataclass(frozen=True, slots=True)
class Decoded:
    """What came of a job and what it took."""

    decoding: Decoding
    """Of audio the data definition rejected: no alternatives, and `hypothesis.rejected` says why."""
    normalized: Normalized
    plan: Plan
    stages: tuple[Stage, ...]
    """In the order in which they ran, without gaps: "queue" (from `submit` until a thread took the job), "condition", "asr" (the engine
    call, with the engine's parts "asr.features", "asr.encode", ...). Rejected audio has no "asr"."""
    degraded: tuple[Sacrifice, ...] = ()
    """What was given up to save time, as in `Ledger.degraded`."""

    @property
    def audio_ms(self) -> float:
        """Length of the audio the engine was given; 0 when it was given none."""
        return 0.0 if self.normalized.rejected else self.normalized.duration_s * 1000


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    """A job on its way."""

    work: DecodeJob
    future: asyncio.Future[Decoded]
    queued_s: float
    rank: tuple[float, int]

    @property
    def owner(self) -> int:
        return self.work.owner

    @property
    def purpose(self) -> Purpose:
        return self.work.purpose


class _State(Enum):
    NEW = "not started"
    SERVING = "serving"
    STOPPED = "stopped"


class Worker:
    """Decodes jobs on threads of its own. `async with Worker(...)` starts and stops it; once stopped it stays so."""

    def __init__(self, engine: Engine, options: WorkerOptions | None = None, now: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._options = options or WorkerOptions()
        self._now = now
        self._state = _State.NEW
        self._numbers = count()
        self._open: dict[int, dict[int, _Entry]] = {}
        """By owner and job number: those whose future is not done. For the event loop only."""
        self._threads: list[threading.Thread] = []
        self._all_ended = asyncio.Event()
        self._aside = Aside()

        self._changed = threading.Condition()
        # Shared with the threads, under `_changed`:
        self._line: Line[_Entry] = Line(self._options.max_queued)
        self._running = {Purpose.FINAL: 0, Purpose.PARTIAL: 0}
        self._alive = 0
        self._closing = False

    @property
    def queue_depth(self) -> int:
        """Jobs that wait."""
        with self._changed:
            return len(self._line)

    @property
    def running(self) -> int:
        """Jobs that threads work on, also those whose result nobody wants any more."""
        with self._changed:
            return sum(self._running.values())

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start the threads; results will come to the running event loop."""
        if self._state is not _State.NEW:
            raise RuntimeError(f"the worker is {self._state.value}, only a new one can be started")
        self._state = _State.SERVING
        self._alive = self._options.threads
        loop = asyncio.get_running_loop()
        for number in range(self._options.threads):
            # Daemons: a process that failed before it could stop its worker must end all the same.
            thread = threading.Thread(target=self._work, args=(loop,), name=f"engine-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    async def stop(self) -> None:
        """Take no more jobs, cancel those that wait, let those that run finish and deliver, and end the threads."""
        was, self._state = self._state, _State.STOPPED
        if was is _State.NEW:
            self._all_ended.set()
        with self._changed:
            self._closing = True
            waiting = tuple(self._line)
            self._changed.notify_all()
        for entry in waiting:
            self._give_up(entry)
        await self._all_ended.wait()
        for thread in self._threads:
            thread.join()  # Returns at once: the last one has told of its end as its last act.
        await self._aside.stop()

    def submit(self, job: DecodeJob) -> asyncio.Future[Decoded]:
        """Queue a job. Its future gets the result or an `AsrError`. To cancel the future is to give the job up, as by `cancel`.

        Raises `Overloaded` when there is no room (see the module's text), `NotServing` before `start` and from `stop` on.
        """
        self._must_serve()
        if job.job in self._open.get(job.owner, ()):
            raise ValueError(f"job {job.job} of owner {job.owner} is still open")
        future: asyncio.Future[Decoded] = asyncio.get_running_loop().create_future()
        entry = _Entry(job, future, self._now(), (job.deadline.at_s, next(self._numbers)))
        with self._changed:
            if not self._line.admits(entry):
                raise Overloaded(f"{len(self._line)} jobs wait for the recogniser already", self._options.retry_after_s)
            displaced = self._line.add(entry)
            self._changed.notify()
        if displaced is not None:
            self._give_up(displaced)
        self._open.setdefault(job.owner, {})[job.job] = entry
        future.add_done_callback(lambda _: self._settle(entry))
        return future

    def cancel(self, owner: int, job: int | None = None) -> None:
        """Give up one job of an owner, or all of them: their futures are cancelled, those that wait are dropped.

        Those that run are left to end, their results are discarded. A job that is not open is ignored.
        """
        for entry in [entry for number, entry in self._open.get(owner, {}).items() if job in (None, number)]:
            self._give_up(entry)

    async def run(self, work: Callable[[], Result]) -> Result:
        """Do other blocking work, such as decoding a file, on a thread beside the engine's: what it returns or raises.

        One at a time, in the order of asking. When the caller is cancelled, or by `stop`, work that has not started is dropped.
        """
        self._must_serve()
        return await self._aside.run(work)

    def _must_serve(self) -> None:
        if self._state is not _State.SERVING:
            raise NotServing(f"the recogniser is {self._state.value}")

    def _give_up(self, entry: _Entry) -> None:
        entry.future.cancel()
        self._settle(entry)

    def _settle(self, entry: _Entry) -> None:
        """The entry's future is done, by us or by whoever holds it. Does nothing the second time."""
        jobs = self._open.get(entry.owner, {})
        if jobs.get(entry.work.job) is not entry:
            return
        del jobs[entry.work.job]
        if not jobs:
            del self._open[entry.owner]
        with self._changed:
            self._line.remove(entry)

    def _deliver(self, entry: _Entry, outcome: Decoded | AsrError) -> None:
        if not entry.future.done():
            if isinstance(outcome, Decoded):
                entry.future.set_result(outcome)
            else:
                entry.future.set_exception(outcome)
        self._settle(entry)

    # ------------------------------------------------------------------------------------------------------ on the threads

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            while self._work_once(loop):
                pass
            with self._changed:
                self._alive -= 1
                is_last = self._alive == 0
            if is_last:
                loop.call_soon_threadsafe(self._all_ended.set)
        except RuntimeError:
            # The loop was closed without `stop`: nobody is left to tell anything.
            if not loop.is_closed():
                raise

    def _work_once(self, loop: asyncio.AbstractEventLoop) -> bool:
        """False when there will be no more. A method of its own, so that no thread holds on to audio while it waits."""
        entry = self._take()
        if entry is None:
            return False
        outcome = self._outcome(entry)
        with self._changed:
            self._running[entry.purpose] -= 1
        loop.call_soon_threadsafe(self._deliver, entry, outcome)
        return True

    def _take(self) -> _Entry | None:
        """Wait for a turn. None when the worker closes.

        One `notify` for each submitted job is enough: a thread that ends a partial and so makes room for the next looks itself.
        """
        most_partials = max(1, self._options.threads - 1)
        with self._changed:
            while not self._closing:
                entry = self._line.take(partials=self._running[Purpose.PARTIAL] < most_partials)
                if entry is not None:
                    self._running[entry.purpose] += 1
                    return entry
                self._changed.wait()
            return None

    def _outcome(self, entry: _Entry) -> Decoded | AsrError:
        try:
            return self._decode(entry.work, entry.queued_s)
        except AsrError as error:
            return error
        except Exception as error:  # noqa: BLE001 - whatever a decode raises belongs to its job, not to the thread that serves all
            failed = EngineFailed(f"recognition failed: {type(error).__name__}: {error}")
            failed.__cause__ = error
            return failed

    def _decode(self, job: DecodeJob, queued_s: float) -> Decoded:
        taken_s = self._now()
        normalized = job.condition(job.window)
        conditioned_s = self._now()
        stages = (Stage("queue", queued_s, taken_s), Stage("condition", taken_s, conditioned_s))
        if normalized.rejected is not None:
            return Decoded(Decoding(Hypothesis(rejected=normalized.rejected)), normalized, NO_DECODE, stages)
        chosen = plan(
            normalized.duration_s * 1000,
            job.options,
            self._engine.cost,
            margin_ms=self._options.margin_ms,
            remaining_ms=min(job.budget.asr_ms, job.deadline.remaining_ms(conditioned_s)),
            purpose=job.purpose,
        )
        decoding = self._engine.decode(normalized, chosen.applied_to(job.options))
        parts = tuple(Stage(f"asr.{span.name}", span.start_s, span.end_s) for span in decoding.spans)
        asr = Stage("asr", conditioned_s, self._now(), parts=parts)
        return Decoded(decoding, normalized, chosen, (*stages, asr), chosen.degraded)
