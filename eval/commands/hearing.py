"""Recordings heard with everything a command line wants around it: progress, what can be taken up again, what was skipped or failed."""

import asyncio
import hashlib
import os
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console

from asr_server.accuracy.manifest import Clip
from audio_norm import DataDefinition, load_definition
from eval.console import FAILED, GOOD, Interrupted, progress, write_json
from eval.journal import Entry, Journal, journal_path
from eval.opening import open_recogniser
from eval.recognisers import Recogniser, System
from eval.run import Outcome, Scored, Unscored, hear_all
from eval.via import ViaOptions

_Heard = TypeVar("_Heard")

MEASURED_BY = "v1"
"""The data definition by which a run measures its recordings, whatever its recogniser applies."""


def of_manifest(path: Path, result: Path) -> dict[str, object]:
    """Which data it was, for the record. The path is as seen from the folder of `result`: both may move together, and no name of a person's
    folder is told."""
    return {"manifest": os.path.relpath(path.resolve(), result.resolve().parent), "sha256": sha256_of(path)}


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@dataclass(frozen=True, slots=True)
class Hearing:
    """What came of hearing clips."""

    outcomes: list[Outcome]
    system: System
    how: Mapping[str, object]
    """What shaped the texts beside the system, for the record."""


def hear(clips: Sequence[Clip], options: ViaOptions, *, result: Path, data: Mapping[str, object], fresh: bool = False) -> Hearing:
    """Every clip; what an interrupted run of the same kind left beside `result` is taken up unless `fresh`. `data`: what makes the texts
    beside the options.

    Raises Interrupted, naming what was kept, when Ctrl-C ended it.
    """
    return until_interrupted(_hear(clips, options, result=result, data=data, fresh=fresh), result)


def until_interrupted(hearing: Coroutine[Any, Any, _Heard], result: Path) -> _Heard:
    """What `hearing` returns. Raises Interrupted, naming what was kept beside `result`, when Ctrl-C ended it."""
    try:
        return asyncio.run(hearing)
    except KeyboardInterrupt:
        kept = journal_path(result)
        raise Interrupted(f"interrupted; {f'the same command goes on from {kept}' if kept.exists() else 'nothing was written'}") from None


async def _hear(clips: Sequence[Clip], options: ViaOptions, *, result: Path, data: Mapping[str, object], fresh: bool) -> Hearing:
    async with open_recogniser(options) as opened:
        recogniser, how = opened.recogniser, opened.options.as_json()
        of_run = {**how, **data, "beam_size": options.beam_size, "system": recogniser.system.as_json()}
        with sitting(f"hearing via {options.via}", [clip.id for clip in clips], result=result, of_run=of_run, fresh=fresh) as one:
            outcomes = await one.hear(clips, recogniser, load_definition(MEASURED_BY), jobs=options.jobs)
        return Hearing(outcomes, recogniser.system, how)


class Sitting:
    """Recordings heard one part after another, into one journal and under one progress bar. Made by `sitting`."""

    def __init__(self, journal: Journal, taken_up: Mapping[str, Entry], advance: Callable[[], None]) -> None:
        self.audio_s = 0.0
        """Heard in this sitting, not taken up from an earlier one."""
        self._journal = journal
        self._taken_up = taken_up
        self._advance = advance

    async def hear(
        self, clips: Sequence[Clip], recogniser: Recogniser, measured_by: DataDefinition, *, jobs: int, part: str = ""
    ) -> list[Outcome]:
        """`part` stands before the ids of the clips in the journal, so that the same clips may be heard again as another part."""

        def heard(clip: Clip, entry: Entry | None) -> None:
            if entry is not None:
                self._journal.add(f"{part}{clip.id}", entry)
                self.audio_s += entry.audio.duration_s
            self._advance()

        taken_up = {clip.id: entry for clip in clips if (entry := self._taken_up.get(f"{part}{clip.id}")) is not None}
        return await hear_all(clips, recogniser, measured_by, jobs=jobs, taken_up=taken_up, heard=heard)


@contextmanager
def sitting(what: str, to_hear: Sequence[str], *, result: Path, of_run: Mapping[str, object], fresh: bool) -> Iterator[Sitting]:
    """`to_hear`: ids, each with its part before it. What an interrupted run with the same `of_run` left beside `result` is taken up unless
    `fresh`."""
    with Journal(result, of_run) as journal:
        taken_up = {} if fresh else _take_up(journal)
        journal.begin(taken_up)
        started_s = time.monotonic()
        with progress(what, sum(name not in taken_up for name in to_hear)) as advance:
            one = Sitting(journal, taken_up, advance)
            yield one
    _say_speed(one.audio_s, time.monotonic() - started_s)


def write_result(path: Path, result: Mapping[str, object], outcomes: Sequence[Outcome]) -> None:
    """And forget what was kept for taking the run up again, unless something failed: then the same command hears only that again."""
    write_json(path, result)
    kept = journal_path(path)
    if not _failed(outcomes):
        kept.unlink(missing_ok=True)
    elif kept.exists():
        say(f"what was heard is kept in {kept}: the same command hears only what failed")


def closing(outcomes: Sequence[Outcome]) -> int:
    """Says on stderr what was skipped or failed, the same of the same clip once; the exit code."""
    lines = (
        f"skipped {one.clip.id}: {one.reason}" if isinstance(one, Unscored) else f"failed {one.clip.id}: {one.error}" if one.error else ""
        for one in outcomes
    )
    for line in dict.fromkeys(lines):
        if line:
            say(line)
    return FAILED if _failed(outcomes) else GOOD


def _failed(outcomes: Sequence[Outcome]) -> bool:
    return any(isinstance(outcome, Scored) and outcome.error for outcome in outcomes)


def _take_up(journal: Journal) -> dict[str, Entry]:
    if not journal.path.exists():
        return {}
    taken_up = journal.take_up()
    if taken_up is None:
        say(f"{journal.path} is of a run with another recogniser, other options or another manifest: starting anew")
        return {}
    say(f"going on from {journal.path}: {len(taken_up)} clips were heard already; --fresh hears all again")
    return taken_up


def _say_speed(audio_s: float, took_s: float) -> None:
    if audio_s and took_s:
        say(f"{audio_s / 60:.1f} minutes heard in {took_s:.0f} s, {audio_s / took_s:.1f} times as fast as they were spoken")


def say(line: str) -> None:
    """On stderr."""
    Console(stderr=True, soft_wrap=True, highlight=False, markup=False).print(line)
