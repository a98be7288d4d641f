"""What was heard so far, kept beside the result while a run goes on, so that an interrupted run can be taken up again.

JSON lines: the first says of which run, every other one holds one clip. A run that differs in what makes the texts (recogniser, options,
manifest) does not take up another's journal.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self, TextIO

from audio_norm import Inspection
from eval.recognisers import Heard, HeardSegment


def journal_path(result: Path) -> Path:
    return result.with_name(f"{result.name}.partial")


@dataclass(frozen=True, slots=True)
class Entry:
    """What was heard in a clip, and what its audio is like."""

    heard: Heard
    audio: Inspection


class Journal:
    """Of one run. Used from one thread; a context that closes the file."""

    def __init__(self, result: Path, of_run: Mapping[str, object]) -> None:
        """`result`: where the result will be written; `of_run`: what makes the texts, ready for JSON."""
        self.path = journal_path(result)
        self._of_run = json.loads(json.dumps(of_run))
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def take_up(self) -> dict[str, Entry] | None:
        """The clips heard so far, by id; None when the journal is of a run that differs. A line that cannot be read, as the last one when
        it was cut short, counts as not heard."""
        of_run, *lines = self.path.read_bytes().split(b"\n")
        if _row(of_run) != self._of_run:
            return None
        return dict(read for line in lines if (read := _entry(line)) is not None)

    def begin(self, taken_up: Mapping[str, Entry]) -> None:
        """Write anew, with what was taken up; the old journal stays until the new one has all of it. To be called once, before `add`."""
        unfinished = self.path.with_name(f"{self.path.name}.{os.getpid()}.tmp")
        try:
            self._file = unfinished.open("w", encoding="utf-8")
            self._write(self._of_run)
            for clip_id, entry in taken_up.items():
                self.add(clip_id, entry)
            unfinished.replace(self.path)
        finally:
            unfinished.unlink(missing_ok=True)

    def add(self, clip_id: str, entry: Entry) -> None:
        """On disk before it returns, as far as this process is concerned."""
        self._write({"id": clip_id, **asdict(entry)})

    def _write(self, row: Mapping[str, object]) -> None:
        assert self._file is not None, "begin comes first"
        self._file.write(json.dumps(row, ensure_ascii=False) + "\n")
        self._file.flush()


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line.decode("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError):
        return None
    return row if isinstance(row, dict) else None


def _entry(line: bytes) -> tuple[str, Entry] | None:
    """With the id of its clip; None for a line that is cut short, or of another version."""
    row = _row(line)
    if row is None:
        return None
    try:
        heard = row["heard"]
        segments = tuple(HeardSegment(**segment) for segment in heard["segments"])
        return str(row["id"]), Entry(Heard(segments, heard["given_s"], heard["given_lufs"]), Inspection(**row["audio"]))
    except (KeyError, TypeError):
        return None
