"""`python -m eval slices`."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table

from asr_server.errors import WrongCall
from eval.commands.options import OptionalJsonOption
from eval.commands.wording import percent
from eval.console import GOOD, check_writable, write_json
from eval.result import read_run
from eval.slices.kinds import WordKind
from eval.slices.report import Analysis, analyse, as_json
from eval.slices.slicing import Slice
from eval.slices.words import WordAnalysis


def slices_command(
    result: Annotated[Path, typer.Argument(help="JSON of a run.", metavar="RESULT")],
    *,
    json: OptionalJsonOption = None,
    top: Annotated[int, typer.Option(min=1, help="Rows of each table; --json has all.")] = 20,
) -> int:
    """Where the errors are, and which data to collect.

    Every slice of the collection (by loudness, SNR, bandwidth, speech rate, duration, clipping, silence, speaker, set, language, condition)
    is held against the rest of it. "Excess" is the errors beyond those that the rest's rate would give, "sure" the same at the least
    difference that is not chance: a slice is "clear" when it has any, with five clips of three speakers or more, corrected for the number
    of slices. Then the words: which are confused, lost, made up, and where.
    """
    if json is not None:
        check_writable(json, inputs=[result])
    analysis = analyse(read_run(result))
    if not analysis.clips:
        raise WrongCall(f"{result}: no clips with speech in a language with spaces between words, so there are no word errors to divide")
    if json is not None:
        write_json(json, as_json(analysis))
    _show(analysis, top)
    return GOOD


def _show(analysis: Analysis, top: int) -> None:
    console = Console(highlight=False, markup=False, soft_wrap=True)
    counts = analysis.counts
    console.print(f"{counts.errors} errors in {counts.words} words of {analysis.clips} clips, WER {percent(counts.rate)} %")
    if analysis.other_clips:
        console.print(f"{analysis.other_clips} clips without speech or of a language without word spaces are not in the slices")
    console.print(_slices(analysis.slices, top))
    _show_words(console, analysis.words, top)
    for sentence in analysis.collect or ["No slice has more errors than the rate of the rest would give."]:
        console.print(sentence)


def _slices(slices: Sequence[Slice], top: int) -> Table:
    table = _table("slice", "clips", "words", "errors", "WER %", "95 %", "rest %", "excess", "sure")
    for one in slices[:top]:
        counts = (str(count) for count in (one.clips, one.words, one.errors))
        rates = (percent(one.wer, 1), _interval(one.ci95), percent(one.rest_wer, 1))
        table.add_row(one.label, *counts, *rates, f"{one.excess_errors:+.1f}", f"{one.sure_excess_errors:.1f}" if one.clear else "-")
    return table


def _show_words(console: Console, words: WordAnalysis, top: int) -> None:
    console.print(_kinds(words.kinds))
    _say(console, "Confused", (f"{one.said} > {one.heard} ({one.count})" for one in words.substitutions[:top]))
    _say(console, "Lost", (f"{one.word} ({one.count} of {one.said})" for one in words.deletions[:top]))
    _say(console, "Made up", (f"{one.word} ({one.count})" for one in words.insertions[:top]))
    _say(console, "Loops", (f"{one.phrase} ({one.times} times in {one.clip})" for one in words.loops[:top]))
    ends = words.segment_ends
    console.print(
        f"Lost at the end of a segment: {ends.at_ends} words at {ends.segments} ends; elsewhere {ends.elsewhere} of {ends.words} words"
        f"{f'; {ends.clips_left_out} clips cannot be told apart by segment' if ends.clips_left_out else ''}"
    )
    silence = words.silence
    if silence.clips:
        _say(
            console, f"Made up in {silence.with_words} of {silence.clips} silences", (f"{one.word} ({one.count})" for one in silence.words)
        )


def _kinds(kinds: Sequence[WordKind]) -> Table:
    table = _table("kind of words", "clips", "said", "wrong", "wrong %", "95 %", "others %", "excess", "clear")
    for one in kinds:
        counts = (str(count) for count in (one.clips, one.words, one.wrong))
        rates = (percent(one.rate, 1), _interval(one.ci95), percent(one.rest_rate, 1))
        table.add_row(one.kind, *counts, *rates, f"{one.excess_errors:+.1f}", _yes(one.clear))
    return table


def _table(first: str, *others: str) -> Table:
    columns = (Column(first, overflow="fold"), *(Column(name, no_wrap=True, justify="right") for name in others))
    return Table(*columns, box=SIMPLE_HEAD, pad_edge=False, padding=0)


def _interval(bounds: tuple[float, float] | None) -> str:
    return "-" if bounds is None else f"{percent(bounds[0], 1)}-{percent(bounds[1], 1)}"


def _yes(clear: bool) -> str:  # noqa: FBT001 - the value itself is what is shown
    return "yes" if clear else "no"


def _say(console: Console, what: str, items: Iterable[str]) -> None:
    console.print(f"{what}: {', '.join(items) or 'none'}")
