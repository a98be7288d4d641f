"""What waiting and active streams are found to cost; the result as JSON, and short real runs."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from asr_server.engine.engine import Release
from bench.__main__ import main
from bench.capacity import Heard
from bench.idle import FIELDS, Active, Setup, Waited, is_good, report
from bench.load import Span
from bench.pace import Lag
from bench.quiet import Quiet
from bench.serving import Config
from bench.stretch import Stretch
from bench.usage import BeforeAndMost, Used
from eval.recognisers import System
from tests.recordings import recording

SETUP = Setup(
    manifest="m.jsonl",
    manifest_sha256="0" * 64,
    clips=5,
    max_duration_s=8.0,
    seconds=30.0,
    quiet=Quiet.SILENCE,
    chunk_ms=100,
    apart_s=0.02,
    patience_s=30.0,
    warm_up_clips=6,
    preset="balanced",
    own_server=True,
    config=Config("s.yaml", "0" * 64),
    max_sessions=300,
)
SYSTEM = System("1.0", "v1", Release("fake", "0" * 64))
USED = Used(50.0, 5.0, BeforeAndMost(200.0, 210.0), BeforeAndMost(8, 9), BeforeAndMost(20, 21))
SPAN = Span(10.0, 40.0)
BEFORE = Stretch(SPAN, Heard(ttfs_ms=(400.0,) * 25, clips=25), USED, 400.0, USED, (Lag(0.5, 0.0),), 2.0)
BESIDE = replace(BEFORE, heard=Heard(ttfs_ms=(600.0,) * 25, clips=25), resident_mb=450.0)
CALLERS: dict[str, Any] = {
    "opened": 200,
    "open": 200,
    "refused": 0,
    "failed": 0,
    "errors": {},
    "refusals": 3,
    "retry_after_s": {"told": 3, "least": 1.0, "most": 2.0},
    "in_after_s": {"p50": 0.0, "p95": 2.0, "p99": 2.0, "max": 2.0},
    "accepted_ms": {"p50": 3.0, "p95": 4.0, "p99": 5.0, "max": 6.0},
}
WAITED = Waited(BEFORE, BESIDE, CALLERS, [Lag(0.5, 0.0)], (12.0, 15.0))


def result_of(waited: Waited = WAITED, active: Active | None = None) -> dict[str, Any]:
    made = report(waited, active, streams=200, speaking=1, setup=SETUP, system=SYSTEM, machine={"cpu": "slow"})
    return dict(json.loads(json.dumps(made)))


def test_what_it_has_at_its_top_is_told_beforehand() -> None:
    assert tuple(result_of()) == FIELDS


def test_memory_is_told_for_each_stream_that_is_open() -> None:
    assert result_of()["memory_mb"] == {"before": 400.0, "with_all_open": 450.0, "a_stream": 0.25}
    half = replace(WAITED, callers={**CALLERS, "opened": 120, "open": 100, "failed": 20})
    assert result_of(half)["memory_mb"]["a_stream"] == 0.5


def test_times_beside_waiting_streams_are_held_against_those_before() -> None:
    result = result_of()
    assert result["speaking"]["ttfs_ratio"] == {"p50": 1.5, "p95": 1.5}
    assert (result["valid"], result["notes"], is_good(result)) == (True, [], True)


def test_a_server_whose_process_is_not_known_has_no_memory_to_tell() -> None:
    unknown = replace(WAITED, before=replace(BEFORE, resident_mb=None, server=None), beside=replace(BESIDE, resident_mb=None, server=None))
    assert (result_of(unknown)["memory_mb"], result_of(unknown)["server"]) == (None, {"before": None, "held": None})


def test_few_clips_and_refused_speakers_are_said() -> None:
    few = replace(WAITED, beside=replace(BESIDE, heard=Heard(ttfs_ms=(600.0,) * 3, clips=5, refused=2)))
    assert result_of(few)["notes"] == [
        "2 calls of those who speak were refused beside the waiting streams",
        "times are of 3 clips: their p95 is the largest (longer with --seconds)",
    ]
    assert is_good(result_of(few))


def test_to_be_refused_is_no_failure_and_to_be_cut_off_is_one() -> None:
    assert is_good(result_of(replace(WAITED, callers={**CALLERS, "opened": 9, "open": 9, "refused": 191})))
    cut_off = replace(WAITED, callers={**CALLERS, "open": 199, "failed": 1, "errors": {"broken": 1}})
    assert result_of(cut_off)["failed_because"] == ["1 x a waiting stream failed: broken"]
    assert not is_good(result_of(cut_off))


def test_a_clip_that_was_lost_beside_waiting_streams_is_a_failure() -> None:
    lost = replace(WAITED, beside=replace(BESIDE, heard=replace(BESIDE.heard, lost=1)))
    assert result_of(lost)["failed_because"] == ["of the clips spoken beside them, 1 lost"]


def test_a_bench_that_cannot_keep_up_with_so_many_streams_says_so() -> None:
    slow = replace(WAITED, lags=[Lag(40.0, 0.0)] * 10)
    assert result_of(slow)["invalid_because"] == ["with them, the bench woke late for its chunks: p99 40.0 ms, allowed 10"]
    busy = replace(WAITED, before=replace(BEFORE, bench=replace(USED, cpu_percent=99.0)))
    assert result_of(busy)["invalid_because"] == ["before they called, the bench used 99 % of a core, allowed 80"]
    assert not is_good(result_of(slow))


def test_memory_of_active_streams_is_told_beside_the_audio_that_they_may_hold() -> None:
    active = Active(10, BEFORE, replace(BESIDE, resident_mb=420.0), {**CALLERS, "opened": 10, "open": 10}, audio_mb_at_most=1.152)
    told = result_of(active=active)["active"]
    assert told["memory_mb"]["a_stream"] == 2.0
    assert (told["audio_mb_a_stream_at_most"], told["beyond_audio_mb_a_stream"]) == (1.152, 0.848)
    broken = replace(active, callers={**CALLERS, "errors": {"broken": 2}})
    assert not is_good(result_of(active=broken))


def idle(folder: Path, server: str, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit code and result of three streams, for a second."""
    manifest, out = folder / "m.jsonl", folder / "o.json"
    manifest.write_text(json.dumps({"audio": str(recording("hello_world")), "text": "Hello world."}))
    given = ["--manifest", str(manifest), "--server", server, "--json", str(out), "--streams", "3", "--seconds", "1"]
    code = main(["idle", *given, *arguments])
    return code, json.loads(out.read_text())


def test_a_real_server_holds_waiting_streams_beside_one_that_speaks(
    tmp_path: Path, server_address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What it costs is not checked, only that all is told."""
    code, result = idle(tmp_path, server_address, "--server-pid", str(os.getpid()))
    assert code == (0 if is_good(result) else 1)
    assert (result["opened"] + result["refused"], result["failed"]) == (3, 0)
    assert (result["quiet"], result["setup"]["chunk_ms"], result["active"]) == ("silence", 100, None)
    assert result["memory_mb"]["before"] > 10
    assert all(result["speaking"][when]["clips"] >= 1 for when in ("before", "beside"))
    assert "of 3 streams" in capsys.readouterr().out


def test_streams_may_send_a_sign_of_life_only_and_what_was_not_measured_meets_no_requirement(
    tmp_path: Path, server_address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, result = idle(tmp_path, server_address, "--speaking", "0", "--quiet", "keep_alive", "--require", "memory_mb.a_stream<1")
    assert code == 1
    assert "memory_mb.a_stream was not measured" in capsys.readouterr().err  # without --server-pid its memory is not known
    assert result["setup"]["chunk_ms"] is None


def test_streams_in_mid_speech_are_held_by_a_server_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("FIRST_SPEECH_S", 1.0), ("MID_SPEECH_S", 0.5)):
        monkeypatch.setattr(f"bench.commands.idle.{name}", seconds)
    manifest, out = tmp_path / "m.jsonl", tmp_path / "o.json"
    manifest.write_text(json.dumps({"audio": str(recording("counting")), "text": "One, two, three."}))
    given = ["--manifest", str(manifest), "--model", "tiny.en", "--json", str(out), "--streams", "0", "--speaking", "0", "--seconds", "2"]

    code = main(["idle", *given, "--active", "2"])

    result = json.loads(out.read_text())
    assert code == (0 if is_good(result) else 1)
    active = result["active"]
    assert (active["streams"], active["opened"], active["failed"], active["errors"]) == (2, 2, 0, {})
    assert active["memory_mb"]["before"] > 10
    # Up to the longest segment and its context, 16 kHz in single precision.
    assert 0.5 < active["audio_mb_a_stream_at_most"] < 2
