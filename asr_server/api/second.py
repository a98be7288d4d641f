"""Second opinions: a few segments are decoded once more by a stronger plan, when nobody waits, and both texts are held against each other.

Where nobody corrects texts, how often the two differ tells how sure anything is. Whoever speaks goes first, and while the recogniser is
busy nobody is asked.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable
from dataclasses import replace

from asr_server.accuracy.texts import text_errors
from asr_server.accuracy.wer import ErrorCounts
from asr_server.budget import LatencyBudget
from asr_server.engine.worker import Decoded, DecodeJob, Worker
from asr_server.errors import AsrError
from asr_server.events import Purpose, Tier, WordPlaces
from asr_server.transcript import Hypothesis

logger = logging.getLogger(__name__)

MAX_OPEN = 2
BUDGET_MS = 5_000.0


class SecondOpinions:
    """Used on the event loop."""

    def __init__(
        self,
        worker: Worker,
        share: float,
        beam_size: int,
        number: Callable[[], int],
        told: Callable[[str, ErrorCounts], None],
        *,
        now: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """`share` of the segments of streams are decoded again with `beam_size` by the main model.

        `number`: of an owner of jobs; `told`: the id of a segment, and how what was told differs from the second text.
        """
        self._worker = worker
        self._share = share
        self._beam_size = beam_size
        self._number = number
        self._told = told
        self._now = now
        self._draw = draw
        self._open: set[asyncio.Task[None]] = set()
        self.skipped = 0
        """Segments that were drawn while the recogniser was busy, or became so."""

    def consider(self, segment_id: str, decoded: Decoded, hypothesis: Hypothesis) -> None:
        """A segment was told."""
        job = decoded.job
        if job is None or job.purpose is Purpose.OFFLINE or decoded.normalized.rejected or self._draw() >= self._share:
            return
        # One that was made cheaper in a hurry tells of the hurry, and the same search over again tells nothing.
        is_wider = decoded.decoding.beam_size < self._beam_size or decoded.plan.by_smaller
        if decoded.degraded or not is_wider:
            return
        if len(self._open) >= MAX_OPEN or self._worker.running >= self._worker.threads or self._worker.queue_depth:
            self.skipped += 1
            return
        task = asyncio.create_task(self._ask(segment_id, job, hypothesis))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _ask(self, segment_id: str, job: DecodeJob, first: Hypothesis) -> None:
        options = replace(
            job.options, beam_size=self._beam_size, tier=Tier.MAIN, word_places=WordPlaces.UNWANTED, word_times=False, max_alternatives=1
        )
        again = replace(
            job,
            owner=self._number(),
            job=1,
            purpose=Purpose.OFFLINE,
            options=options,
            answer_at_s=self._now(),
            budget=LatencyBudget().scaled_to(BUDGET_MS),
            placed=lambda _: None,
        )
        try:
            decoded = await self._worker.submit(again)
        except (AsrError, asyncio.CancelledError) as error:
            logger.debug("no second opinion of %s: %s", segment_id, error)
            return
        if decoded.degraded:
            self.skipped += 1
            return
        second = decoded.decoding.hypothesis
        language = first.language or second.language or "en"
        self._told(segment_id, await asyncio.to_thread(text_errors, second.text, first.text, language))
