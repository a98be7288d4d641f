"""A journal read back: by reports, while a server writes it or after."""

import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from asr_server.errors import WrongCall
from asr_server.watch.journal.rows import ChangeRow, FeedbackRow, ProbeRow, Row, SegmentRow
from asr_server.watch.journal.tables import CHANGES, FEEDBACK, FORMAT, PROBES, SEGMENTS

_UNITS_S = {"m": 60.0, "h": 3_600.0, "d": 86_400.0}


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


def read_journals(paths: Iterable[Path], since_s: float = 0.0, until_s: float = float("inf")) -> Reading:
    """Of several servers as of one. Raises as `read_journal`."""
    read = [read_journal(path, since_s, until_s) for path in paths]
    return Reading(
        tuple(sorted((row for one in read for row in one.segments), key=_at_s)),
        tuple(sorted((row for one in read for row in one.feedback), key=_at_s)),
        tuple(sorted((row for one in read for row in one.changes), key=_at_s)),
        tuple(sorted((row for one in read for row in one.probes), key=_at_s)),
    )


def _at_s(row: Row) -> float:
    return row.at_s


def seconds_back(length: str, option: str = "--since") -> float:
    """Of "90m", "24h", "7d", as `--since` takes them. Raises `WrongCall`."""
    found = re.fullmatch(r"(\d+)([mhd])", length)
    if not found or not int(found[1]):
        raise WrongCall(f"{option} {length!r} is not accepted: a number of minutes, hours or days, such as 90m, 24h or 7d")
    return int(found[1]) * _UNITS_S[found[2]]


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
