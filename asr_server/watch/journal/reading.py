"""A journal read back: by reports, while a server writes it or after."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from asr_server.errors import WrongCall
from asr_server.watch.journal.rows import ChangeRow, FeedbackRow, ProbeRow, SegmentRow
from asr_server.watch.journal.tables import CHANGES, FEEDBACK, FORMAT, PROBES, SEGMENTS


@dataclass(frozen=True, slots=True)
class Reading:
    """Rows between two times, each in its order."""

    segments: tuple[SegmentRow, ...]
    feedback: tuple[FeedbackRow, ...]
    changes: tuple[ChangeRow, ...]
    probes: tuple[ProbeRow, ...]


def read_journal(path: Path, since_s: float = 0.0, until_s: float = float("inf")) -> Reading:
    """Raises `WrongCall` for a file that is not there, or is no journal."""
    with _connected(path) as connection:
        return Reading(
            tuple(SEGMENTS.read(connection, since_s, until_s)),
            tuple(FEEDBACK.read(connection, since_s, until_s)),
            tuple(CHANGES.read(connection, since_s, until_s)),
            tuple(PROBES.read(connection, since_s, until_s)),
        )


def read_probes(path: Path) -> tuple[ProbeRow, ...]:
    """Golden clips alone, of all times. Raises as `read_journal`."""
    with _connected(path) as connection:
        return tuple(PROBES.read(connection, 0.0, float("inf")))


def find_segment(path: Path, segment_id: str) -> SegmentRow | None:
    """Raises as `read_journal`."""
    with _connected(path) as connection:
        return SEGMENTS.find(connection, segment_id)


@contextmanager
def _connected(path: Path) -> Iterator[sqlite3.Connection]:
    if not path.is_file():
        raise WrongCall(f"there is no journal {path}")
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    except sqlite3.Error as error:
        raise WrongCall(f"cannot open {path}: {error}") from None
    try:
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        if found != FORMAT:
            raise WrongCall(f"{path} is no journal of a server (its format is {found}, wanted {FORMAT})")
        yield connection
    except sqlite3.Error as error:
        raise WrongCall(f"{path} cannot be read as a journal: {error}") from None
    finally:
        connection.close()
