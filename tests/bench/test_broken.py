"""A server that has become slow in one stage, or loses words, is caught from outside."""

import json
from pathlib import Path

import pytest

from bench.__main__ import main
from tests.bench.broken import HEARD, broken_server
from tests.recordings import recording

SLEEPS_MS = 100


def bench(server: str, folder: Path, *arguments: str) -> int:
    manifest, out = folder / "m.jsonl", folder / "o.json"
    manifest.write_text(json.dumps({"audio": str(recording("hello_world")), "text": HEARD}))
    given = ["--manifest", str(manifest), "--server", server, "--model", "tiny.en", "--warm-up", "0", "--no-baseline", "--json", str(out)]
    return main(["latency", *given, *arguments])


def test_a_stage_that_takes_100_ms_more_is_caught_by_a_requirement(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And by nothing else: the opposite requirement is met."""
    with broken_server(decode_ms=SLEEPS_MS) as server:
        assert bench(server, tmp_path, "--require", f"asr_ms.p50<{SLEEPS_MS}", "--require", f"asr_ms.p50>={SLEEPS_MS}") == 1
    (unmet,) = capsys.readouterr().err.splitlines()
    assert unmet.endswith(f"required: < {SLEEPS_MS}")
    result = json.loads((tmp_path / "o.json").read_text())
    assert (result["lost"], result["failed"]) == (0, [])
    assert min(result["asr_ms"]["p50"], result["response_ms"]["p50"], result["ttfs_ms"]["p50"]) >= SLEEPS_MS


@pytest.mark.parametrize(("requirement", "measured"), [("lost_words==0", "lost_words is 1"), ("wer<=0.1", "wer is 0.5")])
def test_a_last_word_that_is_dropped_is_caught_by_a_requirement(
    requirement: str, measured: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with broken_server(decode_ms=0, text="Hello") as server:
        assert bench(server, tmp_path, "--require", requirement) == 1
    (unmet,) = capsys.readouterr().err.splitlines()
    assert measured in unmet
