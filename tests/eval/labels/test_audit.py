"""The whole audit, and its command."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile

from asr_server.accuracy.manifest import Clip
from asr_server.accuracy.normalize import TEXT_RULES
from audio_norm import load_definition
from eval.__main__ import main
from eval.labels.audit import Audit, audit
from eval.labels.findings import has_errors
from tests.recordings import recording

FOX, HELLO, COUNTING = recording("quick_brown_fox"), recording("hello_world"), recording("counting")
TEXT = "The quick brown fox jumps over the lazy dog."


def audited(*clips: Clip) -> Audit:
    return audit(clips, load_definition("v1"), rates_hz={})


def findings(found: Audit) -> dict[str, list[tuple[str, ...]]]:
    """Clips by check."""
    return {check.name: [finding.clips for finding in check.findings] for check in found.checks if check.findings}


def test_the_same_audio_with_another_text_is_an_error(tmp_path: Path) -> None:
    samples, rate_hz = soundfile.read(FOX)
    soundfile.write(tmp_path / "again.flac", samples, rate_hz)
    soundfile.write(tmp_path / "quiet.wav", samples / 4, rate_hz)
    found = audited(Clip("a", FOX, TEXT), Clip("b", tmp_path / "again.flac", "Hello."), Clip("c", tmp_path / "quiet.wav", TEXT))
    assert findings(found)["same audio, different text"] == [("a", "b")]
    assert findings(found)["same audio twice"] == [("a", "c")]
    assert has_errors(found.checks)


def test_the_same_audio_with_the_same_words_is_only_twice() -> None:
    found = audited(Clip("a", FOX, TEXT), Clip("b", FOX, TEXT.upper()))
    assert findings(found)["same audio twice"] == [("a", "b")]
    assert findings(found)["same text, other case or marks"] == [("a", "b")]
    assert not has_errors(found.checks)


def test_a_file_that_is_not_audio_is_found_and_not_the_end(tmp_path: Path) -> None:
    (tmp_path / "no.wav").write_bytes(b"no audio")
    found = audited(Clip("bad", tmp_path / "no.wav", "hello"), Clip("good", FOX, TEXT))
    assert findings(found)["audio cannot be read"] == [("bad",)]
    assert next(check for check in found.checks if check.name == "clipped").of == 1


@pytest.mark.parametrize(
    ("text", "check", "detail"),
    [
        ("[laughs] yes", "annotations in the text", "annotations in square brackets"),
        ("cafe\u0301 noir", "text not in Unicode NFC", "letters and marks apart: 1 marks"),
        (" hello", "odd whitespace", "space at an end"),
        ("hello  there", "odd whitespace", "several spaces in a row"),
        ("hello\u00a0there", "odd whitespace", "invisible characters: U+00A0"),
        ("hello\u200bthere\tyou", "odd whitespace", "invisible characters: U+0009, U+200B"),
    ],
)
def test_what_does_not_belong_into_a_text_is_found(text: str, check: str, detail: str) -> None:
    found = audited(Clip("a", HELLO, text))
    (one,) = [one for one in found.checks if one.name == check]
    assert (one.severity, one.clips) == ("warning", ("a",))
    assert detail in one.findings[0].detail


def test_it_is_told_after_each_clip_that_it_was_listened_to() -> None:
    told: list[str] = []
    audit([Clip("a", FOX, TEXT), Clip("b", HELLO, "")], load_definition("v1"), rates_hz={}, listened_to=lambda: told.append("one"))
    assert told == ["one", "one"]


Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def manifest(*rows: dict[str, object]) -> Path:
        path = tmp_path / "m.jsonl"
        path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
        return path

    return manifest


def row(name: str, audio: Path, text: str, **others: object) -> dict[str, object]:
    return {"id": name, "audio": str(audio), "text": text, **others}


def test_the_command_shows_tables_and_writes_everything(write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = write(
        row("a", FOX, TEXT, set="x"), row("b", COUNTING, "ONE TWO THREE FOUR FIVE", set="y"), row("c", HELLO, "colour", set="x")
    )
    assert main(["labels", str(manifest), "--json", str(tmp_path / "o.json")]) == 0
    said = capsys.readouterr().out
    assert "casing" in said
    assert "proposed style guide" in said
    result = json.loads((tmp_path / "o.json").read_text())
    assert (result["clips"], result["sets"], result["bounds"], result["suspects"]) == (3, ["x", "y"], None, [])
    casing = next(one for one in result["conventions"] if one["convention"] == "casing")
    assert casing["variants"] == {"Mixed Case": 1, "lower case": 1, "UPPER CASE": 1}
    assert casing["minority"] == {"lower case": ["c"], "UPPER CASE": ["b"]}
    assert (casing["sets_differ"], casing["mixed_sets"], casing["scored_alike"]) == (True, ["x"], True)
    assert {one["convention"] for one in result["conventions"]} == {"casing", "end punctuation", "numbers"}
    assert {line["convention"] for line in result["style_guide"]} == {"casing", "end punctuation"}
    assert result["data_definition"].startswith("v1 ")
    assert all(set(check) == {"check", "severity", "clips", "of", "share", "findings"} for check in result["checks"])


def test_findings_are_findings_unless_the_call_is_strict(write: Write) -> None:
    wrong = write(row("a", FOX, TEXT, duration_s=99))
    assert main(["labels", str(wrong)]) == 0
    assert main(["labels", str(wrong), "--strict"]) == 1
    assert main(["labels", str(write(row("a", FOX, TEXT, sample_rate=12_345))), "--strict"]) == 1
    assert main(["labels", str(write(row("a", FOX, TEXT))), "--strict"]) == 0


def test_of_too_few_clips_no_style_guide_is_proposed(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["labels", str(write(row("a", FOX, TEXT)))]) == 0
    assert capsys.readouterr().out.endswith("proposed style guide, of what 3 clips or more have a say in\n  none\n")


def heard(name: str, words: str) -> dict[str, object]:
    """One clip of a run's JSON, of which a recogniser was sure."""
    segment = {"text": words, "start_s": 0, "end_s": 1, "confidence": 0.9}
    said: dict[str, object] = {
        "id": name,
        "set": "all",
        "language": "en",
        "speaker": None,
        "conditions": [],
        "ref": "",
        "ref_words": "",
        "words": 0,
    }
    return {
        **said,
        "hyp_words": words,
        "S": 0,
        "D": 0,
        "I": 0,
        "segments": [segment],
        "given_s": 1,
        "given_lufs": -23,
        "audio": None,
        "error": "",
    }


def test_texts_that_a_sure_run_contradicts_are_shown(write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = [row(str(number), HELLO, "hello world") for number in range(7)]
    manifest = write(row("bad", FOX, "the quick [brown] fox jumps over the lazy dog"), *good)
    run = {
        "hypotheses": [heard("bad", "the thick cow jumps over the lazy dog"), *(heard(str(number), "hello world") for number in range(7))],
        "system": {"code": "1", "data_definition": "v1", "release": {"model": "fake", "weights_sha256": "0", "options": {}}},
        "text_rules": TEXT_RULES,
        "data": {"manifest": str(manifest)},
    }
    (tmp_path / "r.json").write_text(json.dumps(run))
    assert main(["labels", str(manifest), "--hypotheses", str(tmp_path / "r.json"), "--json", str(tmp_path / "o.json")]) == 0
    said = capsys.readouterr().out
    assert "texts that a sure recogniser contradicts: 1; confidence from 0.90 and more than 10.00 % of the words wrong" in " ".join(
        said.split()
    )
    assert "bad: other words, confidence 0.90, 25.00 % wrong: quick > thick, fox > cow" in said
    assert "  text   the quick [brown] fox" in said
    result = json.loads((tmp_path / "o.json").read_text())
    assert result["bounds"] == {"confidence": 0.9, "confidence_of_ends": 0.9, "error_rate": 0.1}
    (suspect,) = result["suspects"]
    assert suspect["differ"][1] == {"kind": "substitute", "text": "fox", "heard": "cow"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("labels", "'manifest'"),
        ("labels none.jsonl", "none.jsonl: No such file"),
        ("labels m.jsonl --json no/where.json", "--json no/where.json: no such folder: no"),
        ("labels m.jsonl --hypotheses none.json", "cannot read none.json"),
        ("labels m.jsonl --hypotheses m.jsonl", "m.jsonl is not a result of"),
        ("labels m.jsonl --definition v0", "v0"),
    ],
)
def test_a_wrong_call_is_one_line_and_exit_code_2(
    arguments: str, message: str, write: Write, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(write(row("a", FOX, TEXT)).parent)
    assert main(arguments.split()) == 2
    said = capsys.readouterr()
    assert (said.err.count("\n"), said.out) == (1, "")
    assert message in said.err


@pytest.mark.shared_data
def test_the_larger_collection_has_no_errors_but_one_recording_in_two_bands(shared_data: Path, tmp_path: Path) -> None:
    assert main(["labels", str(shared_data / "dev/all.jsonl"), "--strict", "--json", str(tmp_path / "o.json")]) == 0
    result = json.loads((tmp_path / "o.json").read_text())
    twice = next(check for check in result["checks"] if check["check"] == "same audio twice")
    assert [finding["clips"] for finding in twice["findings"]] == [["10001-90210-01803_16k", "10001-90210-01803_8k-band"]]
