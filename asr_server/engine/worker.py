"""The one bridge between the event loop and the engine: a bounded priority queue and the threads that decode from it.

Nothing else starts threads for the engine or names an executor, and nothing else acts on lateness. Blocking work without a deadline, such
as decoding a file, goes to a thread beside them (`Worker.run`).

Order. Finals first, by earliest deadline; then speculative jobs, and then offline ones, likewise; then partials, in the order in which
their owners first asked. An owner has at most one speculative job and one partial waiting: a newer one takes the place of the older, and a
final or speculative job that of its owner's partial; futures of those that lost their place are cancelled. With more than one thread, one
of them never takes partials, nor offline jobs while somebody speaks (`LIVE_S`), so that the others do not wait for one. `promote` makes a
speculative job a final.

Room. `max_queued` jobs may wait. A final that finds them all taken takes the place of the last partial in line, or of the last speculative
job when no partial waits; a speculative or offline job takes that of the last partial. When there is none to take, it is refused with
`Overloaded`, at once, as is a partial that would need a place of its own. A final that waits is never given up, neither for lack of room
nor for being late. So no final of an admitted stream is refused while `max_queued` is at least the number of finals that all admitted
streams together may leave open.

Time. The deadline of recognition is `answer_at_s` plus the budget's total less its `post` and `send` slices: what earlier stages saved,
and the reserve, may be used. When a thread has conditioned the audio, the planner is given the time to that deadline, but never more than
the `asr` slice and, for a speculative job, the time until its answer can be used. Predictions are corrected by what earlier decodes took.

Company. When no thread is idle that could, one that takes a job looks who else waits, in the order of their turns, and decodes up to
`max_batch` in one: those that gain by it and, by the plan that each would have alone, do not come too late by it (`batch`). Each ends by
itself, and fails by itself. To promote or cancel one of them is to promote or cancel a job that runs. Partials join partials only.

Words. A job whose words are to be found after its text (`WordPlaces.AFTER`) has its result when the text is known; `DecodeJob.placed` is
told the rest.

In vain. A job that is cancelled while it runs is broken off at the next step of its decode; one whose text is known goes on to its words.

Rest. Threads that decoded partials beside other work leave partials alone for a while (`occupancy`).

Ripeness. Most pauses end soon after they began, and what was decoded in them is then in vain. So a
speculative job that is submitted while jobs of other owners are open is not begun, nor joins others, before it has waited for `ripen_ms`;
finals and partials pass it by meanwhile.

Threads. A `Worker` is used from the event loop it was started on. `DecodeJob.condition`, the engine and the clock are called on the
worker's threads, several at once. The loop waits for the lock only while a thread moves an entry of the queue.
"""

import asyncio
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from itertools import count
from types import TracebackType
from typing import Self, TypeVar

from asr_server.engine.aside import Aside
from asr_server.engine.correction import Prediction
from asr_server.engine.engine import BatchingEngine
from asr_server.engine.job_decoder import Company, JobDecoder
from asr_server.engine.jobs import Decoded, DecodeJob, WorkerOptions
from asr_server.engine.line import Line
from asr_server.engine.occupancy import Occupancy, Turn
from asr_server.errors import AsrError, NotServing, Overloaded
from asr_server.events import Purpose

__all__ = ["DecodeJob", "Decoded", "Prediction", "Worker", "WorkerOptions"]

Result = TypeVar("Result")

LIVE_S = 10.0
"""Somebody speaks, or will again soon, for so long after the last job that was not offline. Pauses between two sentences are shorter."""


@dataclass(slots=True, eq=False)
class _Entry:
    """A job on its way. What the line knows of it is changed by `promote` only, under the worker's lock and while it has no place there."""

    work: DecodeJob
    future: asyncio.Future[Decoded]
    queued_s: float
    rank: tuple[float, int]
    ripe_s: float
    """Of a speculative one: it is not begun before."""
    is_told: bool = False
    """Its result has been delivered; for the thread that decodes it only."""

    @property
    def owner(self) -> int:
        return self.work.owner

    @property
    def purpose(self) -> Purpose:
        return self.work.purpose

    def promote(self, answer_at_s: float) -> None:
        self.work = replace(self.work, purpose=Purpose.FINAL, answer_at_s=answer_at_s)
        self.rank = (self.work.deadline.at_s, self.rank[1])


class _State(Enum):
    NEW = "not started"
    SERVING = "serving"
    STOPPED = "stopped"


class Worker:
    """Decodes jobs on threads of its own. `async with Worker(...)` starts and stops it; once stopped it stays so."""

    def __init__(
        self,
        engine: BatchingEngine,
        options: WorkerOptions | None = None,
        now: Callable[[], float] = time.monotonic,
        *,
        smaller: BatchingEngine | None = None,
    ) -> None:
        """`smaller`: in the languages that it speaks, decodes partials, for those who prefer it (`DecodeOptions.tier`), and finals that
        would be late on `engine` whatever else is given up."""
        self._options = options or WorkerOptions()
        self._now = now
        self._decoder = JobDecoder(engine, smaller, self._options, now)
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
        self._occupancy = Occupancy(self._options.threads)
        self._live_until_s = -math.inf
        self._alive = 0
        self._closing = False

    @property
    def threads(self) -> int:
        """Of the worker: decodes, or batches of them, at a time."""
        return self._options.threads

    @property
    def queue_depth(self) -> int:
        """Jobs that wait."""
        with self._changed:
            return len(self._line)

    @property
    def running(self) -> int:
        """Jobs that threads work on, also those whose result nobody wants any more."""
        with self._changed:
            return self._occupancy.jobs

    @property
    def busy_s(self) -> Mapping[Purpose, float]:
        """Time that jobs of each purpose have kept a thread busy since the start, those included whose result nobody wanted any more.

        A speculative job counts as one unless it became a final before a thread took it. Jobs decoded together share the time, but
        partials beside others have none of it.
        """
        with self._changed:
            return self._occupancy.busy_s

    @property
    def prediction(self) -> Prediction:
        """How decodes alone by the main model are predicted, and how good that was."""
        return self._decoder.prediction

    @property
    def prediction_error(self) -> float | None:
        """By how much predictions of all decodes were off lately, either way: 1.15 is 15 %. None before the first."""
        return self._decoder.prediction_error

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
        now_s = self._now()
        others_ask = len(self._open) > (job.owner in self._open)
        ripe_s = now_s + self._options.ripen_ms / 1000 if others_ask else now_s
        entry = _Entry(job, future, now_s, (job.deadline.at_s, next(self._numbers)), ripe_s)
        with self._changed:
            if not self._line.admits(entry):
                raise Overloaded(f"{len(self._line)} jobs wait for the recogniser already", self._options.retry_after_s)
            displaced = self._line.add(entry)
            if job.purpose is not Purpose.OFFLINE:
                self._live_until_s = now_s + LIVE_S
            self._changed.notify_all()
        for other in displaced:
            self._give_up(other)
        self._open.setdefault(job.owner, {})[job.job] = entry
        future.add_done_callback(lambda _: self._settle(entry))
        return future

    def promote(self, owner: int, job: int, answer_at_s: float) -> None:
        """A speculative job has become a final whose response clock started at `answer_at_s`: if it waits, it waits among the finals.

        One that runs goes on as it was planned. A job that is not open, or not speculative, is ignored.
        """
        entry = self._open.get(owner, {}).get(job)
        if entry is None or entry.purpose is not Purpose.SPECULATIVE:
            return
        with self._changed:
            if not self._line.remove(entry):
                return
            entry.promote(answer_at_s)
            displaced = self._line.add(entry)
            self._changed.notify_all()
        for other in displaced:
            self._give_up(other)

    def cancel(self, owner: int, job: int | None = None) -> None:
        """Give up one job of an owner, or all of them: their futures are cancelled, those that wait are dropped.

        Those that run end with the step they are at. A job that is not open is ignored.
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

    def _deliver_rest(self, entry: _Entry, outcome: Decoded | AsrError) -> None:
        words = outcome.decoding.hypothesis.words if isinstance(outcome, Decoded) else ()
        # Behind those who wait for the text, whom the future is still to tell.
        entry.future.add_done_callback(lambda future: None if future.cancelled() else entry.work.placed(words))

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
        taken = self._take()
        if taken is None:
            return False
        entry, turn, running = taken
        company: Company[_Entry] = Company(
            waiting=lambda: self._waiting(turn),
            claim=lambda other: self._claim(turn, other),
            wanted=lambda one: not one.future.cancelled(),
            told=lambda one, decoded: self._tell(one, decoded, loop),
            done=lambda one, outcome: self._end(turn, one, outcome, loop),
        )
        self._decoder.decode(entry, running, company)
        return True

    def _take(self) -> tuple[_Entry, Turn, int] | None:
        """Wait for a turn: whose it is, and how many threads work in it. None when the worker closes.

        A thread whose turn ends, and so makes room for a partial, looks itself.
        """
        with self._changed:
            while not self._closing:
                now_s = self._now()
                partials_from_s = self._occupancy.partials_from_s
                partials = now_s >= partials_from_s and self._occupancy.takes_partials()
                entry = self._line.take(partials=partials, offline=self._takes_offline(now_s), ripe_by_s=now_s)
                if entry is not None:
                    turn = self._occupancy.begin(entry.purpose, now_s)
                    return entry, turn, self._occupancy.threads
                moments_s = [self._line.next_ripe_s, *(at_s for at_s in (partials_from_s, self._live_until_s) if now_s < at_s)]
                self._changed.wait(min((at_s - now_s for at_s in moments_s if at_s is not None), default=None))
            return None

    def _takes_offline(self, now_s: float, turn: Turn | None = None) -> bool:
        """Whether a thread may take offline jobs, or the one of `turn` may take some more."""
        return now_s >= self._live_until_s or self._occupancy.takes_offline(turn)

    def _waiting(self, turn: Turn) -> tuple[_Entry, ...]:
        """Who might join a turn: nobody whom an idle thread will take, and nobody who is not ripe."""
        with self._changed:
            if self._closing:
                return ()
            if self._occupancy.is_full:
                now_s = self._now()
                takes_offline = self._takes_offline(now_s, turn)
                return tuple(entry for entry in self._line if self._may_join(turn, entry, now_s, takes_offline=takes_offline))
            if Purpose.PARTIAL in turn.purposes and not self._occupancy.takes_partials():
                # The idle thread is the one that takes no partials.
                return tuple(entry for entry in self._line if entry.purpose is Purpose.PARTIAL)
            return ()

    @staticmethod
    def _may_join(turn: Turn, entry: _Entry, now_s: float, *, takes_offline: bool) -> bool:
        """What is worth more does not wait for a partial to be decoded with it, and what may be in vain not before it is ripe."""
        match entry.purpose:
            case Purpose.FINAL:
                return True
            case Purpose.OFFLINE:
                return takes_offline
            case Purpose.SPECULATIVE:
                return entry.ripe_s <= now_s
            case Purpose.PARTIAL:
                return turn.has_partials_only

    def _claim(self, turn: Turn, entry: _Entry) -> bool:
        """Whether one that waited joins a turn. It may have been taken, given up or replaced meanwhile."""
        with self._changed:
            now_s = self._now()
            if entry.purpose is Purpose.PARTIAL and not self._occupancy.takes_partials(turn):
                return False
            if entry.purpose is Purpose.OFFLINE and not self._takes_offline(now_s, turn):
                return False
            if self._closing or not self._line.remove(entry):
                return False
            self._occupancy.join(turn, entry.purpose, now_s)
            return True

    def _tell(self, entry: _Entry, decoded: Decoded, loop: asyncio.AbstractEventLoop) -> None:
        """The result of one that goes on looking for its words."""
        entry.is_told = True
        loop.call_soon_threadsafe(self._deliver, entry, decoded)

    def _end(self, turn: Turn, entry: _Entry, outcome: Decoded | AsrError, loop: asyncio.AbstractEventLoop) -> None:
        with self._changed:
            self._occupancy.end(turn, entry.purpose, self._now())
            if turn.purposes:
                self._changed.notify()  # a partial that waits for others to end may have its turn before this one's is over
        loop.call_soon_threadsafe(self._deliver_rest if entry.is_told else self._deliver, entry, outcome)
