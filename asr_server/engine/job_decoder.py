"""One job on one thread: condition, plan, decode, and learn from what it took."""

import threading
from collections.abc import Callable

from asr_server.engine.correction import Prediction
from asr_server.engine.engine import Decoding, Engine
from asr_server.engine.jobs import Decoded, DecodeJob, WorkerOptions
from asr_server.engine.planner import NO_DECODE, Plan, Workload, plan
from asr_server.errors import AsrError, EngineFailed
from asr_server.transcript import Hypothesis
from asr_server.watch.observer import Stage
from audio_norm import Normalized


class JobDecoder:
    """May be called from several threads at once."""

    def __init__(self, engine: Engine, smaller: Engine | None, options: WorkerOptions, now: Callable[[], float]) -> None:
        self._engine = engine
        self._smaller = smaller
        self._margin_ms = options.margin_ms
        self._now = now
        self._learning = threading.Lock()
        self._prediction = Prediction.unlearnt(options.threads)

    @property
    def prediction(self) -> Prediction:
        return self._prediction

    def outcome(self, job: DecodeJob, queued_s: float, running: int) -> Decoded | AsrError:
        """`queued_s`: when it was submitted; `running`: jobs that threads work on, this one included. Raises nothing."""
        try:
            return self._decode(job, queued_s, running)
        except AsrError as error:
            return error
        except Exception as error:  # noqa: BLE001 - whatever a decode raises belongs to its job, not to the thread that serves all
            failed = EngineFailed(f"recognition failed: {type(error).__name__}: {error}")
            failed.__cause__ = error
            return failed

    def _decode(self, job: DecodeJob, queued_s: float, running: int) -> Decoded:
        taken_s = self._now()
        normalized = job.condition(job.window)
        conditioned_s = self._now()
        stages = (Stage("queue", queued_s, taken_s), Stage("condition", taken_s, conditioned_s))
        if normalized.rejected is not None:
            return Decoded(Decoding(Hypothesis(rejected=normalized.rejected)), normalized, NO_DECODE, stages, self._engine.release)
        factor = self._prediction.factor(running)
        chosen = self._plan(job, normalized, factor, job.allowed_ms(conditioned_s))
        engine = self._smaller if self._smaller is not None and chosen.by_smaller else self._engine
        decoding = engine.decode(normalized, chosen.applied_to(job.options))
        parts = tuple(Stage(f"asr.{span.name}", span.start_s, span.end_s) for span in decoding.spans)
        asr = Stage("asr", conditioned_s, self._now(), parts=parts)
        with self._learning:
            self._prediction = self._prediction.after(running, factor, chosen.predicted_ms, asr.spent_ms)
        return Decoded(decoding, normalized, chosen, (*stages, asr), engine.release)

    def _plan(self, job: DecodeJob, normalized: Normalized, factor: float, allowed_ms: float) -> Plan:
        smaller = self._smaller
        return plan(
            Workload.of(normalized, job.options, self._margin_ms),
            self._engine.cost.scaled(factor),
            allowed_ms,
            smaller=smaller.cost.scaled(factor) if smaller is not None and self._speaks(smaller, job.options.language) else None,
            purpose=job.purpose,
        )

    def _speaks(self, smaller: Engine, language: str) -> bool:
        """A language that is yet to be found may be any that the main engine speaks."""
        wanted = self._engine.languages if language == "auto" else (language,)
        return set(wanted) <= set(smaller.languages)
