"""`python -m bench soak`: a long steady load with callers that misbehave, and whether the server came out of it as it went in."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from asr_server.api.results import ServerInfo
from asr_server.errors import SpeechError
from bench.growth import SLOWER_MS, Level, Sample, Thirds, Trend, files_level, memory_trend, thirds, threads_level
from bench.load import Turn
from bench.quantiles import quantiles
from bench.serving import Config, StopMs
from bench.usage import MB, Watched
from bench.validity import invalid_because
from bench.visitors import Visit
from eval.recognisers import System

SAMPLES = 360
"""About so many in a run; every half second at the most."""
MIN_INTERVAL_S = 0.5
ENDED_WITHIN_S, ASKED_EVERY_S = 10.0, 0.5
"""How long after the last call a server may take to have forgotten its sessions, and how often it is asked."""
ANSWER_WITHIN_S = 2.0
"""How long a server may take to say how many sessions it has. It is an answer from memory: longer, and it hangs."""


@dataclass(frozen=True, slots=True)
class Setup:
    """How it was done, for the record."""

    manifest: str
    manifest_sha256: str
    minutes: float
    streams: int
    clips: int
    max_duration_s: float
    interim_results: bool
    preset: str
    """Of the streams, by its name, also where it was the server's choice; visits have the server's. "": the server has none."""
    own_server: bool
    config: Config | None
    process_known: bool
    """Without it memory, threads and files of the server are not seen, and not judged."""
    sample_every_s: float
    visit_every_s: float
    stop_ms: StopMs
    vad_stop_ms: int
    """The longest of them."""


@dataclass(slots=True)
class Tally:
    """Grows while a run goes on; holds a few numbers a clip, for a run may take days."""

    run_from_s: float
    samples: list[Sample] = field(default_factory=list)
    times_ms: list[tuple[float, float]] = field(default_factory=list)
    """When a clip began, seconds from the beginning of the run, and its time to final text."""
    own_delays_ms: list[tuple[float, float]] = field(default_factory=list)
    """When a clip began, and the longest that this process itself was late while it was spoken."""
    counts: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    """Calls that ended as they should not have: what, and how often."""
    ended_at_s: float | None = None
    """When the server's process was found to have ended, seconds from the beginning of the run."""

    def spoken(self, turn: Turn, own_stall_ms: float = 0.0) -> None:
        """`own_stall_ms`: longest of this process's event loop since the clip before ended."""
        spoken = turn.spoken
        begun_s = turn.begun_s - self.run_from_s
        self.counts["clips"] += 1
        self.counts["late"] += sum(final.ledger.late for final in spoken.finals)
        self.counts["degraded"] += sum(bool(final.ledger.degraded) for final in spoken.finals)
        self.counts["lost"] += spoken.lost and not spoken.error
        self.counts["early"] += spoken.early and not spoken.error
        if spoken.error:
            self.wrong[f"stream: {spoken.error}"] += 1
        if spoken.ttfs_ms is not None:
            self.times_ms.append((begun_s, spoken.ttfs_ms))
        self.own_delays_ms.append((begun_s, max([own_stall_ms, *(lag.own_ms for lag in spoken.lags)])))

    def visited(self, visit: Visit) -> None:
        self.counts[visit.kind] += 1
        if visit.wrong:
            self.wrong[f"{visit.kind}: {visit.wrong}"] += 1


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a run says about growth."""

    memory: Trend | None
    threads: Level | None
    open_files: Level | None
    times: Thirds
    sessions_left: int | None
    """After everything had ended, beyond those open before. None: the server did not answer any more."""
    wrong: Mapping[str, int]
    lost: int
    early: int
    own_delays: Thirds
    """How late this process itself was, at most in each clip."""
    own_cpu_percent: float | None
    ended_at_s: float | None
    """When the server's process was found to have ended."""

    @property
    def invalid_because(self) -> list[str]:
        """Why a slower last third may be this process's doing. One clip in twenty does not move a 95th percentile, and what is less than
        SLOWER_MS late makes no third slower."""
        reasons = invalid_because((), 0.0, cpu_percent=self.own_cpu_percent)
        for which, delay_ms in (("first", self.own_delays.first["p95"]), ("last", self.own_delays.last["p95"])):
            if delay_ms is not None and delay_ms > SLOWER_MS:
                reasons.append(f"the bench itself was late in the {which} third, p95 of clips {delay_ms:.0f} ms, allowed {SLOWER_MS:g}")
        return reasons

    @property
    def slower(self) -> bool:
        return self.times.slower and not self.invalid_because

    @property
    def failed_because(self) -> list[str]:
        reasons = []
        if self.ended_at_s is not None:
            reasons.append(f"the server's process ended after {self.ended_at_s:.0f} s")
        if (memory := self.memory) is not None and memory.grows:
            reasons.append(
                f"memory grew by {memory.over_run_mb:.0f} MB after the warm-up ({memory.mb_per_hour:.0f} MB an hour), "
                f"allowed {memory.bound_mb:.0f} MB"
            )
        for what, level in (("threads", self.threads), ("open files", self.open_files)):
            if level is not None and level.grows:
                reasons.append(f"{what} grew from {level.early:g} to {level.late:g}, allowed {level.more_allowed} more")
        if self.sessions_left is None:
            reasons.append("the server did not answer any more when everything had ended")
        elif self.sessions_left:
            reasons.append(f"sessions left {ENDED_WITHIN_S:g} s after the last call had ended: {self.sessions_left}")
        if self.slower:
            reasons.append(f"time to final text, p95, went from {self.times.first['p95']} to {self.times.last['p95']} ms")
        if self.lost:
            reasons.append(f"clips without any final: {self.lost}")
        if self.early:
            reasons.append(f"clips whose last final came before the end of speech: {self.early}")
        reasons.extend(f"{count} x {what}" for what, count in self.wrong.items())
        return reasons


def interval_s(run_s: float) -> float:
    """Between two samples."""
    return max(MIN_INTERVAL_S, run_s / SAMPLES)


def visit_interval_s(run_s: float) -> float:
    """Between two visits: every kind at least once in a short run, four a minute in a long one."""
    return min(max(run_s / 8, 1.0), 15.0)


def sample_of(process: Watched | None, at_s: float) -> Sample:
    """Without the sessions, which the server has to be asked for."""
    usage = process.usage() if process is not None else None
    if usage is None:
        return Sample(at_s)
    return Sample(at_s, round(usage.resident_bytes / MB, 2), usage.threads, usage.open_files)


async def take_samples(
    process: Watched | None,
    sessions: Callable[[], Awaitable[int | None]],
    tally: Tally,
    *,
    every_s: float,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Returns when the process has ended, otherwise never. `sessions`: how many the server has open, None when it does not answer. It is
    asked once its process has been read, and however long it takes to answer, the next reading is no later than that."""
    while True:
        at_s = now()
        sample = sample_of(process, at_s - tally.run_from_s)
        if process is not None and process.has_ended:
            tally.samples.append(sample)
            tally.ended_at_s = sample.at_s
            return
        tally.samples.append(replace(sample, sessions=await sessions()))
        await sleep(max(at_s + every_s - now(), 0.0))


def judge(tally: Tally, *, run_s: float, sessions_left: int | None, own_cpu_percent: float | None = None) -> Verdict:
    return Verdict(
        memory=memory_trend(tally.samples),
        threads=threads_level(tally.samples),
        open_files=files_level(tally.samples),
        times=thirds(tally.times_ms, run_s),
        sessions_left=sessions_left,
        wrong=dict(tally.wrong),
        lost=tally.counts["lost"],
        early=tally.counts["early"],
        own_delays=thirds(tally.own_delays_ms, run_s),
        own_cpu_percent=own_cpu_percent,
        ended_at_s=tally.ended_at_s,
    )


COUNTS = ("clips", "late", "degraded", "lost", "early", "cancelled", "garbage", "half_closed", "unary")
FIELDS = (
    *("passed", "failed_because", "not_judged", "valid", "invalid_because", "minutes", "streams"),
    *COUNTS,
    *("wrong", "sessions_left", "ttfs_ms", "growth", "longest_loop_stall_ms", "bench", "samples", "setup", "machine", "system"),
)
"""Of a report, at its top."""


def report(
    tally: Tally, verdict: Verdict, *, setup: Setup, system: System, machine: Mapping[str, object], longest_loop_stall_ms: float | None
) -> dict[str, object]:
    """Everything about a run, ready for JSON."""
    reasons = verdict.failed_because
    return {
        "passed": not reasons,
        "failed_because": reasons,
        "not_judged": not_judged(verdict, tally.samples, setup),
        "valid": not verdict.invalid_because,
        "invalid_because": verdict.invalid_because,
        "minutes": setup.minutes,
        "streams": setup.streams,
        **{name: tally.counts[name] for name in COUNTS},
        "wrong": dict(verdict.wrong),
        "sessions_left": verdict.sessions_left,
        "ttfs_ms": {
            **quantiles(ms for _, ms in tally.times_ms),
            "first_third": verdict.times.first,
            "last_third": verdict.times.last,
        },
        "growth": {
            "resident_mb": None if verdict.memory is None else _trend(verdict.memory),
            "threads": None if verdict.threads is None else _level(verdict.threads),
            "open_files": None if verdict.open_files is None else _level(verdict.open_files),
            "ttfs_slower": verdict.slower,
        },
        "longest_loop_stall_ms": None if longest_loop_stall_ms is None else round(longest_loop_stall_ms, 1),
        "bench": {
            "cpu_percent": verdict.own_cpu_percent,
            "own_delay_ms": {
                **quantiles(ms for _, ms in tally.own_delays_ms),
                "first_third": verdict.own_delays.first,
                "last_third": verdict.own_delays.last,
            },
        },
        "samples": [{**asdict(sample), "at_s": round(sample.at_s, 1)} for sample in tally.samples],
        "setup": asdict(setup),
        "machine": machine,
        "system": system.as_json(),
    }


def not_judged(verdict: Verdict, samples: Sequence[Sample], setup: Setup) -> list[str]:
    """What this run cannot tell, in words."""
    seen = {"memory": verdict.memory, "threads": verdict.threads, "open files": verdict.open_files}
    unseen = ", ".join(name for name, value in seen.items() if value is None)
    reasons = []
    if unseen:
        why = "the run was too short" if setup.process_known else "the server's process is not known: name it with --server-pid"
        reasons.append(f"{unseen}: {why}")
    if not verdict.times.judged:
        first, last = verdict.times.clips
        reasons.append(f"time to final text: too few clips ({first} in the first third, {last} in the last)")
    reasons.extend(f"time to final text: {reason}" for reason in verdict.invalid_because)
    # Where the process had ended nothing is unseen: there was nothing to see.
    alive = [sample for sample in samples if sample.at_s != verdict.ended_at_s]
    blind = sum(sample.resident_mb is None for sample in alive)
    if setup.process_known and blind:
        reasons.append(f"memory, threads, open files at {blind} of {len(alive)} moments: the server's process could not be looked at")
    silent = sum(sample.sessions is None for sample in alive)
    if silent:
        reasons.append(f"sessions at {silent} of {len(alive)} moments: the server did not answer within {ANSWER_WITHIN_S:g} s")
    return reasons


def _trend(trend: Trend) -> dict[str, object]:
    values = {**asdict(trend), "over_run_mb": trend.over_run_mb, "smallest_seen_mb_per_hour": trend.smallest_seen_mb_per_hour}
    return {**{name: round(value, 2) for name, value in values.items()}, "grows": trend.grows}


def _level(level: Level) -> dict[str, object]:
    return {**asdict(level), "grows": level.grows}


async def answered(asked: Awaitable[ServerInfo], within_s: float = ANSWER_WITHIN_S) -> ServerInfo | None:
    """None when the call fails, or takes longer: a server that hangs must not hang the bench."""
    try:
        async with asyncio.timeout(within_s):
            return await asked
    except (SpeechError, TimeoutError):
        return None


async def sessions_left(
    sessions: Callable[[], Awaitable[int | None]],
    before: int,
    *,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> int | None:
    """More than `before`, once no call is open any more; asked again, with pauses, until there are none or ENDED_WITHIN_S is over. None: no
    answer."""
    until_s = now() + ENDED_WITHIN_S
    while True:
        found = await sessions()
        left = None if found is None else max(found - before, 0)
        if left == 0 or now() + ASKED_EVERY_S >= until_s:
            return left
        await sleep(ASKED_EVERY_S)
