"""A public suite as a folder with a manifest: complete, or not there.

Everything is made in DIR/NAME.fetching, where an interrupted call is gone on with, and becomes DIR/NAME by one rename.
"""

import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from asr_server.errors import WrongCall
from eval.fetch.download import Downloader, DownloadError, Known
from eval.fetch.suites import Absent, Suite, SuiteError
from eval.fetch.unpack import UnpackError, unpack

MANIFEST = "manifest.jsonl"
NOTES = "LICENCE-AND-SOURCE.txt"
ROOM_TIMES = 3
"""Free disk wanted, in sizes of the archives: the archive itself, and what is in it, which is audio and packs to no less than half."""


class FetchError(Exception):
    """A suite that was not fetched. One line: what failed."""


class Watch(Protocol):
    """Told what goes on."""

    def planned(self, plan: "Plan") -> None:
        """Before anything large comes."""

    def left_out(self, absent: Sequence[Absent]) -> None:
        """Recordings that have a text and did not come."""

    def step(self, what: str, total_bytes: int) -> AbstractContextManager[Callable[[int], None]]:
        """One part of the work; what is yielded is called with the bytes done."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to come."""

    suite: Suite
    files: tuple[Known, ...]

    @property
    def size_bytes(self) -> int:
        return sum(known.size_bytes for known in self.files)


def free_bytes(folder: Path) -> int:
    """Of the disk it is on."""
    return shutil.disk_usage(folder).free


def manifest_of(suite: Suite, into: Path) -> Path:
    """Where its manifest is, or will be."""
    return into / suite.name / MANIFEST


def is_there(suite: Suite, into: Path) -> bool:
    """Fetched already. Raises WrongCall for a folder of that name that is something else."""
    folder = into / suite.name
    if manifest_of(suite, into).is_file():
        return True
    if folder.exists():
        raise WrongCall(f"{folder} is there and was not made by this command: move it away, or choose another --to")
    return False


def fetch(
    suite: Suite,
    into: Path,
    downloader: Downloader,
    watch: Watch,
    *,
    mirror: str | None = None,
    free: Callable[[Path], int] = free_bytes,
) -> Path:
    """The path of its manifest. Raises FetchError; what came by then is gone on with by the next call. WrongCall: see `is_there`."""
    if is_there(suite, into):
        return manifest_of(suite, into)
    try:
        return _fetch(suite, into, downloader, watch, mirror=mirror, free=free)
    except (DownloadError, UnpackError, SuiteError) as error:
        raise FetchError(f"{suite.name}: {error}") from error
    except OSError as error:
        raise FetchError(f"{suite.name}: {error.strerror or error}{f': {error.filename}' if error.filename else ''}") from error


def _fetch(suite: Suite, into: Path, downloader: Downloader, watch: Watch, *, mirror: str | None, free: Callable[[Path], int]) -> Path:
    plan = Plan(suite, tuple(downloader.ask(file.mirrored(mirror)) for file in suite.files))
    watch.planned(plan)
    working = into / f"{suite.name}.fetching"
    working.mkdir(parents=True, exist_ok=True)
    _check_room(plan, working, free)
    for known in plan.files:
        with watch.step(f"fetching {known.file.name}", known.size_bytes) as advance:
            downloader.fetch(known, working / known.file.name, advance)
    content = working / "content"
    shutil.rmtree(content, ignore_errors=True)
    content.mkdir()
    for number, known in enumerate(plan.files):
        _lay_out(known, working, content, number, watch)
    absent = _write_manifest(suite, content, watch)
    watch.left_out(absent)
    (content / NOTES).write_text(notes(plan, absent), encoding="utf-8")
    content.rename(into / suite.name)
    shutil.rmtree(working)
    return manifest_of(suite, into)


def _check_room(plan: Plan, working: Path, free: Callable[[Path], int]) -> None:
    here = sum(path.stat().st_size for path in working.iterdir() if path.is_file())
    wanted, have = plan.size_bytes * ROOM_TIMES - here, free(working)
    if have < wanted:
        raise FetchError(f"{plan.suite.name}: {wanted / 1e6:.0f} MB of free disk are wanted, {working.parent} has {have / 1e6:.0f} MB")


def _lay_out(known: Known, working: Path, content: Path, number: int, watch: Watch) -> None:
    source = working / known.file.name
    if not source.name.endswith(".tar.gz"):
        shutil.copyfile(source, content / source.name)
        return
    unpacked = working / f"unpacked-{number}"
    shutil.rmtree(unpacked, ignore_errors=True)
    with watch.step(f"unpacking {source.name}", known.size_bytes) as advance:
        unpack(source, unpacked, advance)
    for entry in unpacked.iterdir():
        entry.rename(content / entry.name)


def _write_manifest(suite: Suite, content: Path, watch: Watch) -> list[Absent]:
    """Gives the recordings that have a text and did not come."""
    absent = []
    with watch.step("writing the manifest", 0) as advance, (content / MANIFEST).open("w", encoding="utf-8") as file:
        for row in suite.read(content):
            if isinstance(row, Absent):
                absent.append(row)
            else:
                advance(file.write(f"{row.as_json()}\n"))
        if not file.tell():
            raise SuiteError("none of its recordings is in the archive")
    return absent


def notes(plan: Plan, absent: Sequence[Absent] = ()) -> str:
    """What anybody who finds the folder has to know."""
    suite = plan.suite
    files = [
        f"  {known.file.url}\n    {known.size_bytes} bytes, {known.digest} ({'published' if known.published else 'as the server stated'})"
        for known in plan.files
    ]
    left_out = [f"\nLeft out, since the archive does not have it: {one.audio}" for one in absent]
    lines = [
        f"{suite.title}\n",
        f"Licence: {suite.licence}",
        f"Source: {suite.page}",
        f"Cite: {suite.citation}\n",
        f"Files, unpacked here; {MANIFEST} was made from their transcripts:",
        *files,
        *left_out,
    ]
    return "\n".join(lines) + "\n"
