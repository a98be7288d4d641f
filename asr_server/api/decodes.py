"""The decodes of one stream: what is asked of the worker, and what becomes of it.

A partial that is not done is no loss, nor is what was begun in case. A final is never given up: one that lost its place in the line is
asked for again, and so is, once, one whose decode failed, by the main model then unless the caller named another. What fails twice is told.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from asr_server.api.host import Host
from asr_server.api.outgoing import Asked
from asr_server.api.wire import Wanted
from asr_server.engine.worker import Decoded, DecodeJob
from asr_server.errors import EngineFailed, NotServing, Overloaded
from asr_server.events import DecodeWanted, Purpose, Tier
from asr_server.transcript import Hypothesis, Word
from asr_server.watch import attributes as names
from asr_server.watch.observer import Attributes, CallObserver, Stage

logger = logging.getLogger(__name__)

MAX_BEGUN = 3
"""Decodes begun in case that may still become finals: one in the silence, one of what is sure in speech that goes on, one to spare."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The message being handled: when it was read, and the stages it has been through."""

    arrived_s: float
    stages: tuple[Stage, ...] = ()


@dataclass(frozen=True, slots=True)
class Listener:
    """Who is told. What it raises is told as a failure."""

    heard: Callable[[int, Hypothesis], None]
    """Of a job, unless that is not wanted any more."""
    placed: Callable[[int, tuple[Word, ...]], None]
    """The words of a text that was heard before."""
    given_up: Callable[[int], None]
    """A job that is no final will not be done."""
    failed: Callable[[BaseException, int, Asked | None], None]
    """The final of that job will not come; 0: a failure of ours that is no job's."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a final was asked for, and what came of it."""

    asked: Asked
    decoded: Decoded
    partials_given_up: bool
    """Partials of its segment were asked for, and none was decoded."""


class Decodes:
    """Used on the event loop only."""

    def __init__(
        self, host: Host, owner: int, wanted: Wanted, call: CallObserver, listener: Listener, *, in_background: bool = False
    ) -> None:
        """`in_background`: nobody waits for it; whoever speaks goes first."""
        self._host = host
        self._owner = owner
        self._wanted = wanted
        self._call = call
        self._listener = listener
        self._in_background = in_background
        self._rate_hz = host.definition.audio.rate_hz
        self._finals: dict[int, Asked] = {}
        self._asked_again: set[int] = set()
        self._decoded: dict[int, Decoded] = {}
        """Of finals, and of the last jobs begun in case, which may become some."""
        self._partials_heard: dict[int, bool] = {}
        """By segment for which partials were asked: whether any was decoded."""
        self._is_over = False
        self._has_logged = False

    @property
    def finals_open(self) -> int:
        """Asked for and not taken yet."""
        return len(self._finals)

    def is_open_before(self, job: int) -> bool:
        """Whether a final that was asked for before `job` has not been taken yet."""
        return any(number < job for number in self._finals)

    def close(self) -> None:
        """Nobody wants any of it any more, and nobody is told anything."""
        self._is_over = True
        self._host.worker.cancel(self._owner)

    def submit(self, wanted: DecodeWanted, moment: Moment, tier: Tier | None = None) -> None:
        """`tier`: by which model, where that is not as the caller's config says."""
        options = replace(self._wanted.decode, said=wanted.said, word_places=wanted.word_places)
        job = DecodeJob(
            owner=self._owner,
            job=wanted.job,
            purpose=Purpose.OFFLINE if self._in_background else wanted.purpose,
            window=wanted.window,
            options=options if tier is None else replace(options, tier=tier),
            condition=self._host.definition.finish,
            answer_at_s=moment.arrived_s + wanted.due_samples / self._rate_hz,
            budget=self._wanted.budget,
            placed=lambda words: self._placed(wanted.job, words),
        )
        if wanted.purpose is Purpose.PARTIAL:
            self._partials_heard.setdefault(wanted.segment, False)
        try:
            future = self._host.worker.submit(job)
        except Overloaded as refusal:
            if wanted.purpose is Purpose.SPECULATIVE:
                # What the session says with it may already make it a final.
                asyncio.get_running_loop().call_soon(self._displaced, wanted)
            else:
                self._give_up(wanted, refusal)
            return
        if wanted.purpose is Purpose.FINAL:
            self._finals[wanted.job] = Asked(wanted.segment, wanted.endpoint_wait_samples, moment.arrived_s, moment.stages)
        future.add_done_callback(lambda done: self._heard_back(wanted, done))

    def promote(self, job: int, segment: int, wait_samples: int, moment: Moment) -> None:
        """A decode begun in the silence is the final: its clock starts now."""
        self._finals[job] = Asked(segment, wait_samples, moment.arrived_s, moment.stages)
        self._host.worker.promote(self._owner, job, moment.arrived_s)

    def cancel(self, job: int) -> None:
        self._host.worker.cancel(self._owner, job)

    def take(self, job: int, segment: int) -> Answer:
        """A final leaves. Nothing is kept of it, nor of what was begun before it."""
        answer = Answer(self._finals.pop(job), self._decoded.pop(job), not self._partials_heard.pop(segment, True))
        self._asked_again.discard(job)
        for older in [number for number in self._decoded if number < job and number not in self._finals]:
            del self._decoded[older]
        return answer

    def _heard_back(self, wanted: DecodeWanted, done: asyncio.Future[Decoded]) -> None:
        """Nobody awaits a callback: a failure in here must be told too."""
        if self._is_over:
            _ = done.cancelled() or done.exception()  # heard, and of no use any more
            return
        try:
            if done.cancelled():
                self._displaced(wanted)
            elif (error := done.exception()) is not None:
                self._failed(wanted, error)
            else:
                self._keep(wanted, done.result())
                self._listener.heard(wanted.job, done.result().decoding.hypothesis)
        except Exception as failure:  # noqa: BLE001
            self._listener.failed(failure, 0, None)

    def _placed(self, job: int, words: tuple[Word, ...]) -> None:
        if self._is_over:
            return
        try:
            self._listener.placed(job, words)
        except Exception as failure:  # noqa: BLE001
            self._listener.failed(failure, 0, None)

    def _keep(self, wanted: DecodeWanted, decoded: Decoded) -> None:
        if wanted.purpose is Purpose.PARTIAL:
            self._partials_heard[wanted.segment] = True
            return
        self._decoded[wanted.job] = decoded
        begun = [number for number in self._decoded if number not in self._finals]
        for old in begun[:-MAX_BEGUN]:
            del self._decoded[old]

    def _displaced(self, wanted: DecodeWanted) -> None:
        """The worker had no room for it any more. What has become a final meanwhile is asked for again."""
        if self._is_over:
            return
        if wanted.job not in self._finals or wanted.purpose is Purpose.FINAL:
            self._give_up(wanted, NotServing("the server is stopping"))
            return
        self._ask_again(wanted)

    def _failed(self, wanted: DecodeWanted, error: BaseException) -> None:
        is_final = wanted.job in self._finals
        self._note(wanted, error)
        if is_final and isinstance(error, EngineFailed) and wanted.job not in self._asked_again:
            self._asked_again.add(wanted.job)
            self._ask_again(wanted, None if self._wanted.decode.tier is Tier.ONLY_SMALLER else Tier.MAIN)
        else:
            self._give_up(wanted, error)

    def _ask_again(self, wanted: DecodeWanted, tier: Tier | None = None) -> None:
        asked = self._finals[wanted.job]
        final = replace(wanted, purpose=Purpose.FINAL, endpoint_wait_samples=asked.endpoint_wait_samples, due_samples=0)
        try:
            self.submit(final, Moment(asked.answer_at_s, asked.before), tier)
        except NotServing as stopping:
            self._give_up(final, stopping)

    def _give_up(self, wanted: DecodeWanted, error: BaseException) -> None:
        asked = self._finals.pop(wanted.job, None)
        if asked is None and wanted.purpose is not Purpose.FINAL:
            self._listener.given_up(wanted.job)
        else:
            self._listener.failed(error, wanted.job, asked)

    def _note(self, wanted: DecodeWanted, error: BaseException) -> None:
        """A decode that failed is seen, also where it is no loss or is done once more."""
        purpose = wanted.purpose.name.lower()
        told: Attributes = {names.SEGMENT: wanted.segment, names.PURPOSE: purpose, names.ERROR_TYPE: type(error).__name__}
        self._call.event(names.EVENT_DECODE_FAILED, told, self._host.now())
        if not self._has_logged:
            self._has_logged = True
            logger.warning("a %s decode failed: %s; further ones of this stream are not logged", purpose, error)
