"""The gate end to end: a real server in good health, and the same one made slow in one stage."""

import json
from pathlib import Path

import pytest

from bench.__main__ import main
from tests.bench.broken import HEARD, broken_server
from tests.recordings import recording

CLIPS = 2


@pytest.fixture
def results(tmp_path: Path) -> dict[str, Path]:
    """Of a healthy server, and of one whose every decode takes 150 ms longer."""
    manifest = tmp_path / "m.jsonl"
    clip = {"audio": str(recording("hello_world")), "text": HEARD}
    manifest.write_text("\n".join(json.dumps({**clip, "id": f"clip {number}"}) for number in range(CLIPS)))
    paths = {}
    for name, decode_ms in (("healthy", 50), ("slow", 200)):
        paths[name] = tmp_path / f"{name}.json"
        with broken_server(decode_ms=decode_ms) as server:
            arguments = ["--manifest", str(manifest), "--server", server, "--model", "tiny.en", "--streams", "2", "--warm-up", "1"]
            # Whether this process kept its pace is not the point here, and on a busy machine it does not always.
            main(["latency", *arguments, "--no-baseline", "--json", str(paths[name])])
    for path in paths.values():
        path.write_text(json.dumps({**json.loads(path.read_text()), "valid": True, "invalid_because": []}))
    return paths


def test_a_slow_stage_is_caught_and_named(results: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "o.json"
    assert main(["compare", str(results["healthy"]), str(results["slow"]), "--json", str(out)]) == 1
    gates = {one["gate"] for one in json.loads(out.read_text())["failed_gates"]}
    # Whatever else differs between two runs is the machine's doing.
    assert "asr" in gates
