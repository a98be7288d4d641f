"""`python -m eval compare`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table

from eval.commands.options import OptionalJsonOption
from eval.commands.wording import percent
from eval.compare.changes import ClipChange, RateChange, Shift
from eval.compare.comparison import SIGNIFICANT, Comparison, Tolerances, compare, p_value
from eval.compare.excerpt import excerpt
from eval.compare.report import as_json
from eval.console import FAILED, GOOD, check_writable, write_json
from eval.result import read_run

_DEFAULT = Tolerances()


def compare_command(
    before: Annotated[Path, typer.Argument(help="JSON of a run of the release that runs.", metavar="BEFORE")],
    after: Annotated[Path, typer.Argument(help="JSON of a run of the candidate, over the same clips.", metavar="AFTER")],
    *,
    tolerance: Annotated[float, typer.Option(min=0.0, help="Error rate that may be lost; 0.005 is half a point.")] = _DEFAULT.rate,
    silence_tolerance: Annotated[
        float, typer.Option(min=0.0, help="Words a minute more in silence that are tolerated.")
    ] = _DEFAULT.silence,
    loudness_tolerance_lu: Annotated[
        float, typer.Option(min=0.0, help="How far the loudness given to the recogniser may differ, LU, in the median.")
    ] = _DEFAULT.loudness_lu,
    length_tolerance: Annotated[
        float, typer.Option(min=0.0, help="How far the length given to the recogniser may differ, as a share, in the median.")
    ] = _DEFAULT.length,
    json: OptionalJsonOption = None,
    top: Annotated[int, typer.Option(min=1, help="Changed clips that are shown; --json has all.")] = 10,
) -> int:
    """The release gate: exit code 1 when the candidate is worse.

    It is when, over the clips of both runs, its word error rate (in languages without word spaces: character error rate) is higher by more
    than the tolerance; when one set is worse by that and significantly (p < 0.05, corrected for the number
    of sets); when it hears more words in silence than tolerated; when it lacks clips of the run before or fails on clips
    that did not fail; or when the recogniser was given audio of another loudness or length than tolerated. The difference decides, not
    its significance, so that a small collection does not let a loss pass; interval (paired bootstrap over speakers and
    clips) and p (signs flipped by speaker) say how far to trust it.
    """
    if json is not None:
        check_writable(json, inputs=[before, after])
    tolerances = Tolerances(tolerance, silence_tolerance, loudness_tolerance_lu, length_tolerance)
    comparison = compare(read_run(before), read_run(after), tolerances)
    if json is not None:
        write_json(json, as_json(comparison))
    _show(comparison, top)
    return FAILED if comparison.failed_gates else GOOD


def _show(comparison: Comparison, top: int) -> None:
    console = Console(highlight=False, markup=False, soft_wrap=True)
    for one in comparison.differences:
        console.print(f"{one.what}: {one.before or 'none'} -> {one.after or 'none'}")
    if not comparison.differences:
        console.print("nothing differs between the systems")
    for note in comparison.notes:
        console.print(f"note: {note}")
    console.print(_rates(comparison))
    console.print("sets with as many errors as before are left out; p of a set is corrected for the number of sets")
    if silence := comparison.silence:
        console.print(f"silence: {silence.after:.2f} words a minute, {silence.before:.2f} before, in {silence.minutes:.1f} minutes")
    _show_given(console, comparison)
    _show_clips(console, comparison.clips, top)
    if comparison.only_after:
        console.print(f"{len(comparison.only_after)} clips are in the run after only and are not compared")
    for gate in comparison.failed_gates:
        console.print(f"FAILED {gate.message}")
    if not comparison.failed_gates:
        console.print("passed: not worse than tolerated")


def _rates(comparison: Comparison) -> Table:
    numbers = (
        Column(name, no_wrap=True, justify="right") for name in ("clips", "words", "before %", "after %", "points", "95 %", "p", "clearly")
    )
    table = Table(Column("set", overflow="fold"), *numbers, box=SIMPLE_HEAD, pad_edge=False, padding=0)
    changed = [one for one in comparison.sets if one.rate.errors_before != one.rate.errors_after]
    for one in changed:
        name = one.set if one.kind == "words" else f"{one.set}, characters"
        _add_row(table, name, one.rate, one.p_holm)
    for name, rate in (("total", comparison.wer), ("total, characters", comparison.characters)):
        if rate is not None:
            _add_row(table, name, rate, rate.p)
    return table


def _add_row(table: Table, name: str, rate: RateChange, p: float) -> None:
    interval = "-" if rate.ci95 is None else " ".join(f"{share * 100:+.2f}" for share in rate.ci95)
    verdict = "" if p >= SIGNIFICANT else "worse" if rate.difference > 0 else "better"
    rates = (percent(rate.before), percent(rate.after), f"{rate.difference * 100:+.2f}", interval)
    table.add_row(name, str(rate.clips), str(rate.words), *rates, p_value(p), verdict)


def _show_given(console: Console, comparison: Comparison) -> None:
    if comparison.given is None:
        console.print("audio given to the recogniser: not known in both runs, not compared")
        return
    loudness, length = comparison.given.loudness_lu, comparison.given.length
    parts = (
        f"loudness {'not known in both runs' if loudness is None else _shift(loudness, 1.0, 'LU')}",
        f"length {_shift(length, 100.0, '%')}",
    )
    console.print(f"audio given to the recogniser, median of {length.clips} clips: {', '.join(parts)}")


def _shift(shift: Shift, scale: float, unit: str) -> str:
    both = f"{shift.median * scale:+.1f} {unit}, without signs {shift.median_absolute * scale:.1f}"
    return f"{both} ({shift.clips_beyond} clips beyond the tolerance)"


def _show_clips(console: Console, clips: Sequence[ClipChange], top: int) -> None:
    worse, better = [one for one in clips if one.change > 0], [one for one in clips if one.change < 0]
    otherwise = len(clips) - len(worse) - len(better)
    console.print(f"clips: {len(worse)} with more errors, {len(better)} with fewer, {otherwise} with others")
    for one in (*worse[:top], *better[: -top - 1 : -1]):
        console.print(f"{one.id} ({one.set}): {one.errors_before} -> {one.errors_after} errors in {one.words} {_unit(one)}")
        part = excerpt(one)
        for side, text in (("said", part.said), ("before", part.before), ("after", part.after)):
            console.print(f"  {side:7}{text or '(nothing)'}")


def _unit(one: ClipChange) -> str:
    return "characters" if one.kind == "characters" else "words"
