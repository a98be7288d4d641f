"""`asr-server report` on journals that were written."""

import json
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from asr_server.cli import app
from asr_server.errors import WrongCall
from asr_server.watch.journal.journal import Journal
from tests.watch.journal.made import corrected, segment

run = CliRunner().invoke


def journal(path: Path, first: int) -> Path:
    now_s = time.time()
    with Journal(path) as one:
        for number in range(first, first + 10):
            one.put(segment(number, now_s - 60))
        one.put(segment(first + 10, now_s - 3 * 3_600))
        one.put(corrected(first, errors=1, at_s=now_s))
    return path


def test_replicas_are_told_together_as_page_and_as_json(tmp_path: Path) -> None:
    one, other, html = journal(tmp_path / "one.db", 0), journal(tmp_path / "other.db", 100), tmp_path / "r.html"
    made = run(app, ["report", "--journal", str(one), "--journal", str(other), "--since", "2h", "--html", str(html), "--json"])
    assert made.exit_code == 0, made.output
    told = json.loads(made.stdout)
    assert (told["segments"], told["rates"][0]["corrected"]) == (20, 2)
    assert told["rates"][0]["wer"] == pytest.approx(2 / 12)
    assert "20 segments" in made.stderr
    assert html.read_text().startswith("<!doctype html>")
    longer = run(app, ["report", "--journal", str(one), "--since", "1d", "--json"])
    assert json.loads(longer.stdout)["segments"] == 11


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--since", "yesterday", "--json"], "--since 'yesterday' is not accepted: a number of minutes, hours or days"),
        (["--since", "0h", "--json"], "--since '0h' is not accepted"),
        ([], "nothing to make: give --html FILE, or --json"),
        (["--json", "--trace-url", "http://x"], "--trace-url has no {trace_id} in it"),
        (["--html", "/nowhere/r.html"], "cannot write /nowhere/r.html"),
    ],
)
def test_a_wrong_call_is_one_clear_line(tmp_path: Path, arguments: list[str], message: str) -> None:
    failed = run(app, ["report", "--journal", str(journal(tmp_path / "one.db", 0)), *arguments])
    assert isinstance(failed.exception, WrongCall)
    assert message in str(failed.exception)


def test_a_journal_that_is_not_there_is_named(tmp_path: Path) -> None:
    failed = run(app, ["report", "--journal", str(tmp_path / "none.db"), "--json"])
    assert str(failed.exception) == f"there is no journal {tmp_path / 'none.db'}"
