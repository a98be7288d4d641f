"""A thread's turn: condition a job, plan it, see who may join, decode, and learn from what it took."""

import math
import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic, Protocol, TypeAlias, TypeVar

from asr_server.engine.batch import Batch, Member
from asr_server.engine.correction import Prediction
from asr_server.engine.cost import CostModel
from asr_server.engine.engine import BatchingEngine, DecodeOptions, Decoding
from asr_server.engine.jobs import Decoded, DecodeJob, WorkerOptions
from asr_server.engine.placing import RATE_HZ
from asr_server.engine.planner import NO_DECODE, Plan, Workload, plan
from asr_server.errors import AsrError, EngineFailed
from asr_server.events import Purpose, Tier
from asr_server.transcript import Hypothesis
from asr_server.watch.observer import Stage
from audio_norm import Normalized

_LOOKED_AT = 4
"""Times as many as may be decoded together are asked to join: to plan one takes time, too."""


class Queued(Protocol):
    """A job in line."""

    @property
    def work(self) -> DecodeJob: ...

    @property
    def queued_s(self) -> float:
        """When it was submitted."""


Item = TypeVar("Item", bound=Queued)

Factors: TypeAlias = Mapping[bool, float]
"""What predictions are corrected by: False for the main model, True for the smaller one."""


@dataclass(frozen=True, slots=True)
class Company(Generic[Item]):
    """What a thread asks of, and tells, those who keep the line."""

    waiting: Callable[[], Sequence[Item]]
    """Who might join, in the order of their turns."""
    claim: Callable[[Item], bool]
    """Whether one of them may be taken; it waits no longer then."""
    wanted: Callable[[Item], bool]
    """Whether anybody waits for what comes of one of them."""
    told: Callable[[Item, Decoded], None]
    """The result of one whose words are still to be found. It is `done` after that."""
    done: Callable[[Item, Decoded | AsrError], None]
    """What came of the first job, or of one that was claimed."""


@dataclass(frozen=True, slots=True)
class _Ready(Generic[Item]):
    """A job whose audio is ready."""

    item: Item
    normalized: Normalized
    stages: tuple[Stage, ...]
    plan: Plan

    @property
    def ready_s(self) -> float:
        return self.stages[-1].end_s


class JobDecoder:
    """May be called from several threads at once."""

    def __init__(self, engine: BatchingEngine, smaller: BatchingEngine | None, options: WorkerOptions, now: Callable[[], float]) -> None:
        self._engine = engine
        self._smaller = smaller
        self._options = options
        self._now = now
        self._learning = threading.Lock()
        # Of the main model and of the smaller one: one of them may suffer more from what runs beside it.
        self._predictions = {by_smaller: Prediction.unlearnt(options.threads) for by_smaller in (False, True)}
        self._together = {by_smaller: Prediction.unlearnt(1) for by_smaller in (False, True)}
        """Of batches, by what they should take after the correction that decodes alone have taught."""

    @property
    def prediction(self) -> Prediction:
        """Of decodes alone, by the main model."""
        return self._predictions[False]

    @property
    def prediction_error(self) -> float | None:
        """By how much predictions were off lately, either way: 1.15 is 15 %. Of all decodes, alone and together, by either model: the
        geometric mean, each kind by how many there were. None before the first."""
        kinds = [*self._predictions.values(), *self._together.values()]
        decodes = sum(kind.count for kind in kinds)
        return math.exp(sum(kind.count * math.log(kind.error) for kind in kinds) / decodes) if decodes else None

    def decode(self, first: Item, running: int, company: Company[Item]) -> None:
        """Decodes `first` and whom it claims. `running`: threads at work, this one included.

        Raises only what `company` does: whatever else goes wrong is told of each job that has not ended.
        """
        open_ = [first]

        def claim(item: Item) -> bool:
            claimed = company.claim(item)
            if claimed:
                open_.append(item)
            return claimed

        def done(item: Item, outcome: Decoded | AsrError) -> None:
            open_.remove(item)
            company.done(item, outcome)

        try:
            self._decode(first, running, replace(company, claim=claim, done=done))
        except Exception as error:
            if not open_:
                raise  # nobody could be told what became of the last one
            for item in tuple(open_):
                done(item, _as_ours(error))

    def _decode(self, first: Item, running: int, company: Company[Item]) -> None:
        factors = {by_smaller: prediction.factor(running) for by_smaller, prediction in self._predictions.items()}
        leader = self._ready(first, company, factors)
        if leader is None:
            return
        members = [leader]
        if self._options.max_batch > 1:
            joined = self._companions(leader, factors, company)
            members += [ready for item, planned in joined if (ready := self._ready(item, company, factors, planned)) is not None]
        learn: Callable[[float], None]
        if len(members) == 1:
            learn = partial(self._learn_alone, running, factors, leader.plan)
        else:
            members, learn = self._as_batch(members, factors)
        self._decode_members(members, learn, company)

    def _ready(self, item: Item, company: Company[Item], factors: Factors, planned: Plan | None = None) -> _Ready[Item] | None:
        """With a plan for the time that is left, unless it has one. None when the job has ended with that: rejected, or failed."""
        job = item.work
        outcome: Decoded | AsrError
        try:
            taken_s = self._now()
            normalized = job.condition(job.window)
            stages = (Stage("queue", item.queued_s, taken_s), Stage("condition", taken_s, self._now()))
            if normalized.rejected is None:
                return _Ready(item, normalized, stages, planned or self._plan(job, self._workload(job, normalized), factors))
            nothing = Decoding(Hypothesis(rejected=normalized.rejected))
            outcome = Decoded(nothing, normalized, NO_DECODE, stages, self._engine.release, _kept(job))
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to this job only
            outcome = _as_ours(error)
        company.done(item, outcome)
        return None

    def _companions(self, leader: _Ready[Item], factors: Factors, company: Company[Item]) -> list[tuple[Item, Plan]]:
        """Those who join, claimed, and how they are decoded: as each would be alone at this moment. Judged by their windows as they are:
        to condition one takes time, and it may not join."""
        batch = Batch(
            self._member(leader.item.work, self._workload(leader.item.work, leader.normalized), leader.plan, factors),
            self._cost(leader.plan, factors),
            self._together[leader.plan.by_smaller].factor(1),
        )
        waiting = company.waiting()
        joined: list[tuple[Item, Plan]] = []
        somebody_is_left = False
        for place, item in enumerate(waiting[: self._options.max_batch * _LOOKED_AT]):
            job = item.work
            is_partial = job.purpose is Purpose.PARTIAL
            if len(batch) == self._options.max_batch or (is_partial and somebody_is_left):
                break
            try:
                workload = Workload.of_window(job.window, RATE_HZ, job.options, self._options.margin_ms)
                planned = self._plan(job, workload, factors)
                member = self._member(job, workload, planned, factors)
            except Exception:  # noqa: BLE001, S112 - it belongs to that job only, which is told of it when its turn comes
                continue
            if batch.admits(member, (len(waiting) - place) / self._options.threads) and company.claim(item):
                batch.add(member)
                joined.append((item, planned))
            else:
                # A partial is not taken before one that is worth more.
                somebody_is_left = somebody_is_left or not is_partial
        return joined

    def _as_batch(self, members: Sequence[_Ready[Item]], factors: Factors) -> tuple[list[_Ready[Item]], Callable[[float], None]]:
        """The same, planned to be told together, and what is told how long that took."""
        by_smaller = members[0].plan.by_smaller
        correction = self._together[by_smaller].factor(1)
        works = [self._workload(ready.item.work, ready.normalized) for ready in members]
        cost = self._cost(members[0].plan, factors).scaled(correction)
        costs = [
            work.predict(cost, ready.plan.beam_size, word_times=ready.plan.word_times) for work, ready in zip(works, members, strict=True)
        ]
        predicted_ms = cost.together_ms(costs)
        together = [replace(ready, plan=replace(ready.plan, predicted_ms=predicted_ms)) for ready in members]
        return together, partial(self._learn_together, correction, together[0].plan)

    def _learn_alone(self, running: int, factors: Factors, planned: Plan, took_ms: float) -> None:
        by_smaller = planned.by_smaller
        with self._learning:
            before = self._predictions[by_smaller]
            self._predictions[by_smaller] = before.after(running, factors[by_smaller], planned.predicted_ms, took_ms)

    def _learn_together(self, correction: float, planned: Plan, took_ms: float) -> None:
        with self._learning:
            before = self._together[planned.by_smaller]
            self._together[planned.by_smaller] = before.after(1, correction, planned.predicted_ms, took_ms)

    def _decode_members(self, members: Sequence[_Ready[Item]], learn: Callable[[float], None], company: Company[Item]) -> None:
        """`learn` is told how long it was until all texts were known, unless one failed."""
        begun_s = self._now()
        has_text: dict[int, bool] = {}

        def know(number: int, outcome: Decoding | EngineFailed) -> None:
            if number not in has_text:
                has_text[number] = isinstance(outcome, Decoding)
                if len(has_text) == len(members) and all(has_text.values()):
                    learn((self._now() - begun_s) * 1000)

        def told(number: int, decoding: Decoding) -> None:
            know(number, decoding)
            company.told(members[number].item, self._decoded(members[number], decoding))

        def done(number: int, outcome: Decoding | EngineFailed) -> None:
            know(number, outcome)
            ended = outcome if isinstance(outcome, EngineFailed) else self._decoded(members[number], outcome)
            company.done(members[number].item, ended)

        def wanted(number: int) -> bool:
            return company.wanted(members[number].item)

        self._model(members[0].plan).decode_together([_asked(ready) for ready in members], done, told, wanted)

    def _decoded(self, ready: _Ready[Item], decoding: Decoding) -> Decoded:
        """Time that a job waits for others of its batch is time of recognition."""
        parts = tuple(Stage(f"asr.{span.name}", span.start_s, span.end_s) for span in decoding.spans)
        asr = Stage("asr", ready.ready_s, self._now(), parts=parts)
        job = _kept(ready.item.work)
        return Decoded(decoding, ready.normalized, ready.plan, (*ready.stages, asr), self._model(ready.plan).release, job)

    def _workload(self, job: DecodeJob, audio: Normalized) -> Workload:
        return Workload.of(audio, job.options, self._options.margin_ms)

    def _plan(self, job: DecodeJob, workload: Workload, factors: Factors) -> Plan:
        smaller = self._smaller
        return plan(
            workload,
            self._wary(self._engine, factors, job, by_smaller=False),
            job.allowed_ms(self._now()),
            smaller=self._wary(smaller, factors, job, by_smaller=True)
            if smaller is not None and (job.options.tier is Tier.ONLY_SMALLER or self._speaks(smaller, job.options.language))
            else None,
            purpose=job.purpose,
        )

    def _member(self, job: DecodeJob, workload: Workload, planned: Plan, factors: Factors) -> Member:
        shape: Hashable = (planned.by_smaller, self._model(planned).shape(planned.applied_to(job.options)))
        cost = workload.predict(self._cost(planned, factors), planned.beam_size, word_times=planned.word_times)
        # In time is who is so as likely as was planned, with others as alone.
        allowed_ms = job.allowed_ms(self._now()) / self._spread(job, by_smaller=planned.by_smaller)
        return Member(job.purpose, shape, cost, allowed_ms)

    def _model(self, planned: Plan) -> BatchingEngine:
        return self._smaller if self._smaller is not None and planned.by_smaller else self._engine

    def _cost(self, planned: Plan, factors: Factors) -> CostModel:
        return self._model(planned).cost.scaled(factors[planned.by_smaller])

    def _wary(self, model: BatchingEngine, factors: Factors, job: DecodeJob, *, by_smaller: bool) -> CostModel:
        return replace(model.cost.scaled(factors[by_smaller]), spread=self._spread(job, by_smaller=by_smaller))

    def _spread(self, job: DecodeJob, *, by_smaller: bool) -> float:
        """Room is left where somebody waits for all of the decode. Of one begun in a silence only the end is waited for, and most are in
        vain: four streams with partials, 41 clips, half of the finals would be by the smaller model, WER 8.2 instead of 7.3."""
        return self._predictions[by_smaller].spread if job.purpose is Purpose.FINAL else 1.0

    def _speaks(self, smaller: BatchingEngine, language: str) -> bool:
        """A language that is yet to be found may be any that the main engine speaks."""
        wanted = self._engine.languages if language == "auto" else (language,)
        return set(wanted) <= set(smaller.languages)


def _kept(job: DecodeJob) -> DecodeJob | None:
    """Of what may become a final."""
    return None if job.purpose is Purpose.PARTIAL else job


def _asked(ready: _Ready[Item]) -> tuple[Normalized, DecodeOptions]:
    return ready.normalized, ready.plan.applied_to(ready.item.work.options)


def _as_ours(error: Exception) -> AsrError:
    if isinstance(error, AsrError):
        return error
    failed = EngineFailed(f"recognition failed: {type(error).__name__}: {error}")
    failed.__cause__ = error
    return failed
