"""The whole bench on one short clip against a real server. What it measures is not checked, only that it is all there."""

import json
from pathlib import Path

import pytest

from bench.__main__ import main
from tests.recordings import recording

HELLO = str(recording("hello_world"))


def test_a_clip_is_spoken_heard_and_accounted_for(tmp_path: Path, server_address: str, capsys: pytest.CaptureFixture[str]) -> None:
    manifest, out = tmp_path / "m.jsonl", tmp_path / "o.json"
    manifest.write_text(json.dumps({"audio": HELLO, "text": "Hello world."}))
    arguments = ["latency", "--manifest", str(manifest), "--server", server_address, "--model", "tiny.en", "--json", str(out)]
    assert main(arguments) == 0
    result = json.loads(out.read_text())
    assert (result["clips"], result["segments"], result["lost"], result["failed"]) == (1, 1, 0, [])
    assert result["wer"] == 0.0
    assert result["runs"][0]["speech_end_by"] == "vad"
    measured = (
        result["ttfs_ms"],
        result["response_ms"],
        result["asr_ms"],
        result["floor_ms"],
        result["baseline_ms"],
        result["pacing_lag_ms"],
    )
    assert all(times["p50"] is not None for times in measured)
    assert "time to final text" in capsys.readouterr().out
