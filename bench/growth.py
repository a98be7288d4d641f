"""Does a server grow while it serves? Judged from samples of a run: memory by its trend, threads and files by their level, times by thirds.

The first quarter of the samples is warm-up and not judged: caches fill, memory pools find their size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from scipy.stats import theilslopes

from bench.quantiles import Quantiles, quantiles

WARM_UP_SHARE = 0.25
MEMORY_BOUND_MB, MEMORY_BOUND_SHARE = 16.0, 0.05
"""Growth over the judged time that is let pass: the larger of the two, the second as a share of the memory at its beginning."""
MORE_THREADS, MORE_FILES = 2, 4
"""Let pass: a pool's thread that came late, a connection that is being closed."""
SLOWER_RATIO, SLOWER_MS = 1.5, 50.0
"""Both must be passed for the last third to count as slower: a ratio alone would judge a few milliseconds."""
MIN_SAMPLES = 12
"""Fewer in the judged time tell nothing of a trend."""
MIN_CLIPS = 20
"""Fewer in a third have no 95th percentile but their largest."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What a server used at one moment; None where that could not be seen."""

    at_s: float
    """From the beginning of the run."""
    resident_mb: float | None = None
    threads: int | None = None
    open_files: int | None = None
    sessions: int | None = None


@dataclass(frozen=True, slots=True)
class Trend:
    """Of resident memory over the judged time, by Theil and Sen: the median of the slopes of all pairs, so that the saw-tooth of a garbage
    collector or one step does not tip it.

    The interval supposes that samples vary independently. Memory does not, so the interval is narrower than it should be: it only says that
    a slope is not noise, and the bound decides what matters.
    """

    mb_per_hour: float
    low_mb_per_hour: float
    high_mb_per_hour: float
    """Where the slope lies with 95 %."""
    judged_s: float
    bound_mb: float

    @property
    def over_run_mb(self) -> float:
        """By the slope, over the judged time."""
        return self.mb_per_hour * self.judged_s / 3600

    @property
    def smallest_seen_mb_per_hour(self) -> float:
        """A slower leak stays within the bound in a run of this length."""
        return self.bound_mb * 3600 / self.judged_s

    @property
    def grows(self) -> bool:
        return self.over_run_mb > self.bound_mb and self.low_mb_per_hour > 0


@dataclass(frozen=True, slots=True)
class Level:
    """Medians of the second and of the last quarter of a run."""

    early: float
    late: float
    more_allowed: int

    @property
    def grows(self) -> bool:
        return self.late > self.early + self.more_allowed


@dataclass(frozen=True, slots=True)
class Thirds:
    """Times of the clips begun in the first and in the last third of a run."""

    first: Quantiles
    last: Quantiles
    clips: tuple[int, int]

    @property
    def judged(self) -> bool:
        return min(self.clips) >= MIN_CLIPS

    @property
    def slower(self) -> bool:
        first_ms, last_ms = self.first["p95"], self.last["p95"]
        if not self.judged or first_ms is None or last_ms is None:
            return False
        return last_ms > first_ms * SLOWER_RATIO and last_ms > first_ms + SLOWER_MS


def memory_trend(samples: Sequence[Sample]) -> Trend | None:
    """None when there are too few samples after the warm-up."""
    seen = [(sample.at_s, sample.resident_mb) for sample in _judged(samples) if sample.resident_mb is not None]
    if len(seen) < MIN_SAMPLES:
        return None
    at_s, resident_mb = zip(*seen, strict=True)
    slope, _, low, high = (float(value) for value in theilslopes(resident_mb, at_s, alpha=0.95))
    bound_mb = max(MEMORY_BOUND_MB, MEMORY_BOUND_SHARE * median(resident_mb[: MIN_SAMPLES // 4]))
    return Trend(slope * 3600, low * 3600, high * 3600, at_s[-1] - at_s[0], bound_mb)


def threads_level(samples: Sequence[Sample]) -> Level | None:
    """None when there are too few samples after the warm-up."""
    return _level([sample.threads for sample in _judged(samples)], MORE_THREADS)


def files_level(samples: Sequence[Sample]) -> Level | None:
    """None when there are too few samples after the warm-up."""
    return _level([sample.open_files for sample in _judged(samples)], MORE_FILES)


def thirds(times: Sequence[tuple[float, float]], run_s: float) -> Thirds:
    """`times`: when a clip began, seconds from the beginning of a run of `run_s`, and its time in ms."""
    first = [ms for at_s, ms in times if at_s < run_s / 3]
    last = [ms for at_s, ms in times if at_s >= run_s * 2 / 3]
    return Thirds(quantiles(first), quantiles(last), (len(first), len(last)))


def _judged(samples: Sequence[Sample]) -> Sequence[Sample]:
    return samples[round(len(samples) * WARM_UP_SHARE) :]


def _level(counts: Sequence[int | None], more_allowed: int) -> Level | None:
    """`counts` are of the three quarters that are judged."""
    seen = [count for count in counts if count is not None]
    if len(seen) < MIN_SAMPLES:
        return None
    quarter = len(seen) // 3
    return Level(median(seen[:quarter]), median(seen[-quarter:]), more_allowed)
