"""What a `Worker` takes and gives: frozen values."""

from collections.abc import Callable
from dataclasses import dataclass

from asr_server.budget import Deadline, LatencyBudget
from asr_server.engine.engine import DecodeOptions, Decoding, Release
from asr_server.engine.planner import Plan, Sacrifice
from asr_server.events import Purpose
from asr_server.transcript import Word
from asr_server.watch.observer import Stage
from audio_norm import Normalized, SpeechWindow


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """How many may decode and wait at a time."""

    threads: int = 2
    """Decodes at a time. Each is one-threaded work, so more than the machine has cores gains nothing."""
    max_queued: int = 256
    """Jobs that may wait, of all purposes together."""
    margin_ms: float = 1000.0
    """Silence the engine encodes after the speech; the planner counts it."""
    retry_after_s: float = 1.0
    """What `Overloaded` advises."""
    max_batch: int = 1
    """Jobs that one thread decodes together, when all are busy; 1: none are."""
    ripen_ms: float = 0.0
    """How long a speculative job waits, while other owners have jobs, for speech to go on and make it needless."""

    def __post_init__(self) -> None:
        if self.threads < 1:
            raise ValueError(f"worker threads is {self.threads}, must be at least 1")
        if self.max_batch < 1:
            raise ValueError(f"worker max_batch is {self.max_batch}, must be at least 1")
        if self.max_queued < 1:
            raise ValueError(f"worker max_queued is {self.max_queued}, must be at least 1")
        if self.ripen_ms < 0:
            raise ValueError(f"worker ripen_ms is {self.ripen_ms:g}, must not be negative")
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
    """When the response clock started, on the worker's clock. Of a speculative job: when it will, and the answer can first be used."""
    budget: LatencyBudget
    placed: Callable[[tuple[Word, ...]], None] = lambda _: None
    """Told the words on the event loop once they are found, where that comes after the result (`WordPlaces.AFTER`); none if that failed."""

    @property
    def deadline(self) -> Deadline:
        """When recognition must have ended for `post` and `send` to have their slices."""
        return Deadline.after(self.answer_at_s, self.budget.total_ms - self.budget.post_ms - self.budget.send_ms)

    def allowed_ms(self, now_s: float) -> float:
        """How long a decode that starts now may take: to the deadline, but of the response time never more than the `asr` slice."""
        until_answer_ms = max(0.0, (self.answer_at_s - now_s) * 1000)
        return min(until_answer_ms + self.budget.asr_ms, self.deadline.remaining_ms(now_s))


@dataclass(frozen=True, slots=True)
class Decoded:
    """What came of a job and what it took."""

    decoding: Decoding
    """Of audio the data definition rejected: no alternatives, and `hypothesis.rejected` says why."""
    normalized: Normalized
    plan: Plan
    stages: tuple[Stage, ...]
    """In the order in which they ran, without gaps: "queue" (from `submit` until a thread took the job), "condition", "asr" (the choice of
    company and the engine call, with the engine's parts "asr.features", "asr.encode", ...). Rejected audio has no "asr". Those of a
    speculative job ran, in part or all, before the response clock started."""
    release: Release
    """Which model decoded it; of rejected audio the main one."""
    job: DecodeJob | None = None
    """What was asked, for those who want to know more of it. None of a partial."""

    @property
    def batch(self) -> int:
        """How many jobs were decoded together, this one included."""
        return self.decoding.batch

    @property
    def degraded(self) -> tuple[Sacrifice, ...]:
        """What was given up to save time, as in `Ledger.degraded`."""
        return self.plan.degraded

    @property
    def audio_ms(self) -> float:
        """Length of the audio the engine was given; 0 when it was given none."""
        return 0.0 if self.normalized.rejected else self.normalized.duration_s * 1000
