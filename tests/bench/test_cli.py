"""The command line: one clear line and an exit code for every mistake, no traceback."""

import json
from pathlib import Path

import pytest

from bench.__main__ import main


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    (tmp_path / "a.wav").touch()
    path = tmp_path / "m.jsonl"
    path.write_text(json.dumps({"audio": "a.wav", "text": "hello", "duration_s": 2.0}))
    return path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("latency --json o.json", "'--manifest'"),
        ("latency --manifest m.jsonl", "'--json'"),
        ("latency --manifest none.jsonl --json o.json", "none.jsonl: No such file"),
        ("latency --manifest m.jsonl --json no/where.json", "--json no/where.json: no such folder: no"),
        ("latency --manifest m.jsonl --json o.json --streams 0", "'--streams'"),
        ("latency --manifest m.jsonl --json o.json --streams 2", "--streams 2 wants as many clips at least; 1 are left"),
        ("latency --manifest m.jsonl --json o.json --max-duration-s 1", "--streams 1 wants as many clips at least; 0 are left"),
        ("latency --manifest m.jsonl --json o.json", "a.wav"),
        ("latency --manifest m.jsonl --json o.json --warm-up -1", "'--warm-up'"),
        ("latency --manifest m.jsonl --json o.json --server-pid 1", "--server-pid goes with --server"),
        ("latency --manifest m.jsonl --json o.json --end hang_up", "'--end'"),
        ("latency --manifest m.jsonl --json o.json --config s.yaml", "--config s.yaml: no such file"),
        *(
            (f"{command} --manifest m.jsonl --json o.json --config m.jsonl --server a:1", "--config goes without --server")
            for command in ("latency", "capacity", "soak --minutes 1", "idle", "overload --streams 1")
        ),
        ("idle --manifest m.jsonl --json o.json --quiet loud", "'--quiet'"),
        ("idle --manifest m.jsonl --json o.json --server a:1 --active 2", "--active goes without --server"),
        ("idle --manifest m.jsonl --json o.json --require wer<1", "the result has no wer; the result has streams"),
        ("idle --manifest m.jsonl --json m.jsonl", "--json m.jsonl: is another file of this command"),
        ("overload --manifest m.jsonl --json o.json", "'--streams'"),
        ("overload --manifest m.jsonl --json o.json --streams 1 --factor 0.5", "'--factor'"),
        ("overload --manifest m.jsonl --json o.json --streams 1 --require wer<1", "the result has no wer; the result has streams"),
        ("latency --manifest m.jsonl --json o.json --require fast", "--require 'fast': wanted PATH OPERATOR NUMBER"),
        ("latency --manifest m.jsonl --json o.json --require ttfs<1", "--require 'ttfs<1': the result has no ttfs; the result has streams"),
        ("capacity --manifest m.jsonl --json o.json --require wer<1", "the result has no wer; the result has max_streams"),
        ("soak --minutes 1 --manifest m.jsonl --json o.json --require wer<1", "the result has no wer; the result has passed"),
        ("latency --manifest m.jsonl --json m.jsonl", "--json m.jsonl: is another file of this command"),
        ("capacity --manifest m.jsonl --json m.jsonl", "--json m.jsonl: is another file of this command"),
        ("soak --minutes 1 --manifest m.jsonl --json o.json --html o.json", "--html o.json: is another file of this command"),
        ("compare a.json b.json --json a.json", "--json a.json: is another file of this command"),
        ("report a.json --html o.html --png o.html", "--png o.html: is another file of this command"),
        ("warp", "No such command 'warp'"),
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
