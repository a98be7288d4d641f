"""`python -m eval noise`."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Column, Table

from asr_server.accuracy.manifest import read_manifest
from eval import noise
from eval.commands.hearing import closing, hear, of_manifest, write_result
from eval.commands.options import (
    FreshOption,
    JsonOption,
    ManifestOption,
    ModelOption,
    RealtimeJobsOption,
    RealtimeOption,
    ServerOption,
    ThreadsOption,
    ViaOption,
    names,
    via_options,
)
from eval.commands.requiring import closing_with, require_option, requirements_of
from eval.console import check_writable
from eval.via import Via


def noise_command(
    *,
    manifest: ManifestOption,
    json: JsonOption,
    via: ViaOption = Via.SERVER,
    server: ServerOption = None,
    model: ModelOption = None,
    realtime: RealtimeOption = False,
    exclude: Annotated[str, typer.Option(help="Ids of recordings with speech in them after all, comma between.")] = "",
    exclude_conditions: Annotated[str, typer.Option(help="Not recordings with one of these conditions, comma between.")] = "",
    language: Annotated[str, typer.Option(help="In which words might be invented.")] = "en",
    jobs: RealtimeJobsOption = 0,
    threads: ThreadsOption = None,
    fresh: FreshOption = False,
    require: Annotated[list[str] | None, require_option("'words_per_minute<1'")] = None,
) -> int:
    """Words a minute on recordings without speech, in all and by condition. Exit code 1 when recordings failed, or a requirement is not
    met."""
    check_writable(json, inputs=[manifest])
    requirements = requirements_of(require, noise.FIELDS)
    options = via_options(via, server=server, model=model, realtime=realtime, jobs=jobs, threads=threads)
    chosen = noise.choose(read_manifest(manifest), exclude=names(exclude), exclude_conditions=names(exclude_conditions), language=language)
    data = {**of_manifest(manifest, json), "language": language}
    heard = hear(chosen.clips, options, result=json, data=data, fresh=fresh)
    result = noise.report(heard.outcomes, heard.system, excluded=chosen.excluded, via=heard.how, data=data)
    write_result(json, result, heard.outcomes)
    _show(result)
    return closing_with(requirements, result, closing(heard.outcomes))


def _show(result: Mapping[str, Any]) -> None:
    console = Console(soft_wrap=True)
    headings = ("condition", "files", "minutes", "words", "a minute", "95 of 100 draws")
    table = Table(*(Column(heading, no_wrap=True) for heading in headings), box=SIMPLE, pad_edge=False)
    for name, rate in [*result["by_condition"].items(), ("total", result)]:
        interval = rate["ci95"] and "{} .. {}".format(*rate["ci95"])
        counts = (rate["recordings"], rate["minutes"], rate["words"], rate["words_per_minute"], interval)
        table.add_row(name, *("-" if value is None else str(value) for value in counts))
    console.print(table)
    for one in result["heard"]:
        if one["words"]:
            console.print(f"{one['id']}: {one['text']}", markup=False, highlight=False)
    for one in result["excluded"]:
        console.print(f"excluded {one['id']}: {one['reason']}", markup=False, highlight=False)
