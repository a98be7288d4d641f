"""`python -m eval run`."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from asr_server.accuracy.manifest import read_manifest
from eval.commands.hearing import closing, hear, of_manifest, write_result
from eval.commands.options import (
    BeamOption,
    BudgetOption,
    DefinitionOption,
    ExcludeSetsOption,
    FreshOption,
    JsonOption,
    LimitOption,
    ManifestOption,
    ModelOption,
    PresetOption,
    RealtimeJobsOption,
    RealtimeOption,
    ServerOption,
    SetsOption,
    ThreadsOption,
    ViaOption,
    names,
    via_options,
)
from eval.commands.requiring import closing_with, require_option, requirements_of
from eval.commands.wording import percent
from eval.console import check_writable
from eval.report import FIELDS, report
from eval.run import NOT_HEADLINE, select
from eval.via import Via


def run_command(
    *,
    manifest: ManifestOption,
    json: JsonOption,
    via: ViaOption = Via.ENGINE,
    server: ServerOption = None,
    model: ModelOption = None,
    realtime: RealtimeOption = False,
    budget_ms: BudgetOption = None,
    preset: PresetOption = None,
    definition: DefinitionOption = None,
    beam_size: BeamOption = None,
    sets: SetsOption = "",
    exclude_sets: ExcludeSetsOption = "",
    headline: Annotated[bool, typer.Option("--headline", help=f"Not: {', '.join(sorted(NOT_HEADLINE))}.")] = False,
    limit: LimitOption = None,
    jobs: RealtimeJobsOption = 0,
    threads: ThreadsOption = None,
    fresh: FreshOption = False,
    require: Annotated[list[str] | None, require_option("'wer<0.1'")] = None,
) -> int:
    """Word error rate on a manifest. Exit code 1 when clips failed, or a requirement is not met."""
    check_writable(json, inputs=[manifest])
    requirements = requirements_of(require, FIELDS)
    options = via_options(
        via,
        server=server,
        model=model,
        realtime=realtime,
        jobs=jobs,
        threads=threads,
        budget_ms=budget_ms,
        preset=preset,
        definition=definition,
        beam_size=beam_size,
    )
    unwanted = [*names(exclude_sets), *(NOT_HEADLINE if headline else ())]
    clips = select(read_manifest(manifest), sets=names(sets), exclude_sets=unwanted, limit=limit)
    data = of_manifest(manifest, json)
    heard = hear(clips, options, result=json, data=data, fresh=fresh)
    result = report(heard.outcomes, heard.system, via=heard.how, data=data)
    write_result(json, result, heard.outcomes)
    _show(result)
    return closing_with(requirements, result, closing(heard.outcomes))


def _show(result: Mapping[str, Any]) -> None:
    console = Console()
    table = Table(Column("set", overflow="fold"), "clips", "words", "WER %", "95 % from", "to", "S", "D", "I")
    for name, rate in [*result["by_set"].items(), ("total", result)]:
        if rate["clips"]:
            _add_row(table, name, rate, "wer", "words")
        if rate["characters"]:
            _add_row(table, f"{name}, characters", rate["characters"], "cer", "characters")
    console.print(table)
    if overfull := [one for one in result["hypotheses"] if 0 < one["words"] < one["S"] + one["D"] + one["I"]]:
        worst = max(overfull, key=lambda one: (one["S"] + one["D"] + one["I"]) / one["words"])
        console.print(
            f"{len(overfull)} with more errors than words, such as {worst['id']}: "
            "repeats, or digits that the text rules joined into one number",
            markup=False,
            soft_wrap=True,
        )
    if silence := result["silence"]:
        console.print(
            f"silence: {silence['words']} words in {silence['minutes']} minutes of {silence['clips']} recordings without speech, "
            f"{silence['words_per_minute']} a minute"
        )


def _add_row(table: Table, name: str, rate: Mapping[str, Any], share: str, of: str) -> None:
    low, high = rate["ci95"] or (None, None)
    counts = (str(rate[count]) for count in ("S", "D", "I"))
    table.add_row(name, str(rate["clips"]), str(rate[of]), percent(rate[share]), percent(low), percent(high), *counts)
