"""Is a stage slower in B than in A? The rule, over paired times of the same clips. Pure.

**A stage is slower** when the 95 % interval of its shift (bench/paired.py) lies above what is tolerated, for the typical clip or, from
MIN_TAIL_CLIPS clips on, for the tail. The shift is taken after A was put on B's machine: its work is scaled, waiting for silence is not.
How fast the machine was during a run is told by the baseline, plain faster-whisper, which no change of ours touches; the floor is our own
engine and would excuse its being slower. That the machine took longer in B is believed as it stands; of its having been quicker only
the square root is, so that a baseline measured in a good moment does not fail a good candidate.

Tolerated is `ms`, or `ratio` of the stage in A where that is more, but the ratio never gives more than MOST_BY_RATIO_MS: 100 ms are seen
in any stage.

Of simulated pairs of the same thing (tests/bench/timing_simulation.py, 200 of 20 clips) 1 % fail. Of those in which B takes 100 ms longer
in its engine, the stage that varies most, 97 % do (10 clips: 89 %), in any other stage all. Nine in ten of those that go unseen are told
by `is_blind`.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from statistics import median

from asr_server.errors import WrongCall
from bench.paired import Shift, tail, typical
from bench.quantiles import Quantiles, quantiles
from bench.result import YARDSTICK, LatencyResult
from bench.stages import STAGES, Time

MIN_TAIL_CLIPS = 20
"""Fewer have no 95th percentile but their largest."""
SEEN_MS = 100.0
"""A slowdown that is not to go unseen."""
MOST_BY_RATIO_MS = 60.0
"""A tenth of a stage of two seconds would hide what is to be seen."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What a stage may be slower by. Raises WrongCall for less than nothing."""

    ms: float = 30.0
    ratio: float = 0.10

    def __post_init__(self) -> None:
        if not 0 <= self.ms < float("inf"):
            raise WrongCall(f"--tolerance-ms {self.ms:g}: wanted 0 or more")
        if not 0 <= self.ratio < float("inf"):
            raise WrongCall(f"--tolerance-ratio {self.ratio:g}: wanted 0 or more")

    def of(self, before_ms: float) -> float:
        return max(self.ms, min(self.ratio * before_ms, MOST_BY_RATIO_MS))


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a stage."""

    measured: Shift
    scaled: Shift
    """With A put on B's machine: this one decides."""
    doubtful_ms: float
    """How far it would move if the machines differed by the square root of what the baselines say, or by all of it."""
    tolerated_ms: float

    @property
    def is_slower(self) -> bool:
        return self.scaled.low_ms > self.tolerated_ms

    @property
    def sees_from_ms(self) -> float:
        """The least slowdown that this comparison would surely have called one: the interval's lower end must clear what is tolerated even
        when the whole interval came out low."""
        return self.tolerated_ms + self.scaled.high_ms - self.scaled.low_ms + self.doubtful_ms

    def as_json(self) -> dict[str, object]:
        return {
            "measured": _rounded(self.measured),
            "scaled": _rounded(self.scaled),
            "tolerated_ms": round(self.tolerated_ms, 1),
            "sees_from_ms": round(self.sees_from_ms, 1),
            "slower": self.is_slower,
        }


@dataclass(frozen=True, slots=True)
class StageDifference:
    stage: str
    clips: int
    """That have it in both runs."""
    before_ms: Quantiles
    after_ms: Quantiles
    typical: Figure
    """The median of what each clip lost."""
    tail: Figure | None
    """The difference of the 95th percentiles; None of fewer than MIN_TAIL_CLIPS."""

    @property
    def is_slower(self) -> bool:
        return self.typical.is_slower or (self.tail is not None and self.tail.is_slower)

    @property
    def is_blind(self) -> bool:
        """SEEN_MS more for every clip might have gone unseen: few clips, much noise, or machines that differed too much."""
        return self.typical.sees_from_ms > SEEN_MS

    def as_json(self) -> dict[str, object]:
        return {
            "stage": self.stage,
            "clips": self.clips,
            "before_ms": self.before_ms,
            "after_ms": self.after_ms,
            "typical": self.typical.as_json(),
            "tail": None if self.tail is None else self.tail.as_json(),
            "slower": self.is_slower,
            "blind": self.is_blind,
        }


def times_as_slow(before: LatencyResult, after: LatencyResult) -> float | None:
    """How long the machine took in B for work that took 1 in A: the median ratio of the baselines of the clips.

    None where they do not tell: not measured, of different models, or by different versions of the libraries.
    """
    pairs = [(clip.baseline_ms, after.clips[clip.id].baseline_ms) for clip in before.clips.values()]
    ratios = [after_ms / before_ms for before_ms, after_ms in pairs if before_ms and after_ms]
    return median(ratios) if ratios and _yardstick(before) == _yardstick(after) else None


def stage_differences(
    before: LatencyResult, after: LatencyResult, *, tolerance: Tolerance, machine: float | None
) -> tuple[StageDifference, ...]:
    """Of the stages that both runs have; both must have the same clips. `machine`: see `times_as_slow`."""
    found = (_difference(name, _pairs(name, before, after), tolerance, 1.0 if machine is None else machine) for name in STAGES)
    return tuple(one for one in found if one is not None)


def _difference(name: str, pairs: Sequence[tuple[Time, Time]], tolerance: Tolerance, machine: float) -> StageDifference | None:
    if not pairs:
        return None
    before_ms, after_ms = (quantiles([times[which].ms for times in pairs]) for which in (0, 1))

    def figure(shift: Callable[[Sequence[float], Sequence[float]], Shift], share: str) -> Figure:
        def on(times_as_slow: float) -> Shift:
            return shift([one.on_a_machine(times_as_slow) for one, _ in pairs], [other.ms for _, other in pairs])

        scaled = on(max(machine, sqrt(machine)))
        doubtful_ms = abs(on(machine).ms - on(sqrt(machine)).ms)
        return Figure(on(1.0), scaled, doubtful_ms, tolerance.of(before_ms[share] or 0.0))

    has_tail = len(pairs) >= MIN_TAIL_CLIPS
    return StageDifference(name, len(pairs), before_ms, after_ms, figure(typical, "p50"), figure(tail, "p95") if has_tail else None)


def _pairs(name: str, before: LatencyResult, after: LatencyResult) -> list[tuple[Time, Time]]:
    """Of the clips that have the stage in both."""
    pairs = ((STAGES[name](clip), STAGES[name](after.clips[clip.id])) for clip in before.clips.values())
    return [(one, other) for one, other in pairs if one is not None and other is not None]


def _yardstick(run: LatencyResult) -> tuple[object, ...]:
    return (run.setup["model_alone"], *(run.machine[name] for name in YARDSTICK))


def _rounded(shift: Shift) -> dict[str, float]:
    return {name: round(ms, 1) for name, ms in asdict(shift).items()}
