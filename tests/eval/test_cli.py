"""The command line: one clear line and an exit code for every mistake, no traceback."""

import json
from pathlib import Path

import pytest
import typer

from eval.__main__ import main
from eval.console import INTERRUPTED, run_app


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
        ("run --manifest m.jsonl --json o.json --preset fast", "--preset goes with --via server"),
        ("run --manifest m.jsonl --json o.json --via server --definition none", "--definition goes with --via engine"),
        ("run --manifest m.jsonl --json o.json --via server --beam-size 1", "--beam-size goes with --via engine"),
        ("run --manifest m.jsonl --json o.json --via server --definition v1", "--definition goes with --via engine"),
        ("run --manifest m.jsonl --json o.json --budget-ms 0", "--budget-ms goes with --via server"),
        ("run --manifest m.jsonl --json o.json --via server --beam-size 5", "--beam-size goes with --via engine"),
        ("run --manifest m.jsonl --json o.json --threads 7", "--threads goes with --via faster-whisper, not with --via engine"),
        ("run --manifest m.jsonl --json o.json --via server --server host:1 --model x", "--model goes without --server"),
        ("run --manifest m.jsonl --json m.jsonl", "--json m.jsonl: is another file of this command"),
        ("noise --manifest m.jsonl --json ./m.jsonl", "--json m.jsonl: is another file of this command"),
        ("robustness --manifest m.jsonl --json m.jsonl", "--json m.jsonl: is another file of this command"),
        ("robustness --manifest m.jsonl --noise n.jsonl --json n.jsonl", "--json n.jsonl: is another file of this command"),
        ("labels m.jsonl --json m.jsonl", "--json m.jsonl: is another file of this command"),
        ("labels m.jsonl --hypotheses r.json --json r.json", "--json r.json: is another file of this command"),
        ("compare r.json s.json --json r.json", "--json r.json: is another file of this command"),
        ("compare r.json s.json --json s.json", "--json s.json: is another file of this command"),
        ("slices r.json --json r.json", "--json r.json: is another file of this command"),
        ("tail r.json s.json --json s.json", "--json s.json: is another file of this command"),
        ("tail r.json s.json --json no/where.json", "--json no/where.json: no such folder: no"),
        ("run --manifest m.jsonl --json o.json --require wr<1", "--require 'wr<1': the result has no wr; the result has wer, ci95, words"),
        ("noise --manifest m.jsonl --json o.json --require wer<1", "the result has no wer; the result has words_per_minute"),
        ("robustness --manifest m.jsonl --json o.json --require wer<1", "the result has no wer; the result has conditions"),
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


def test_what_robustness_does_not_have_its_help_does_not_offer(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["robustness", "--help"]) == 0
    said = capsys.readouterr().out
    assert "[engine|server]" in said
    assert "faster-whisper" not in said
    assert "--realtime" not in said
    assert "none" not in said


@pytest.mark.parametrize(
    ("command", "example"), [("run", "wer<0.1"), ("noise", "words_per_minute<1"), ("robustness", "conditions[0].with.wer<0.1")]
)
def test_each_command_has_its_own_example_of_a_requirement(command: str, example: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    assert f"'{example}'" in "".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("arguments", [["--help"], []])
def test_asking_for_help_and_asking_for_nothing_show_the_help(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "noise" in said
    assert said.count("\n") > 10


def test_ctrl_c_in_a_command_that_keeps_nothing_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    app = typer.Typer()

    @app.command()
    def measure() -> None:
        raise KeyboardInterrupt

    @app.command()
    def other() -> None: ...

    assert run_app(app, ["measure"], "python -m x") == INTERRUPTED
    assert capsys.readouterr().err == "python -m x: interrupted, nothing was written\n"
