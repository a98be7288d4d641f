"""`python -m bench compare`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table

from asr_server.errors import WrongCall
from bench.compare import Comparison, FailedGate, compare, ratios
from bench.compare_capacity import CapacityComparison, compare_capacity
from bench.result import CapacityPoint, CapacityResult, LatencyResult, read_result
from bench.slower import MOST_BY_RATIO_MS, Figure, StageDifference, Tolerance
from eval.console import FAILED, GOOD, check_writable, write_json


def compare_command(
    before: Annotated[Path, typer.Argument(metavar="A.json", help="Of what runs now.")],
    after: Annotated[Path, typer.Argument(metavar="B.json", help="Of the candidate.")],
    *,
    tolerance_ms: Annotated[float, typer.Option("--tolerance-ms", help="What a stage may be slower by.")] = 30.0,
    tolerance_ratio: Annotated[
        float, typer.Option("--tolerance-ratio", help=f"The same as a share of the stage in A, if more; up to {MOST_BY_RATIO_MS:.0f} ms.")
    ] = 0.10,
    json: Annotated[Path | None, typer.Option("--json", help="Where the whole comparison goes.")] = None,
) -> int:
    """Is B worse than A? Two results of latency, or two of capacity. Exit code 1 when it is.

    A stage fails when it is surely (95 %) slower by more than is tolerated, once A was put on B's machine by the ratio of the baselines.
    Clips newly lost, answered before their end or failed, clearly more late finals, lost words or word errors, and invalid runs fail
    too. Of a capacity, fewer streams and clearly fewer whole files a second do.
    """
    if json is not None:
        check_writable(json, inputs=[before, after])
    one, other = read_result(before), read_result(after)
    comparison: Comparison | CapacityComparison
    if isinstance(one, LatencyResult) and isinstance(other, LatencyResult):
        comparison = compare(one, other, Tolerance(tolerance_ms, tolerance_ratio))
        _show(comparison)
    elif isinstance(one, CapacityResult) and isinstance(other, CapacityResult):
        comparison = compare_capacity(one, other)
        _show_capacity(comparison)
    else:
        raise WrongCall("wanted two results of `bench latency`, or two of `bench capacity`")
    if json is not None:
        write_json(json, comparison.as_json())
    return _closing(comparison.failed_gates)


def _show(comparison: Comparison) -> None:
    figures = (Column(name, justify="right", no_wrap=True) for name in ("A p50", "B p50", "A p95", "B p95", "typical, 95 %", "tail"))
    table = Table(Column("ms", no_wrap=True), *figures, "", box=SIMPLE_HEAD, pad_edge=False)
    for stage in comparison.stages:
        table.add_row(
            stage.stage,
            *(_ms(times[share]) for share in ("p50", "p95") for times in (stage.before_ms, stage.after_ms)),
            f"{_shift(stage.typical)}, {stage.typical.scaled.low_ms:+.0f} to {stage.typical.scaled.high_ms:+.0f}",
            _shift(stage.tail),
            _verdict(stage),
        )
    console = Console(highlight=False)
    console.print(table)
    one, other = comparison.before, comparison.after
    for name, what in (("floor_ms", "floor, p50"), ("baseline_ms", "baseline, p50")):
        console.print(f"{what}: {_ms(one.times_ms[name]['p50'])} ms, then {_ms(other.times_ms[name]['p50'])}")
    for name, ratio in ratios(comparison).items():
        console.print(f"{name.replace('_', ' ')}, p50: {_times(ratio['before'])}, then {_times(ratio['after'])}")
    for name in ("late", "degraded", "lost", "early"):
        console.print(f"{name}: {one.counts[name]}, then {other.counts[name]}")
    for name, words in (("WER", comparison.wer), ("lost words", comparison.lost_words)):
        if words is not None:
            console.print(f"{name}: {words.before:.2%}, then {words.after:.2%} (p {words.shift.p_value:.3f})")
    _show_differences(comparison)


def _show_capacity(comparison: CapacityComparison) -> None:
    results = (comparison.before, comparison.after)
    figures = ("streams", *(f"{which} {result.shown_share} ms" for which, result in zip("AB", results, strict=True)), "A late", "B late")
    table = Table(*(Column(name, justify="right") for name in figures), "A", "B", box=SIMPLE_HEAD)
    for streams, one, other in comparison.points:
        points = (one, other)
        table.add_row(
            str(streams),
            *("" if point is None else _ms(result.shown_ms(point)) for result, point in zip(results, points, strict=True)),
            *("" if point is None else str(point.troubles["late"]) for point in points),
            *map(_outcome, points),
        )
    console = Console(highlight=False)
    console.print(table)
    console.print(f"most streams: {comparison.before.max_streams}, then {comparison.after.max_streams}")
    requests = ("-" if result.requests_per_s is None else f"{result.requests_per_s:.2f}" for result in results)
    console.print(f"whole files a second: {', then '.join(requests)}")
    _show_differences(comparison)


def _show_differences(comparison: Comparison | CapacityComparison) -> None:
    console = Console(highlight=False, markup=False, soft_wrap=True)
    for one in comparison.differences:
        console.print(f"{one.what}: {one.before or '-'}, then {one.after or '-'}")
    for note in comparison.notes:
        console.print(f"note: {note}")


def _closing(gates: Sequence[FailedGate]) -> int:
    console = Console(highlight=False, markup=False, soft_wrap=True)
    for gate in gates:
        console.print(f"FAILED {gate.message}")
    if not gates:
        console.print("B is not worse than A")
    return FAILED if gates else GOOD


def _verdict(stage: StageDifference) -> str:
    if stage.is_slower:
        return "SLOWER"
    return "blind" if stage.is_blind else ""


def _outcome(point: CapacityPoint | None) -> str:
    if point is None:
        return ""
    return "passed" if point.passed else "failed" if point.valid else "invalid"


def _shift(figure: Figure | None) -> str:
    return "-" if figure is None else f"{figure.scaled.ms:+.0f}"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def _times(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} times"
