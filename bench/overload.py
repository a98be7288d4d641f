"""`python -m bench overload`: what more callers than fit did to those inside, what was told to the rest, and how soon it was over."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.capacity import heard_of
from bench.load import Turn
from bench.quantiles import quantiles
from bench.rush import MOST_TRIES, PHASES, Attempt, Borders
from bench.serving import Config, StopMs
from bench.usage import Used
from bench.validity import Bench
from eval.recognisers import System

BACK_WITHIN = 1.1
"""Times the steady p95: within it, a clip is as before."""
BACK_SHARE = 0.95
"""Of the clips from a moment on that are as before: then it was over at that moment."""
FEWEST_BACK = 5
"""Fewer clips do not show that it was over."""


@dataclass(frozen=True, slots=True)
class Setup:
    """How it was measured, for the record."""

    manifest: str
    manifest_sha256: str
    clips: int
    max_duration_s: float
    seconds: float
    """Of each phase."""
    callers: int
    """During the overload."""
    interim_results: bool
    preset: str
    own_server: bool
    config: Config | None
    stop_ms: StopMs
    most_tries: int = MOST_TRIES
    connections: str = "one connection for all streams"


@dataclass(frozen=True, slots=True)
class Phase:
    """The calls that began in one of the phases."""

    begun_s: float
    ended_s: float
    """By the clock of the load."""
    attempts: tuple[Attempt, ...]
    server: Used | None

    @property
    def admitted(self) -> list[Attempt]:
        return [one for one in self.attempts if not one.spoken.refused]

    @property
    def refused(self) -> list[Attempt]:
        return [one for one in self.attempts if one.spoken.refused]

    @property
    def times_ms(self) -> list[float]:
        return [one.spoken.ttfs_ms for one in self.admitted if one.spoken.ttfs_ms is not None]

    @property
    def p95_ms(self) -> float | None:
        return quantiles(self.times_ms)["p95"]

    def as_json(self) -> dict[str, Any]:
        """Counts and times are of the clips that were let in."""
        heard = heard_of([Turn(one.caller, one.begun_s, one.spoken) for one in self.admitted])
        told = [one for one in self.attempts if one.was_told]
        return {
            "seconds": round(self.ended_s - self.begun_s, 1),
            **heard.as_json(),
            "refused": len(self.refused),
            "refused_after_audio": sum(bool(one.spoken.lags) for one in self.refused),
            "given_up": sum(one.number == MOST_TRIES for one in self.refused),
            "tried_again_as_told": len(told),
            "admitted_as_told": sum(not one.spoken.refused for one in told),
            "retry_after_s": quantiles(one.spoken.retry_after_s for one in self.refused if one.spoken.retry_after_s is not None),
            "waited_s": quantiles(one.waited_s for one in self.admitted),
            "server": None if self.server is None else self.server.as_json(),
        }


def phases_of(attempts: Sequence[Attempt], borders: Borders, server: Sequence[Used | None]) -> dict[str, Phase]:
    """By name. `server`: what it used in each. What began before the first, or after the last had ended, is in none."""
    spans = zip(PHASES, borders.spans, server, strict=True)
    return {
        name: Phase(begun_s, ended_s, tuple(one for one in attempts if begun_s <= one.begun_s < ended_s), of_server)
        for name, (begun_s, ended_s), of_server in spans
    }


def back_after_s(recovery: Phase, steady_p95_ms: float | None) -> float | None:
    """From the end of the overload to the first clip from which on, itself included, BACK_SHARE of those that were let in had their text
    within BACK_WITHIN of the steady p95; 0 when that is the first one. None when there is no such clip, or too few after it to tell."""
    if steady_p95_ms is None:
        return None
    timed = sorted((one.begun_s, one.spoken.ttfs_ms) for one in recovery.admitted if one.spoken.ttfs_ms is not None)
    as_before = [ms <= steady_p95_ms * BACK_WITHIN for _, ms in timed]
    for first in range(len(timed) - FEWEST_BACK + 1):
        if sum(as_before[first:]) >= BACK_SHARE * len(as_before[first:]):
            return round(timed[first][0] - recovery.begun_s, 1) if first else 0.0
    return None


FIELDS = (
    *("streams", "factor", "valid", "invalid_because", "failed_because", *PHASES, "p95_ratio", "back_after_s", "admitted_as_told"),
    *("longest_loop_stall_ms", "bench", "setup", "machine", "system"),
)
"""Of a report, at its top."""


def report(
    phases: Mapping[str, Phase],
    bench: Bench,
    *,
    streams: int,
    factor: float,
    longest_loop_stall_ms: float,
    setup: Setup,
    system: System,
    machine: Mapping[str, object],
) -> dict[str, Any]:
    """Everything about a run, ready for JSON. README.md says what each field covers."""
    told = {name: phase.as_json() for name, phase in phases.items()}
    lags = [lag for phase in phases.values() for one in phase.attempts for lag in one.spoken.lags]
    invalid = bench.invalid_because(lags)
    steady_ms = phases["steady"].p95_ms
    tried, admitted = (sum(phase[name] for phase in told.values()) for name in ("tried_again_as_told", "admitted_as_told"))
    return {
        "streams": streams,
        "factor": factor,
        "valid": not invalid,
        "invalid_because": invalid,
        "failed_because": [
            f"{name}: {phase[trouble]} clips {trouble}"
            for name, phase in told.items()
            for trouble in ("lost", "early", "failed")
            if phase[trouble]
        ],
        **told,
        "p95_ratio": {name: _ratio(phases[name].p95_ms, steady_ms) for name in PHASES[1:]},
        "back_after_s": back_after_s(phases["recovery"], steady_ms),
        "admitted_as_told": {"tried": tried, "admitted": admitted, "share": round(admitted / tried, 3) if tried else None},
        "longest_loop_stall_ms": round(longest_loop_stall_ms, 1),
        "bench": bench.as_json(lags),
        "setup": asdict(setup),
        "machine": machine,
        "system": system.as_json(),
    }


def is_good(result: Mapping[str, Any]) -> bool:
    """Of a report: nobody who was let in was lost, cut short or failed, and it was the server that was measured."""
    return not result["failed_because"] and bool(result["valid"])


def _ratio(ms: float | None, steady_ms: float | None) -> float | None:
    return round(ms / steady_ms, 3) if ms is not None and steady_ms else None
