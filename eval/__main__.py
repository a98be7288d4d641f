"""`python -m eval run|noise|tail`. Exit codes: 0 good, 1 clips failed, 2 the call was wrong."""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from asr_server.errors import WrongCall
from eval import noise, tail
from eval.console import FAILED, GOOD, check_writable, progress, read_result, run_app, write_json
from eval.manifest import Clip, read_manifest
from eval.recognisers import System
from eval.run import NOT_HEADLINE, Scored, Unscored, hear_all, report, select
from eval.via import Via, ViaOptions, open_recogniser

app = typer.Typer(
    help="How right the words are.", add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None
)

ManifestOption = Annotated[Path, typer.Option(help="JSON lines: audio, text; optionally id, set, language, duration_s, words.")]
JsonOption = Annotated[Path, typer.Option("--json", help="Where the whole result goes.")]
ViaOption = Annotated[Via, typer.Option(help="Who recognises.")]
ServerOption = Annotated[str | None, typer.Option(help="host:port; without it --via server starts one for itself.")]
ModelOption = Annotated[str, typer.Option(help="Name or directory; a --server has its own.")]
RealtimeOption = Annotated[bool, typer.Option("--realtime", help="Send at the pace of a microphone (--via server).")]
JobsOption = Annotated[int, typer.Option(min=1, help="Clips at a time.")]
ThreadsOption = Annotated[int, typer.Option(min=1, help="Threads of faster-whisper.")]


@app.command("run")
def run_command(
    *,
    manifest: ManifestOption,
    json: JsonOption,
    via: ViaOption = Via.ENGINE,
    server: ServerOption = None,
    model: ModelOption = "base",
    realtime: RealtimeOption = False,
    sets: Annotated[str, typer.Option(help="Only these sets, comma between.")] = "",
    exclude_sets: Annotated[str, typer.Option(help="Not these sets, comma between.")] = "",
    headline: Annotated[bool, typer.Option("--headline", help=f"Not: {', '.join(sorted(NOT_HEADLINE))}.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="The first so many of the chosen clips.")] = None,
    jobs: JobsOption = 1,
    threads: ThreadsOption = 1,
) -> int:
    """Word error rate on a manifest."""
    check_writable(json)
    options = via_options(via, server=server, model=model, realtime=realtime, jobs=jobs, threads=threads)
    unwanted = [*names(exclude_sets), *(NOT_HEADLINE if headline else ())]
    clips = select(read_manifest(manifest), sets=names(sets), exclude_sets=unwanted, limit=limit)
    outcomes, system = asyncio.run(hear(clips, options))
    result = report(outcomes, system, via=via)
    write_json(json, result)
    show_rates(result)
    return closing(outcomes)


@app.command("noise")
def noise_command(
    *,
    manifest: ManifestOption,
    json: JsonOption,
    via: ViaOption = Via.SERVER,
    server: ServerOption = None,
    model: ModelOption = "base",
    realtime: RealtimeOption = False,
    exclude: Annotated[str, typer.Option(help="Ids of recordings with speech in them after all, comma between.")] = "",
    language: Annotated[str, typer.Option(help="In which words might be invented.")] = "en",
    jobs: JobsOption = 1,
    threads: ThreadsOption = 1,
) -> int:
    """Words a minute on recordings without speech."""
    check_writable(json)
    options = via_options(via, server=server, model=model, realtime=realtime, jobs=jobs, threads=threads)
    clips = noise.recordings(read_manifest(manifest), names(exclude), language)
    outcomes, system = asyncio.run(hear(clips, options))
    result = noise.report(outcomes, system, via=via)
    write_json(json, result)
    line = (
        "{words_per_minute} words a minute: {words} words in {minutes} minutes of {recordings} recordings, {with_words} of them with words"
    )
    Console().print(line.format_map(result))
    return closing(outcomes)


@app.command("tail")
def tail_command(
    tested: Annotated[Path, typer.Argument(help="JSON of a run, say --via server.")],
    against: Annotated[Path, typer.Argument(help="JSON of the run to hold it against, say --via engine on the whole clips.")],
    *,
    json: Annotated[Path | None, typer.Option("--json", help="Where the clips that lost words go.")] = None,
) -> int:
    """Clips that miss more words at their end in TESTED than in AGAINST. Exit code 1 when there are any."""
    compared, lost = tail.compare(read_result(tested), read_result(against))
    if json is not None:
        write_json(json, {"clips": compared, "lost": [asdict(one) for one in lost]})
    for one in lost:
        Console(soft_wrap=True, markup=False).print(
            f"{one.clip}: {one.missing} missing, {one.missing_before} before; ... {one.reference_end}"
        )
    Console().print(f"{len(lost)} of {compared} clips miss more words at their end")
    return FAILED if lost else GOOD


def names(given: str) -> list[str]:
    """Of a comma-separated option."""
    return [name.strip() for name in given.split(",") if name.strip()]


def via_options(via: Via, *, server: str | None, model: str, realtime: bool, jobs: int, threads: int) -> ViaOptions:
    """Raises WrongCall for options that would have no effect."""
    if via is not Via.SERVER and (server or realtime):
        raise WrongCall(f"{'--server' if server else '--realtime'} goes with --via server, not with --via {via}")
    return ViaOptions(via, model=model, server=server, realtime=realtime, jobs=jobs, threads=threads)


async def hear(clips: Sequence[Clip], options: ViaOptions) -> tuple[list[Scored | Unscored], System]:
    async with open_recogniser(options) as recogniser:
        with progress(f"hearing via {options.via}", len(clips)) as heard:
            return await hear_all(clips, recogniser, jobs=options.jobs, heard=heard), recogniser.system


def closing(outcomes: Sequence[Scored | Unscored]) -> int:
    """Says on stderr what was skipped or failed; the exit code."""
    errors = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    for outcome in outcomes:
        if isinstance(outcome, Unscored):
            errors.print(f"skipped {outcome.clip.id}: {outcome.reason}")
        elif outcome.error:
            errors.print(f"failed {outcome.clip.id}: {outcome.error}")
    return FAILED if any(isinstance(outcome, Scored) and outcome.error for outcome in outcomes) else GOOD


def show_rates(result: dict[str, object]) -> None:
    table = Table(Column("set", overflow="fold"), "clips", "words", "WER %", "95 % from", "to", "S", "D", "I")
    by_set = result["by_set"]
    assert isinstance(by_set, dict)
    for name, rate in [*by_set.items(), ("total", result)]:
        low, high = rate["ci95"] or (None, None)
        counts = (str(rate[count]) for count in ("S", "D", "I"))
        table.add_row(name, str(rate["clips"]), str(rate["words"]), percent(rate["wer"]), percent(low), percent(high), *counts)
    Console().print(table)


def percent(share: float | None) -> str:
    return "-" if share is None else f"{share * 100:.2f}"


def main(arguments: Sequence[str] | None = None) -> int:
    return run_app(app, arguments, "python -m eval")


if __name__ == "__main__":
    sys.exit(main())
