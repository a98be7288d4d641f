"""How often `bench compare` is wrong, by simulated pairs of runs. `python -m tests.bench.timing_simulation 400` prints the table whose
numbers stand in bench/README.md.

A pair: the same clips twice. A decode varies by 15 % from one time to the next; each run's machine is quicker or slower by 15 %, and drifts
by 8 % between the clips and their baseline; each is one standard deviation of a logarithm. 3 of 100 clips are held up in the queue, by
100 to 500 ms. The server takes speech to end 80 ms too early, on any machine.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bench.compare import compare
from bench.result import LatencyResult, result_of
from bench.slower import Tolerance
from tests.bench.made_results import Said, latency

NOISE, MACHINE, DRIFT = 0.15, 0.15, 0.08
HELD_UP, HELD_UP_MS = 0.03, (100.0, 500.0)
SLOW_MS = 100.0
STAGES = ("asr", "queue", "condition", "send", "outside", "vad_stop")


def pair(seed: int, *, clips: int = 20, slow: str | None = None, slow_ms: float = SLOW_MS) -> tuple[LatencyResult, LatencyResult]:
    """`slow`: the stage in which B takes `slow_ms` longer."""
    generator = np.random.default_rng(seed)
    work_ms = generator.uniform(60.0, 260.0, clips)
    before, after = _run(work_ms, generator), _run(work_ms, generator)
    return _result(before), _result([_slowed(said, slow, slow_ms) for said in after])


def failed(seed: int, *, clips: int = 20, slow: str | None = None) -> set[str]:
    """The gates that B failed."""
    return {one.gate for one in compare(*pair(seed, clips=clips, slow=slow), Tolerance()).failed_gates}


def _result(clips: list[Said]) -> LatencyResult:
    result = result_of(latency(clips), "made")
    assert isinstance(result, LatencyResult)
    return result


def _run(work_ms: NDArray[np.float64], generator: np.random.Generator) -> list[Said]:
    machine = _log_normal(generator, MACHINE)
    machine_alone = machine * _log_normal(generator, DRIFT)
    return [_said(ms, generator, machine, machine_alone) for ms in work_ms.tolist()]


def _said(work_ms: float, generator: np.random.Generator, machine: float, machine_alone: float) -> Said:
    def took(ms: float, machine: float = machine) -> float:
        return ms * machine * _log_normal(generator, NOISE)

    held_up_ms = generator.uniform(*HELD_UP_MS) if generator.random() < HELD_UP else 0.0
    return Said(
        slices_ms={
            "ingest": took(0.2),
            "condition": took(3.0),
            "queue": generator.exponential(5.0) + held_up_ms,
            "asr": took(work_ms),
            "send": 0.1,
        },
        vad_stop_ms=500.0 + generator.uniform(0.0, 20.0),
        outside_ms=generator.normal(-80.0, 8.0),
        first_partial_ms=generator.normal(900.0, 60.0),
        floor_ms=took(work_ms * 0.8, machine_alone),
        baseline_ms=took(work_ms * 5.0, machine_alone),
    )


def _slowed(said: Said, stage: str | None, ms: float) -> Said:
    if stage is None:
        return said
    if stage == "outside":
        return replace(said, outside_ms=said.outside_ms + ms)
    if stage == "vad_stop":
        return replace(said, vad_stop_ms=said.vad_stop_ms + ms)
    return replace(said, slices_ms={**said.slices_ms, stage: said.slices_ms[stage] + ms})


def _log_normal(generator: np.random.Generator, sigma: float) -> float:
    return float(generator.lognormal(0.0, sigma))


def _table(pairs: int) -> Iterator[str]:
    for clips in (10, 20, 50, 100):
        alarms = [failed(seed, clips=clips) for seed in range(pairs)]
        which = Counter(name for names in alarms for name in names)
        yield f"{clips} clips, the same twice: {sum(map(bool, alarms)) / pairs:.1%} fail {dict(which)}"
        for stage in STAGES:
            found = [failed(seed, clips=clips, slow=stage) for seed in range(pairs)]
            named = sum(stage in names for names in found)
            yield f"{clips} clips, {SLOW_MS:.0f} ms in {stage}: {named / pairs:.1%} named, {sum(map(bool, found)) / pairs:.1%} fail"


if __name__ == "__main__":
    for line in _table(pairs=int(sys.argv[1]) if len(sys.argv) > 1 else 400):
        sys.stdout.write(line + "\n")
