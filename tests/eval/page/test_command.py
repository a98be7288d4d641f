"""`python -m eval report`."""

import hashlib
import json
from pathlib import Path

import pytest

from eval.__main__ import main
from tests.eval.page.page_runs import RECORDING, Element, outcome, parse, write


@pytest.fixture
def result(tmp_path: Path) -> Path:
    """A result whose manifest lies beside it: one clip's recording is there, the other's is not."""
    rows = [{"id": "here", "audio": str(RECORDING), "text": "hello sea"}, {"id": "lost", "audio": "lost.wav", "text": "hello land"}]
    manifest = tmp_path / "m.jsonl"
    manifest.write_text("\n".join(json.dumps(row) for row in rows))
    sha256 = hashlib.sha256(manifest.read_bytes()).hexdigest()
    write(
        tmp_path / "r.json",
        outcome("here", "hello sea", "hello"),
        outcome("lost", "hello land", "hello"),
        manifest=manifest,
        sha256=sha256,
    )
    return tmp_path / "r.json"


def page_at(path: Path) -> Element:
    return parse(path.read_text(encoding="utf-8"))


def test_the_page_stands_beside_the_result_with_the_recordings_there_are(result: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(result)]) == 0
    document = page_at(result.with_suffix(".html"))
    assert len(list(document.all("audio"))) == 1
    assert "No audio: no such file: lost.wav." in document.text
    assert not list(document.with_id("clips").all("p", "note"))
    said = capsys.readouterr()
    assert said.out.startswith(f"{result.with_suffix('.html')}: ")
    assert "2 clips one by one" in " ".join(said.out.split())
    assert said.err == ""


def test_without_audio_there_is_none_and_nothing_is_said_of_it(result: Path) -> None:
    assert main(["report", str(result), "--no-audio", "--html", str(result.parent / "small.html")]) == 0
    document = page_at(result.parent / "small.html")
    assert not list(document.all("audio"))
    assert "No audio" not in document.text


def test_a_manifest_that_is_gone_is_a_note_and_another_may_be_named(result: Path) -> None:
    there = result.parent / "m.jsonl"
    moved = there.rename(result.parent / "moved.jsonl")
    assert main(["report", str(result)]) == 0
    told = page_at(result.with_suffix(".html")).text
    assert "The recordings are not here: m.jsonl cannot be read." in told
    assert str(result.parent) not in told
    assert main(["report", str(result), "--manifest", str(moved)]) == 0
    assert len(list(page_at(result.with_suffix(".html")).all("audio"))) == 1


def test_a_manifest_that_changed_is_a_note_and_a_changed_text_costs_the_recording(result: Path) -> None:
    manifest = result.parent / "m.jsonl"
    manifest.write_text(json.dumps({"id": "here", "audio": str(RECORDING), "text": "other words"}))
    assert main(["report", str(result)]) == 0
    text = page_at(result.with_suffix(".html")).text
    assert "m.jsonl is not as it was when this was heard" in text
    assert "the manifest has another text for this clip than the run had" in text
    assert "the manifest has no such clip any more" in text


def test_held_against_an_earlier_run_it_tells_the_change_and_still_ends_well(result: Path) -> None:
    """A report is no gate: `compare` is."""
    before = result.parent / "before.json"
    write(before, outcome("here", "hello sea", "hello sea"), outcome("lost", "hello land", "hello land"))
    assert main(["report", str(result), "--against", str(before), "--worst", "1"]) == 0
    document = page_at(result.with_suffix(".html"))
    assert "gates failed" in document.with_id("before").text or "gate failed" in document.with_id("before").text
    assert "1 of 2 clips with errors" in document.with_id("clips").text


def test_the_manifest_is_found_from_the_folder_of_the_result_and_only_its_name_is_shown(result: Path, tmp_path: Path) -> None:
    fields = json.loads(result.read_text())
    fields["data"]["manifest"] = "../m.jsonl"
    apart = tmp_path / "results" / "r.json"
    apart.parent.mkdir()
    apart.write_text(json.dumps(fields))
    assert main(["report", str(apart)]) == 0
    document = page_at(apart.with_suffix(".html"))
    assert len(list(document.all("audio"))) == 1
    assert "manifest m.jsonl" in document.text
    assert "../m.jsonl" not in document.text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("report", "Missing argument 'RESULT'"),
        ("report none.json", "cannot read none.json: No such file"),
        ("report m.jsonl", "m.jsonl is not JSON"),
        ("report r.json --html no/where.html", "--html no/where.html: no such folder: no"),
        ("report r.json --html .", "--html .: is a folder"),
        ("report r.json --html r.json", "--html r.json: is another file of this command"),
        ("report r.json --against r2.json --html r2.json", "--html r2.json: is another file of this command"),
        ("report r.json --against none.json", "cannot read none.json"),
        ("report r.json --manifest none.jsonl", "none.jsonl: No such file"),
        ("report r.json --manifest m.jsonl --no-audio", "--manifest is for the recordings, which --no-audio leaves out"),
        ("report r.json --worst -1", "'--worst'"),
    ],
)
def test_a_wrong_call_is_one_line_and_exit_code_2(
    arguments: str, message: str, result: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(result.parent)
    (result.parent / "r2.json").write_bytes(result.read_bytes())
    assert main(arguments.split()) == 2
    said = capsys.readouterr()
    assert (said.err.count("\n"), said.out) == (1, "")
    assert message in said.err
    assert not list(result.parent.glob("*.html"))
    assert read(result) == read(result.parent / "r2.json")


def read(path: Path) -> bytes:
    return path.read_bytes()


def test_the_help_says_what_it_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--help"]) == 0
    assert "one HTML page" in capsys.readouterr().out


@pytest.mark.shared_data
def test_real_clips_give_a_page_to_listen_to(shared_data: Path, tmp_path: Path) -> None:
    manifest = shared_data / "dev" / "ljspeech" / "manifest.jsonl"
    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]
    write(tmp_path / "r.json", *(outcome(row["id"], row["text"], "") for row in rows), manifest=manifest)
    assert main(["report", str(tmp_path / "r.json")]) == 0
    assert len(list(page_at(tmp_path / "r.html").all("audio"))) == len(rows)
