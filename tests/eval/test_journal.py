"""What an interrupted run leaves behind, and who may take it up."""

import json
from pathlib import Path

import pytest

from asr_server.accuracy.manifest import Clip
from audio_norm import Inspection, inspect_audio, load_definition
from eval.audio import read_frames
from eval.journal import Entry, Journal, journal_path
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


def test_wherever_it_is_cut_the_whole_lines_are_taken_up(tmp_path: Path) -> None:
    """The text has characters of several bytes, and one that some take for the end of a line."""
    path = journal_path(tmp_path / "o.json")
    entry = Entry(Heard((HeardSegment("h\u00e9 \u4f60\u2028", 0.0, 1.0, 0.5),), 1.5, None), inspection())
    with Journal(tmp_path / "o.json", OF_RUN) as journal:
        journal.begin({"a": entry, "b": entry})
    whole = path.read_bytes()
    of_run, first, second = (len(line) for line in whole.splitlines())
    for kept in range(len(whole) + 1):
        path.write_bytes(whole[:kept])
        with Journal(tmp_path / "o.json", OF_RUN) as again:
            found = again.take_up()
        ends = {"a": of_run + 1 + first, "b": of_run + 1 + first + 1 + second}
        assert found == (None if kept < of_run else {name: entry for name, end in ends.items() if kept >= end})


@pytest.mark.parametrize("damage", [b"{}", b"[1]", b'{"id": "a"}', b"\xff\xfe", b'{"id": "a", "heard": 1, "audio": {}}'])
def test_a_line_that_is_of_no_clip_of_this_version_counts_as_not_heard(damage: bytes, tmp_path: Path) -> None:
    path = journal_path(tmp_path / "o.json")
    with Journal(tmp_path / "o.json", OF_RUN) as journal:
        journal.begin({"a": ENTRY, "b": ENTRY})
    of_run, _, second = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([of_run, damage, second]))
    with Journal(tmp_path / "o.json", OF_RUN) as again:
        assert again.take_up() == {"b": ENTRY}


def test_a_line_with_other_measures_of_the_audio_counts_as_not_heard(tmp_path: Path) -> None:
    path = journal_path(tmp_path / "o.json")
    with Journal(tmp_path / "o.json", OF_RUN) as journal:
        journal.begin({"a": ENTRY})
    path.write_text(path.read_text().replace('"snr_db"', '"snr"'))
    with Journal(tmp_path / "o.json", OF_RUN) as again:
        assert again.take_up() == {}


def test_the_old_journal_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = journal_path(tmp_path / "o.json")
    with Journal(tmp_path / "o.json", OF_RUN) as journal:
        journal.begin({"a": ENTRY})
    whole = path.read_bytes()
    unwritable = Entry(Heard((HeardSegment("\ud800", 0.0, 1.0, 0.5),), 1.5, None), inspection())  # no UTF-8: writing stops there
    with Journal(tmp_path / "o.json", OF_RUN) as again, pytest.raises(UnicodeEncodeError):
        again.begin({"a": ENTRY, "b": unwritable})
    assert path.read_bytes() == whole
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


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
