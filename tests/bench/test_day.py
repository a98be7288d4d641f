"""A day in minutes: its arithmetic, and one that is very short."""

import json
from pathlib import Path

from asr_server.watch.status import Drifting, DriftStatus
from bench.__main__ import main
from bench.day import Phase, with_new_names
from tests.recordings import recording


def test_every_fifth_word_is_a_new_name() -> None:
    assert with_new_names("one two three four five six") == "one two three four Zyphera six"
    assert with_new_names("one two") == "one two"


def test_a_light_is_told_once_with_what_was_seen_then() -> None:
    phase = Phase("microphone")
    drifting = (
        Drifting("loudness_lufs", "audio", "LUFS", "microphones", "client", "kiosk"),
        Drifting("rtf", "system", "1", "the machine", "all", ""),
    )
    for status in (DriftStatus(), DriftStatus(data=True, drifting=drifting), DriftStatus(data=True, system=True, drifting=drifting)):
        phase.look(status)
    assert phase.as_json() == {
        "name": "microphone",
        "clips": 3,
        "on_before": [],
        "lit_after_clips": {"data": 2, "system": 3},
        "seen": {"data": ["loudness_lufs of client kiosk"], "system": ["rtf of all"]},
    }


def test_a_very_short_day_comes_to_its_end(tmp_path: Path) -> None:
    manifest, out, html = tmp_path / "m.jsonl", tmp_path / "o.json", tmp_path / "day.html"
    names = ("hello_world", "quick_brown_fox", "counting", "hello_world")
    lines = [{"id": str(number), "audio": str(recording(name)), "text": "Hello world."} for number, name in enumerate(names)]
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert main(["day", "--manifest", str(manifest), "--json", str(out), "--report", str(html), "--model", "tiny.en"]) == 0
    told = json.loads(out.read_text())
    assert [phase["name"] for phase in told["phases"]] == ["morning", "microphone", "noon", "new words", "slow release"]
    assert all(phase["clips"] == 2 for phase in told["phases"])
    assert "A day at a speech server" in html.read_text()
