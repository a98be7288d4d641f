"""Recordings heard with everything a command line wants around it: progress, what can be taken up again, what was skipped or failed."""

import asyncio
import hashlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from audio_norm import load_definition
from eval.console import FAILED, GOOD, Interrupted, progress, write_json
from eval.journal import Entry, Journal, journal_path
from eval.manifest import Clip
from eval.opening import open_recogniser
from eval.recognisers import System
from eval.run import Outcome, Scored, Unscored, hear_all
from eval.via import ViaOptions

MEASURED_BY = "v1"
"""The data definition by which a run measures its recordings, whatever its recogniser applies."""


def of_manifest(path: Path) -> dict[str, object]:
    """Which data it was, for the record."""
    return {"manifest": str(path.resolve()), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def hear(
    clips: Sequence[Clip], options: ViaOptions, *, result: Path, data: Mapping[str, object], fresh: bool = False
) -> tuple[list[Outcome], System]:
    """Every clip; what an interrupted run of the same kind left beside `result` is taken up unless `fresh`.

    Raises Interrupted, naming what was kept, when Ctrl-C ended it.
    """
    try:
        return asyncio.run(_hear(clips, options, result=result, data=data, fresh=fresh))
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted; the same command goes on from {journal_path(result)}") from None


async def _hear(
    clips: Sequence[Clip], options: ViaOptions, *, result: Path, data: Mapping[str, object], fresh: bool
) -> tuple[list[Outcome], System]:
    async with open_recogniser(options) as recogniser:
        of_run = {**options.as_json(), **data, "beam_size": options.beam_size, "system": recogniser.system.as_json()}
        with Journal(result, of_run) as journal:
            taken_up = {} if fresh else _take_up(journal)
            journal.begin(taken_up)
            with progress(f"hearing via {options.via}", sum(clip.id not in taken_up for clip in clips)) as advance:

                def heard(clip: Clip, entry: Entry | None) -> None:
                    if entry is not None:
                        journal.add(clip.id, entry)
                    advance()

                started_s = time.monotonic()
                measured_by = load_definition(MEASURED_BY)
                outcomes = await hear_all(clips, recogniser, measured_by, jobs=options.jobs, taken_up=taken_up, heard=heard)
        _say_speed([outcome for outcome in outcomes if outcome.clip.id not in taken_up], time.monotonic() - started_s)
        return outcomes, recogniser.system


def write_result(path: Path, result: Mapping[str, object]) -> None:
    """And forget what was kept for taking the run up again."""
    write_json(path, result)
    journal_path(path).unlink(missing_ok=True)


def closing(outcomes: Sequence[Outcome]) -> int:
    """Says on stderr what was skipped or failed; the exit code."""
    for outcome in outcomes:
        if isinstance(outcome, Unscored):
            _say(f"skipped {outcome.clip.id}: {outcome.reason}")
        elif outcome.error:
            _say(f"failed {outcome.clip.id}: {outcome.error}")
    return FAILED if any(isinstance(outcome, Scored) and outcome.error for outcome in outcomes) else GOOD


def _take_up(journal: Journal) -> dict[str, Entry]:
    if not journal.path.exists():
        return {}
    taken_up = journal.take_up()
    if taken_up is None:
        _say(f"{journal.path} is of a run with another recogniser, other options or another manifest: starting anew")
        return {}
    _say(f"going on from {journal.path}: {len(taken_up)} clips were heard already; --fresh hears all again")
    return taken_up


def _say_speed(outcomes: Sequence[Outcome], took_s: float) -> None:
    audio_s = sum(outcome.audio.duration_s for outcome in outcomes if isinstance(outcome, Scored) and outcome.audio)
    if audio_s and took_s:
        _say(f"{audio_s / 60:.1f} minutes heard in {took_s:.0f} s, {audio_s / took_s:.1f} times as fast as they were spoken")


def _say(line: str) -> None:
    Console(stderr=True, soft_wrap=True, highlight=False, markup=False).print(line)
