"""`python -m eval noise`."""

from typing import Annotated

import typer
from rich.console import Console

from eval import noise
from eval.commands.hearing import closing, hear, of_manifest, write_result
from eval.commands.options import (
    JobsOption,
    JsonOption,
    ManifestOption,
    ModelOption,
    RealtimeOption,
    ServerOption,
    ThreadsOption,
    ViaOption,
    names,
    via_options,
)
from eval.console import check_writable
from eval.manifest import read_manifest
from eval.via import Via


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
    jobs: JobsOption = 0,
    threads: ThreadsOption = 1,
) -> int:
    """Words a minute on recordings without speech."""
    check_writable(json)
    options = via_options(via, server=server, model=model, realtime=realtime, jobs=jobs, threads=threads)
    clips = noise.recordings(read_manifest(manifest), names(exclude), language)
    outcomes, system = hear(clips, options, result=json, data=of_manifest(manifest))
    result = noise.report(outcomes, system, via=options.as_json())
    write_result(json, result)
    line = (
        "{words_per_minute} words a minute: {words} words in {minutes} minutes of {recordings} recordings, {with_words} of them with words"
    )
    Console().print(line.format_map(result))
    return closing(outcomes)
