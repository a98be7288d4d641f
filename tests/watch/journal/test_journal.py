"""Rows that are written and read back, while a server writes, and where the file cannot be."""

import asyncio
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_server.errors import BadSettings, NotKept, WrongCall
from asr_server.watch.journal.journal import DAY_S, Journal
from asr_server.watch.journal.reading import find_segment, read_journal
from asr_server.watch.journal.rows import ProbeRow, Row, SegmentRow
from asr_server.watch.journal.tables import SEGMENTS
from tests.watch.journal.made import corrected, quieter, segment

PROBE = ProbeRow(1_002.0, "hello", "base", 2, 1, 0, 0, None, late=True)


def test_rows_are_read_back_as_they_were(tmp_path: Path) -> None:
    rows = [
        segment(1, expected_error_rate=0.07),
        segment(2, 1_003.0, degraded=("beam", "model"), drifting=("snr_db",), guard="cut", outcome="late"),
    ]
    with Journal(tmp_path / "j.db", keep_days=1e6) as journal:
        others: tuple[Row, ...] = (corrected(1, errors=2), quieter(), PROBE)
        for row in (*rows, *others):
            journal.put(row)
    read = read_journal(tmp_path / "j.db")
    assert (read.segments, read.feedback, read.changes, read.probes) == (tuple(rows), (corrected(1, errors=2),), (quieter(),), (PROBE,))
    assert read_journal(tmp_path / "j.db", 1_002.5).segments == (rows[1],)
    assert read_journal(tmp_path / "j.db", 0.0, 1_003.0).segments == (rows[0],)
    assert find_segment(tmp_path / "j.db", rows[1].id) == rows[1]
    assert find_segment(tmp_path / "j.db", "none") is None


@given(
    st.builds(
        SegmentRow,
        id=st.text(max_size=20),
        at_s=st.floats(0, 2e9),
        trace_id=st.text(max_size=5),
        outcome=st.sampled_from(["in_time", "late", "empty", "failed"]),
        client=st.text(),
        degraded=st.lists(st.text(), max_size=3).map(tuple),
        spent_ms=st.dictionaries(st.text(), st.floats(allow_nan=False, allow_infinity=False), max_size=3),
    )
)
def test_whatever_a_row_holds_comes_back(row: SegmentRow) -> None:
    connection = sqlite3.connect(":memory:")
    try:
        for statement in SEGMENTS.create():
            connection.execute(statement)
        SEGMENTS.put(connection, [row])
        assert list(SEGMENTS.read(connection, 0.0, float("inf"))) == [row]
    finally:
        connection.close()


async def test_what_was_kept_is_on_the_disk_when_that_is_said(tmp_path: Path) -> None:
    """Also of a process that is killed the moment after."""
    script = f"""
        import asyncio, os, signal
        from pathlib import Path
        from asr_server.watch.journal.journal import Journal
        from tests.watch.journal.made import corrected
        journal = Journal(Path({str(tmp_path / "j.db")!r}), keep_days=1e6)
        asyncio.run(journal.keep(corrected(1, errors=2)))
        os.kill(os.getpid(), signal.SIGKILL)
    """
    ended = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", textwrap.dedent(script)], check=False)
    assert ended.returncode == -9
    assert read_journal(tmp_path / "j.db").feedback == (corrected(1, errors=2),)
    with Journal(tmp_path / "j.db", keep_days=1e6) as journal:
        await journal.keep(corrected(1, errors=3))
    assert read_journal(tmp_path / "j.db").feedback == (corrected(1, errors=3),), "the last word counts"


def test_a_journal_of_an_earlier_server_is_read_and_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with Journal(path, keep_days=1e6) as journal:
        journal.put(segment(1, expected_error_rate=0.07))
    with sqlite3.connect(path) as connection:
        connection.execute("ALTER TABLE segments DROP COLUMN expected_error_rate")
        connection.execute("ALTER TABLE segments DROP COLUMN drifting")
    connection.close()
    assert read_journal(path).segments == (segment(1),), "what was not kept has its default"
    with Journal(path, keep_days=1e6) as journal:
        journal.put(segment(2, 1_003.0, expected_error_rate=0.05, drifting=("snr_db",)))
    assert read_journal(path).segments == (segment(1), segment(2, 1_003.0, expected_error_rate=0.05, drifting=("snr_db",)))


def test_old_rows_are_let_go_of(tmp_path: Path) -> None:
    now_s = 100 * DAY_S
    with Journal(tmp_path / "j.db", keep_days=1e6) as journal:
        journal.put(segment(1, now_s - 31 * DAY_S))
        journal.put(segment(2, now_s - 29 * DAY_S))
    with Journal(tmp_path / "j.db", keep_days=30, now=lambda: now_s):
        pass
    assert [row.id[-1] for row in read_journal(tmp_path / "j.db").segments] == ["2"]


async def test_a_journal_that_cannot_be_written_says_so_and_goes_on_when_it_can(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    journal = Journal(tmp_path / "j.db", keep_days=1e6)
    other = sqlite3.connect(tmp_path / "j.db")
    try:
        other.execute("ALTER TABLE feedback RENAME TO hidden")
        with pytest.raises(NotKept, match="the journal cannot be written: no such table: feedback"):
            await journal.keep(corrected(1, errors=1))
        assert journal.dropped == 1
        other.execute("ALTER TABLE hidden RENAME TO feedback")
        await journal.keep(corrected(2, errors=1))
    finally:
        other.close()
        journal.close()
    assert [row.segment_id[-1] for row in read_journal(tmp_path / "j.db").feedback] == ["2"]
    assert "rows are lost until it can" in caplog.text
    assert "can be written again; 1 rows are lost" in caplog.text


def test_a_file_that_is_no_journal_is_left_alone(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.db"
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE mine (a)")
    connection.close()
    (tmp_path / "text").write_text("not a database, but long enough to look like one that is broken" * 20)
    for path, message in (
        (foreign, "is no journal that this server reads"),
        (tmp_path / "text", "cannot be used: file is not a database"),
        (tmp_path / "none" / "j.db", "there is no folder"),
        (tmp_path, "cannot open|cannot be used"),
    ):
        with pytest.raises(BadSettings, match=message):
            Journal(path)
    for path, message in (
        (foreign, "is no journal of a server"),
        (tmp_path / "text", "cannot be read"),
        (tmp_path / "none", "there is no journal"),
    ):
        with pytest.raises(WrongCall, match=message):
            read_journal(path)
