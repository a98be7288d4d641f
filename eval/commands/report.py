"""`python -m eval report`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from asr_server.accuracy.manifest import ManifestError, read_manifest
from asr_server.errors import WrongCall
from eval.commands.hearing import sha256_of
from eval.compare.comparison import compare
from eval.console import GOOD, check_writable, progress, write_text
from eval.page.audio import NoSound, Sound, sound_of, total_bytes
from eval.page.clips import worst_of
from eval.page.numbers import plural, size
from eval.page.page import WORST, page
from eval.result import ClipResult, RunResult, read_run


def report_command(
    result: Annotated[Path, typer.Argument(help="JSON of a run.", metavar="RESULT")],
    *,
    against: Annotated[Path | None, typer.Option(help="JSON of an earlier run on the same clips.")] = None,
    html: Annotated[Path | None, typer.Option(help="Where the page goes; without it beside RESULT, as .html.")] = None,
    manifest: Annotated[Path | None, typer.Option(help="Where the recordings are listed, if not where they were.")] = None,
    worst: Annotated[int, typer.Option(min=0, help="Clips shown one by one.")] = WORST,
    no_audio: Annotated[bool, typer.Option("--no-audio", help="Leave the recordings out.")] = False,
) -> int:
    """A run as one HTML page that can be opened anywhere and mailed.

    Rates by set, slices and which data to collect, words, and the clips with most errors, word by word, to listen to. With --against also
    what changed; the page tells which gates failed, the exit code does not: that is for `compare`.
    """
    target = html or result.with_suffix(".html")
    if no_audio and manifest is not None:
        raise WrongCall("--manifest is for the recordings, which --no-audio leaves out")
    run = read_run(result)
    check_writable(target, "--html", inputs=[result, against, manifest or run.manifest])
    comparison = compare(read_run(against), run) if against is not None else None
    clips = worst_of(run, worst)
    sounds, notes = ({}, []) if no_audio else _sounds(run, clips, manifest)
    text = page(run, sounds, worst=worst, comparison=comparison, notes=notes)
    write_text(target, text)
    embedded = total_bytes(list(sounds.values()))
    Console(soft_wrap=True, highlight=False, markup=False).print(
        f"{target}: {size(len(text.encode()))}, {plural(len(clips), 'clip')} one by one, {size(embedded)} of recordings"
    )
    return GOOD


def _sounds(run: RunResult, clips: Sequence[ClipResult], manifest: Path | None) -> tuple[Mapping[str, Sound | NoSound], Sequence[str]]:
    """The clips' recordings, and what the reader must know of them. Raises ManifestError for a `manifest` that cannot be read."""
    listed = manifest or run.manifest
    try:
        recordings = {clip.id: clip for clip in read_manifest(listed, want_audio=False)}
    except ManifestError:
        if manifest is not None:
            raise
        return {}, [f"The recordings are not here: {listed.name} cannot be read. --manifest says where it is."]
    sounds = {}
    with progress("recordings", len(clips)) as advance:
        for clip in clips:
            sounds[clip.id] = sound_of(recordings.get(clip.id), clip.reference)
            advance()
    changed = sha256_of(listed) != run.fields["data"].get("sha256")
    return sounds, [f"{listed.name} is not as it was when this was heard: recordings are taken from it by their ids."] if changed else []
