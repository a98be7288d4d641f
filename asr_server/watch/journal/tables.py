"""Rows in SQLite: one table a class of `rows.py`, made from its fields. What is no number or text is JSON in its column."""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Generic, TypeVar, get_type_hints

from asr_server.watch.journal.rows import ChangeRow, FeedbackRow, ProbeRow, Row, SegmentRow

FORMAT = 1
"""Kept in the file (`user_version`)."""

_R = TypeVar("_R", bound=Row)
_SQL: Mapping[object, str] = {float: "REAL", int: "INTEGER", bool: "INTEGER"}


@dataclass(frozen=True, slots=True)
class Table(Generic[_R]):
    """Where the rows of one class are."""

    name: str
    kind: type[_R]
    key: tuple[str, ...] = ()
    """Columns of which two rows must differ: the later one takes the place of the earlier."""

    def create(self) -> Iterator[str]:
        hints = get_type_hints(self.kind)
        columns = [f'"{one.name}" {_column_type(hints[one.name])}' for one in fields(self.kind)]
        key = [f"PRIMARY KEY ({', '.join(self.key)})"] if self.key else []
        yield f'CREATE TABLE IF NOT EXISTS "{self.name}" ({", ".join([*columns, *key])})'
        yield f'CREATE INDEX IF NOT EXISTS "{self.name}_at" ON "{self.name}" (at_s)'

    def grow(self, connection: sqlite3.Connection) -> Iterator[str]:
        """What a table of an earlier server lacks."""
        hints, there = get_type_hints(self.kind), self._columns(connection)
        for one in fields(self.kind):
            if one.name not in there:
                yield f'ALTER TABLE "{self.name}" ADD COLUMN "{one.name}" {_column_type(hints[one.name])}'

    def _columns(self, connection: sqlite3.Connection) -> frozenset[str]:
        return frozenset(row[1] for row in connection.execute(f'PRAGMA table_info("{self.name}")'))

    def put(self, connection: sqlite3.Connection, rows: Sequence[_R]) -> None:
        marks = ", ".join("?" * len(fields(self.kind)))
        columns = ", ".join(f'"{one.name}"' for one in fields(self.kind))
        statement = f'INSERT OR REPLACE INTO "{self.name}" ({columns}) VALUES ({marks})'  # noqa: S608 - names of ours
        connection.executemany(statement, [[_out(getattr(row, one.name)) for one in fields(self.kind)] for row in rows])

    def read(self, connection: sqlite3.Connection, since_s: float, until_s: float) -> Iterator[_R]:
        """In the order of their times."""
        yield from self._select(connection, "at_s >= ? AND at_s < ? ORDER BY at_s, rowid", since_s, until_s)

    def find(self, connection: sqlite3.Connection, key: str) -> _R | None:
        """By the first column of the key."""
        return next(self._select(connection, f'"{self.key[0]}" = ?', key), None)

    def _select(self, connection: sqlite3.Connection, where: str, *values: object) -> Iterator[_R]:
        hints = get_type_hints(self.kind)
        there = self._columns(connection)
        names = [one.name for one in fields(self.kind) if one.name in there]
        columns = ", ".join(f'"{name}"' for name in names)
        for found in connection.execute(f'SELECT {columns} FROM "{self.name}" WHERE {where}', values):  # noqa: S608 - names of ours
            # A row of before a column was there has the field's own default.
            told: dict[str, Any] = {
                name: _in(value, hints[name])
                for name, value in zip(names, found, strict=True)
                if value is not None or hints[name] == float | None
            }
            yield self.kind(**told)

    def forget(self, connection: sqlite3.Connection, before_s: float) -> None:
        connection.execute(f'DELETE FROM "{self.name}" WHERE at_s < ?', (before_s,))  # noqa: S608 - a name of ours


SEGMENTS = Table("segments", SegmentRow, ("id",))
FEEDBACK = Table("feedback", FeedbackRow, ("segment_id", "kind"))
CHANGES = Table("changes", ChangeRow)
PROBES = Table("probes", ProbeRow)
TABLES: tuple[Table[Any], ...] = (SEGMENTS, FEEDBACK, CHANGES, PROBES)


def table_of(row: Row) -> Table[Any]:
    return next(table for table in TABLES if isinstance(row, table.kind))


def _column_type(hint: object) -> str:
    return "REAL" if hint == float | None else _SQL.get(hint, "TEXT")


def _out(value: object) -> object:
    if isinstance(value, tuple | Mapping):
        return json.dumps(value if isinstance(value, tuple) else dict(value), separators=(",", ":"))
    return value


def _in(value: Any, hint: object) -> object:  # noqa: ANN401 - whatever a column holds
    if hint is bool:
        return bool(value)
    origin = getattr(hint, "__origin__", None)
    if origin is tuple:
        return tuple(json.loads(value))
    return json.loads(value) if origin is not None and isinstance(value, str) and value.startswith("{") else value
