"""The whole bench on one short clip against a real server. What it measures is not checked, only that it is all there."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from asr_server.presets import PRESETS
from bench.__main__ import main
from tests.recordings import recording

HELLO = str(recording("hello_world"))


def bench(folder: Path, server: str, *arguments: str, warm_up: int = 0) -> tuple[int, dict[str, Any]]:
    """Exit code and result. Whether the run is valid depends on who else uses the machine: an exit code of 1 may be that alone."""
    manifest, out = folder / "m.jsonl", folder / "o.json"
    manifest.write_text(json.dumps({"audio": HELLO, "text": "Hello world."}))
    given = ["--manifest", str(manifest), "--server", server, "--model", "tiny.en", "--warm-up", str(warm_up), "--json", str(out)]
    code = main(["latency", *given, *arguments])
    return code, json.loads(out.read_text())


def test_a_clip_is_spoken_heard_and_accounted_for(tmp_path: Path, server_address: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The process looked at is this one: any will do."""
    code, result = bench(tmp_path, server_address, "--interim", "--server-pid", str(os.getpid()), warm_up=1)
    assert code == (0 if result["valid"] else 1)
    assert (result["clips"], result["segments"], result["lost"], result["failed"]) == (1, 1, 0, [])
    assert (result["wer"], result["lost_words"], result["lost_words_of"]) == (0.0, 0, 2)
    assert (result["warm_up"], result["revised_words"]["final_words"]) == ({"clips": 1}, 2)
    assert result["runs"][0]["speech_end_by"] == "energy"
    assert (result["setup"]["preset"], result["eager"]) == ("balanced", None)
    assert result["setup"]["stop_ms"]["shortest"] < result["setup"]["stop_ms"]["longest"] == result["setup"]["vad_stop_ms"]
    timed = ("ttfs_ms", "response_ms", "asr_ms", "first_partial_ms", "floor_ms", "baseline_ms", "pacing_lag_ms")
    assert all(result[name]["p50"] is not None for name in timed)
    assert result["server"]["resident_mb"]["max"] > 0
    said = capsys.readouterr().out
    assert "time to final text" in said
    assert "1 clips were spoken before to warm up and are in no figure" in said
    assert ("INVALID" in said) == (not result["valid"])


def test_a_preset_and_eager_results_are_asked_for_and_accounted_for(tmp_path: Path, server_address: str) -> None:
    _, result = bench(tmp_path, server_address, "--no-baseline", "--preset", "fast", "--eager")
    setup = result["setup"]
    fast = PRESETS["fast"].session
    assert (setup["preset"], setup["eager_results"]) == ("fast", True)
    assert setup["stop_ms"] == {"shortest": fast.sure_stop_ms, "longest": fast.vad_stop_ms}
    assert (result["failed"], result["lost"]) == ([], 0)
    assert result["eager"]["told"] >= result["eager"]["stood"]
    assert result["eager"]["ms"]["p50"] <= result["ttfs_ms"]["p50"]


@pytest.mark.parametrize("end", ["finalize", "half_close"])
def test_the_answer_to_a_caller_who_ends_is_timed(tmp_path: Path, server_address: str, end: str) -> None:
    _, result = bench(tmp_path, server_address, "--end", end)
    assert (result["setup"]["end"], result["lost"], result["failed"]) == (end, 0, [])
    assert result["answer_ms"]["p50"] == result["runs"][0]["answer_ms"] > 0
    assert result["answer_by_baseline"] == pytest.approx(result["answer_ms"]["p50"] / result["baseline_ms"]["p50"], abs=0.001)


def test_a_preset_that_the_server_does_not_have_is_a_wrong_call(
    tmp_path: Path, server_address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest, out = tmp_path / "m.jsonl", tmp_path / "o.json"
    manifest.write_text(json.dumps({"audio": HELLO, "text": "Hello world."}))
    given = ["--manifest", str(manifest), "--server", server_address, "--json", str(out), "--preset", "best"]
    assert main(["latency", *given]) == 2
    assert "--preset best: the server has balanced, fast, accurate" in capsys.readouterr().err
    assert not out.exists()


def test_a_requirement_that_is_not_met_is_named_and_fails_the_run(
    tmp_path: Path, server_address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, result = bench(tmp_path, server_address, "--no-baseline", "--require", "clips==2", "--require", "baseline_ms.p50<1e9")
    assert code == 1
    said = capsys.readouterr()
    assert said.err.splitlines() == [
        "required and not met: clips is 1, required: == 2",
        "required and not met: baseline_ms.p50 was not measured, required: < 1000000000",
    ]
    assert "no baseline was measured" in said.out
    assert (result["baseline_ms"]["p50"], result["server"], result["setup"]["own_server"]) == (None, None, False)


def test_a_server_that_is_not_there_is_a_wrong_call_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest, out = tmp_path / "m.jsonl", tmp_path / "o.json"
    manifest.write_text(json.dumps({"audio": HELLO, "text": "Hello world."}))
    assert main(["latency", "--manifest", str(manifest), "--server", "127.0.0.1:9", "--json", str(out)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not out.exists()


def test_the_page_of_a_run_is_made_beside_its_json(server_address: str, tmp_path: Path) -> None:
    """Of the result as it is in hand, which holds tuples where its JSON holds lists."""
    manifest, html = tmp_path / "m.jsonl", tmp_path / "o.html"
    manifest.write_text(json.dumps({"audio": str(recording("hello_world")), "text": "Hello world."}))
    arguments = ["--server", server_address, "--warm-up", "0", "--no-baseline", "--json", str(tmp_path / "o.json"), "--html", str(html)]
    assert main(["latency", "--manifest", str(manifest), *arguments]) in {0, 1}  # 1: this process was too slow to be believed
    assert "<html" in html.read_text()
