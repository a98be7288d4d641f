"""What an interrupted run leaves behind, and who may take it up."""

import json
from pathlib import Path

from audio_norm import Inspection, inspect_audio, load_definition
from eval.audio import read_frames
from eval.journal import Entry, Journal, journal_path
from eval.manifest import Clip
from eval.recognisers import Heard, HeardSegment
from tests.recordings import recording

OF_RUN: dict[str, object] = {"via": "engine", "system": {"code": "1"}}


def inspection() -> Inspection:
    return inspect_audio(*read_frames(Clip("hello", recording("hello_world"), "")), load_definition("v1"))


ENTRY = Entry(Heard((HeardSegment("hello", 0.1, 0.123456789, 0.98765432101),), 1.5, None), inspection())


def test_what_was_heard_comes_back_to_the_last_digit(tmp_path: Path) -> None:
    with Journal(tmp_path / "o.json", OF_RUN) as journal:
        journal.begin({})
        journal.add("a", ENTRY)
    with Journal(tmp_path / "o.json", OF_RUN) as again:
        assert again.take_up() == {"a": ENTRY}


def test_a_line_cut_short_counts_as_not_heard(tmp_path: Path) -> None:
    with Journal(tmp_path / "o.json", OF_RUN) as journal:
        journal.begin({"a": ENTRY, "b": ENTRY})
    whole = journal_path(tmp_path / "o.json").read_text()
    journal_path(tmp_path / "o.json").write_text(whole[:-20])
    with Journal(tmp_path / "o.json", OF_RUN) as again:
        assert again.take_up() == {"a": ENTRY}


def test_a_run_that_differs_does_not_take_it_up(tmp_path: Path) -> None:
    with Journal(tmp_path / "o.json", OF_RUN) as journal:
        journal.begin({"a": ENTRY})
    with Journal(tmp_path / "o.json", {**OF_RUN, "via": "server"}) as other:
        assert other.take_up() is None


def test_a_file_that_is_no_journal_is_not_taken_up(tmp_path: Path) -> None:
    journal_path(tmp_path / "o.json").write_text("what is this\n[1]\n")
    with Journal(tmp_path / "o.json", OF_RUN) as journal:
        assert journal.take_up() is None


def test_it_lies_beside_the_result_and_is_json_lines(tmp_path: Path) -> None:
    with Journal(tmp_path / "o.json", OF_RUN) as journal:
        journal.begin({"a": ENTRY})
    assert journal.path == tmp_path / "o.json.partial"
    assert [sorted(json.loads(line)) for line in journal.path.read_text().splitlines()] == [["system", "via"], ["audio", "heard", "id"]]
