"""The command line: one clear line and an exit code for every mistake, no traceback."""

import json
from pathlib import Path

import pytest

from eval.__main__ import main


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    (tmp_path / "a.wav").touch()
    path = tmp_path / "m.jsonl"
    path.write_text(json.dumps({"audio": "a.wav", "text": "hello", "set": "read"}))
    return path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("run --json o.json", "'--manifest'"),
        ("run --manifest m.jsonl", "'--json'"),
        ("run --manifest none.jsonl --json o.json", "none.jsonl: No such file"),
        ("run --manifest m.jsonl --json no/where.json", "--json no/where.json: no such folder: no"),
        ("run --manifest m.jsonl --json .", "--json .: is a folder"),
        ("run --manifest m.jsonl --json /dev/null", "--json /dev/null: is not a file"),
        ("run --manifest m.jsonl --json o.json --via telepathy", "'telepathy' is not one of"),
        ("run --manifest m.jsonl --json o.json --server host:1", "--server goes with --via server, not with --via engine"),
        ("run --manifest m.jsonl --json o.json --realtime", "--realtime goes with --via server"),
        ("run --manifest m.jsonl --json o.json --budget-ms 900", "--budget-ms goes with --via server"),
        ("run --manifest m.jsonl --json o.json --via server --definition none", "--definition goes with --via engine"),
        ("run --manifest m.jsonl --json o.json --via server --beam-size 1", "--beam-size goes with --via engine"),
        ("run --manifest m.jsonl --json o.json --definition v9", "no data definition 'v9'"),
        ("run --manifest m.jsonl --json o.json --jobs -1", "'--jobs'"),
        ("run --manifest m.jsonl --json o.json --sets other", "no such set: other; there are read"),
        ("run --manifest m.jsonl --json o.json --exclude-sets read", "no clips are left"),
        ("run --manifest m.jsonl --json o.json --limit 0", "'--limit'"),
        ("run --manifest m.jsonl --json o.json --via engine --model no-such-model!", "no-such-model!"),
        ("noise --manifest m.jsonl --json o.json", "not noise: a.wav"),
        ("noise --manifest m.jsonl --json o.json --exclude fan", "no such id: fan"),
        ("runn", "No such command 'runn'"),
        ("run --fast", "No such option"),
    ],
)
def test_a_wrong_call_is_one_line_and_exit_code_2(
    arguments: str, message: str, manifest: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(manifest.parent)
    assert main(arguments.split()) == 2
    said = capsys.readouterr()
    assert (said.err.count("\n"), said.out) == (1, "")
    assert message in said.err
    assert not (manifest.parent / "o.json").exists()


def test_a_server_that_is_not_there_is_a_wrong_call(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [
        "run",
        "--manifest",
        str(manifest),
        "--json",
        str(manifest.parent / "o.json"),
        "--via",
        "server",
        "--server",
        "127.0.0.1:1",
    ]
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert "127.0.0.1:1" in said
    assert said.count("\n") == 1


def test_help_is_no_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "noise" in capsys.readouterr().out
