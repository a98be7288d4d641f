"""The file that rows are kept in, and the thread that writes it.

Who reports a row does not wait: rows stand in a bounded line, and what finds no room in it is counted and lost. Who must know that a row
is kept (`keep`) is told when it is on the disk. One file a server; a reader may look at it while it is written (SQLite, write-ahead log).
"""

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from queue import Empty, Queue
from types import TracebackType
from typing import Self

from asr_server.errors import BadSettings, NotKept
from asr_server.watch.journal.rows import Row
from asr_server.watch.journal.tables import FORMAT, TABLES, table_of

logger = logging.getLogger(__name__)

MAX_WAITING = 10_000
WRITE_EVERY_S = 0.5
"""Rows that nobody waits for are written together so often."""
FORGET_EVERY_S = 3_600.0
LOCKED_S = 5.0
"""How long another process may keep the file to itself before a write has failed."""
DAY_S = 86_400.0


class Journal:
    """Open from the moment it is made until `close`. `put` and `keep` may be called from any thread, `keep` on an event loop."""

    def __init__(self, path: Path, *, keep_days: float = 30.0, now: Callable[[], float] = time.time) -> None:
        """Raises `BadSettings` where the file cannot be made, or is no journal."""
        self._path = path
        self._keep_s = keep_days * DAY_S
        self._now = now
        self._rows: Queue[tuple[Row, Future[None] | None] | None] = Queue(MAX_WAITING)
        self._dropped = 0
        self._failing = False
        self._connection = _open(path)
        self._thread = threading.Thread(target=self._write, name="journal", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Rows lost for want of room in the line, or because the file could not be written."""
        return self._dropped

    def put(self, row: Row) -> None:
        """Keep it, if that can be done without waiting."""
        try:
            self._rows.put_nowait((row, None))
        except Exception:  # noqa: BLE001 - the line is full
            self._dropped += 1

    async def keep(self, row: Row) -> None:
        """Returns when it is on the disk. Raises `NotKept`."""
        kept: Future[None] = Future()
        try:
            self._rows.put_nowait((row, kept))
        except Exception:  # noqa: BLE001 - the line is full
            raise NotKept("the journal has no room at present") from None
        await asyncio.wrap_future(kept)

    def close(self) -> None:
        """Write what is waiting, then stop. Later rows are lost."""
        self._rows.put(None)
        self._thread.join()
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # ---------------------------------------------------------------------------------------------------- on a thread of its own

    def _write(self) -> None:
        forget_at_s = 0.0
        is_open = True
        while is_open:
            batch: list[tuple[Row, Future[None] | None]] = []
            until_s = time.monotonic() + WRITE_EVERY_S
            while len(batch) < MAX_WAITING:
                try:
                    item = self._rows.get(timeout=max(until_s - time.monotonic(), 0.0))
                except Empty:
                    break
                if item is None:
                    is_open = False
                    break
                batch.append(item)
                if item[1] is not None and self._rows.empty():
                    break  # somebody waits
            self._store(batch)
            if time.monotonic() >= forget_at_s:
                forget_at_s = time.monotonic() + FORGET_EVERY_S
                self._forget()

    def _store(self, batch: list[tuple[Row, Future[None] | None]]) -> None:
        if not batch:
            return
        try:
            with self._connection:
                _put(self._connection, [row for row, _ in batch])
        except Exception as error:  # noqa: BLE001 - whatever it is, the thread must live and whoever waits be told
            self._dropped += len(batch)
            if not self._failing:
                logger.error("the journal %s cannot be written: %s; rows are lost until it can", self._path, error)  # noqa: TRY400 - one line
            self._failing = True
            failure: NotKept | None = NotKept(f"the journal cannot be written: {error}")
        else:
            if self._failing:
                logger.warning("the journal %s can be written again; %d rows are lost", self._path, self._dropped)
            self._failing = False
            failure = None
        for _, kept in batch:
            if kept is None or not kept.set_running_or_notify_cancel():
                continue
            if failure is None:
                kept.set_result(None)
            else:
                kept.set_exception(failure)

    def _forget(self) -> None:
        try:
            with self._connection:
                for table in TABLES:
                    table.forget(self._connection, self._now() - self._keep_s)
        except sqlite3.Error as error:
            logger.warning("old rows of the journal %s stay: %s", self._path, error)


def _put(connection: sqlite3.Connection, rows: Iterable[Row]) -> None:
    by_table: dict[str, list[Row]] = {}
    for row in rows:
        by_table.setdefault(table_of(row).name, []).append(row)
    for table in TABLES:
        if table.name in by_table:
            table.put(connection, by_table[table.name])


def _open(path: Path) -> sqlite3.Connection:
    if not path.parent.is_dir():
        raise BadSettings(f"telemetry.journal: there is no folder {path.parent}")
    try:
        connection = sqlite3.connect(path, timeout=LOCKED_S, check_same_thread=False)
    except sqlite3.Error as error:
        raise BadSettings(f"telemetry.journal: cannot open {path}: {error}") from None
    try:
        _set_up(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _set_up(connection: sqlite3.Connection, path: Path) -> None:
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        # With each transaction on the disk: a user who was told that an answer is kept must find it after a power cut, too.
        connection.execute("PRAGMA synchronous = FULL")
        with closing(connection.execute("PRAGMA user_version")) as told:
            (found,) = told.fetchone()
        with closing(connection.execute("SELECT name FROM sqlite_master")) as told:
            is_new = not told.fetchall()
        if not is_new and found != FORMAT:
            raise BadSettings(f"telemetry.journal: {path} is no journal that this server reads (its format is {found}, wanted {FORMAT})")
        with connection:
            for table in TABLES:
                for statement in table.create():
                    connection.execute(statement)
                for statement in table.grow(connection):
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {FORMAT}")
    except sqlite3.Error as error:
        raise BadSettings(f"telemetry.journal: {path} cannot be used: {error}") from None
