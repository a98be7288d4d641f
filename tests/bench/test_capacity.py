"""What a repeat says about a count of streams, the result as JSON, the command line, and short real runs."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from asr_server.accuracy.manifest import Clip
from asr_server.api.clip import Clip as Audio
from asr_server.api.results import LedgerView
from asr_server.engine.engine import Release
from bench.__main__ import main
from bench.capacity import FIELDS, Heard, Repeat, Setup, Slo, heard_of, load_of, notes_on, report, unless_in_vain
from bench.commands.capacity import is_told
from bench.load import Span, Turn
from bench.pace import Lag
from bench.result import CapacityResult, read_result
from bench.search import Tried
from bench.serving import StopMs
from bench.speech_end import SpeechEnd
from bench.streams import Ask, FinalSeen, Part, Spoken
from bench.unary import Throughput
from bench.usage import BeforeAndMost, Used
from eval.recognisers import System
from eval.requirement import parse_requirement
from tests.bench.broken import HEARD, broken_server
from tests.recordings import recording

SLO = Slo(500.0, 95)
NOTHING = Heard()
SPAN = Span(10.0, 40.0)
SETUP = Setup(
    manifest="m.jsonl",
    manifest_sha256="0" * 64,
    clips=5,
    max_duration_s=8.0,
    seconds=30.0,
    repeats=3,
    most_streams=64,
    interim_results=False,
    preset="balanced",
    own_server=True,
    config=None,
    stop_ms=StopMs(200, 480),
    vad_stop_ms=480,
    budget_ms={"asr": 300.0},
)
SYSTEM = System("1.0", "v1", Release("fake", "0" * 64))


def turn(text: str, *held_after_ms: float, hyp: str = "", late: bool = False, error: str = "", refused: bool = False) -> Turn:
    part = Part(Clip(text, Path("a.wav"), text), Audio(b"", 8_000, 1), SpeechEnd(1.0, "words"))
    ledger = LedgerView(500, 90, late=late, degraded=("beam",) if late else ())
    finals = tuple(FinalSeen(hyp or text, 0.0, 1.0, ms, ledger) for ms in held_after_ms)
    return Turn(0, 0.0, Spoken(part, finals, (), error, refused))


def repeat(ttfs_ms: Sequence[float], beside: Heard = NOTHING, *, too_slow: bool = False, server: Used | None = None) -> Repeat:
    heard = Heard(tuple(ttfs_ms), clips=len(ttfs_ms)) + beside
    return Repeat(SLO, heard, SPAN, server, lags=(Lag(40.0 if too_slow else 1.0, 0.0),))


GOOD = [400.0] * 19 + [499.0]
SLOW = [400.0] * 18 + [501.0, 502.0]


def test_the_percentile_decides_not_the_worst_clip() -> None:
    assert repeat([400.0] * 19 + [900.0]).vote == "passed"
    assert repeat(SLOW).vote == "failed"
    assert repeat(SLOW).failed_because == ("time to final text, 95 of 100 clips: 501 ms, wanted 500",)


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (Heard(late=1), "1 late by the server's own clock"),
        (Heard(refused=2), "2 refused"),
        (Heard(lost=1), "1 lost"),
        (Heard(early=20), "20 early, their last words not heard"),
        (Heard(failed=3), "3 failed"),
    ],
)
def test_nothing_may_be_late_refused_lost_early_or_failed(trouble: Heard, told: str) -> None:
    found = repeat(GOOD, trouble)
    assert (found.vote, found.failed_because) == ("failed", (told,))


def test_degraded_finals_are_told_and_let_pass() -> None:
    assert repeat(GOOD, Heard(degraded=3)).vote == "passed"


def test_a_server_that_drops_the_end_of_every_clip_carries_none() -> None:
    found = Repeat(SLO, heard_of([turn("alpha beta", -1500.0, hyp="alpha")] * 20), SPAN)
    assert found.vote == "failed"
    assert found.failed_because == (
        "time to final text, 95 of 100 clips: nothing was measured",
        "20 early, their last words not heard",
    )


def test_when_nothing_came_the_times_are_told_as_not_measured() -> None:
    assert "nothing was measured" in repeat([], Heard(refused=20)).failed_because[0]
    assert repeat([], Heard(refused=20)).vote == "failed"


def test_a_bench_that_was_too_slow_itself_cannot_pass_a_server_nor_fail_it_by_time() -> None:
    assert repeat(GOOD, too_slow=True).vote == "invalid"
    assert repeat(SLOW, too_slow=True).vote == "invalid"


def test_a_bench_that_used_most_of_a_core_is_too_slow() -> None:
    assert replace(repeat(GOOD), bench=used(95.0)).vote == "invalid"
    assert replace(repeat(GOOD), bench=used(30.0)).vote == "passed"


def test_chunks_that_were_taken_late_are_put_to_the_server_only_where_the_bench_had_time() -> None:
    late = replace(repeat(GOOD), lags=(Lag(0.0, 400.0),))
    assert late.vote == "invalid"
    assert replace(late, bench=used(30.0)).vote == "passed"


@pytest.mark.parametrize(
    ("slow", "vote", "in_vain"), [((False,), "passed", 0), ((True, False), "passed", 1), ((True, True, True, False), "invalid", 2)]
)
async def test_where_the_bench_was_too_slow_it_measures_again_but_not_for_ever(slow: Sequence[bool], vote: str, in_vain: int) -> None:
    measured = iter([repeat(GOOD, too_slow=too_slow) for too_slow in slow])

    async def measure() -> Repeat:
        return next(measured)

    found = await unless_in_vain(measure, tries=3)
    assert (found.vote, found.in_vain, found.as_json()["in_vain"]) == (vote, in_vain, in_vain)


def test_what_the_server_says_itself_counts_against_it_however_slow_the_bench_was() -> None:
    assert repeat(SLOW, Heard(late=2), too_slow=True).vote == "failed"


@pytest.mark.parametrize(("percentile", "clips"), [(50, 2), (90, 10), (95, 20), (99, 100)])
def test_a_percentile_wants_as_many_clips_as_make_it_more_than_their_largest(percentile: int, clips: int) -> None:
    assert Slo(500.0, percentile).min_clips == clips
    assert load_of(4, 2, seconds=30.0, slo=Slo(500.0, percentile), ask=Ask()).min_clips == clips


def test_clips_are_counted_once_each_by_what_came_of_them() -> None:
    heard = heard_of(
        [
            turn("alpha beta", 600.0),
            turn("gamma", 700.0, late=True),
            turn("delta", -400.0, hyp="felt"),
            turn("hotel", -100.0),
            turn("echo"),
            turn("fox", error="broken"),
            turn("india", -400.0, error="broken"),
            turn("golf", error="full", refused=True),
        ]
    )
    assert heard.ttfs_ms == (600.0, 700.0, -100.0)
    assert (heard.clips, heard.segments, heard.late, heard.degraded, heard.early) == (8, 5, 1, 1, 1)
    assert (heard.lost, heard.failed, heard.refused) == (1, 2, 1)
    assert (heard.errors.errors, heard.errors.words) == (4, 9)


def result_of(*tried: Tried[Repeat], unary: Sequence[Throughput] = ()) -> dict[str, Any]:
    made = report(tried, unary, slo=SLO, setup=SETUP, system=SYSTEM, machine={"cpu": "slow"})
    return dict(json.loads(json.dumps(made)))


def test_what_it_has_at_its_top_is_told_beforehand() -> None:
    assert tuple(result_of()) == FIELDS


def used(cpu_percent: float) -> Used:
    return Used(cpu_percent, 10.0, BeforeAndMost(400, 410), BeforeAndMost(10, 11), BeforeAndMost(20, 21))


def test_the_fields_that_users_rely_on_are_there() -> None:
    result = result_of(Tried(1, (repeat(GOOD),), passed=True))
    assert set(result) >= {"max_streams", "slo", "curve", "unary", "machine", "system", "setup"}
    point = {
        "streams",
        "passed",
        "ttfs_ms",
        "response_ms",
        "late",
        "degraded",
        "refused",
        "lost",
        "failed",
        "clips",
        "valid",
        "failed_because",
    }
    assert set(result["curve"][0]) >= point | {"repeats", "server"}
    assert set(result["curve"][0]["repeats"][0]) >= point - {"streams"}
    assert (result["max_streams"], result["slo"]) == (1, {"ttfs_ms": 500.0, "percentile": 95})


def test_the_curve_is_by_streams_and_says_what_limits_it() -> None:
    result = result_of(
        Tried(1, (repeat(GOOD),), passed=True),
        Tried(4, (repeat(SLOW, Heard(lost=1)),), passed=False),
        Tried(2, (repeat(GOOD),), passed=True),
        Tried(3, (repeat(SLOW),), passed=False),
    )
    assert [point["streams"] for point in result["curve"]] == [1, 2, 3, 4]
    assert result["max_streams"] == 2
    assert result["limited_by"]["streams"] == 3
    assert result["limited_by"]["failed_because"] == ["time to final text, 95 of 100 clips: 501 ms, wanted 500"]


def test_a_run_that_an_invalid_count_limits_is_not_valid_and_says_so() -> None:
    passed, unsure = Tried(1, (repeat(GOOD),), passed=True), Tried(2, (repeat(GOOD, too_slow=True),), passed=False)
    result = result_of(passed, unsure)
    assert (result["max_streams"], result["valid"]) == (1, False)
    assert result["invalid_because"] == ["with 2 streams: the bench woke late for its chunks: p99 40.0 ms, allowed 10"]
    failed = result_of(passed, Tried(2, (repeat(SLOW),), passed=False), replace(unsure, streams=4))
    assert (failed["valid"], failed["invalid_because"]) == (True, [])


@pytest.mark.parametrize(
    ("valid", "required", "told"),
    [
        (True, [], True),
        (False, [], False),
        (False, ["unary.requests_per_s>1"], False),
        (False, ["max_streams<8"], False),
        (False, ["max_streams>=8"], True),
    ],
)
def test_where_the_bench_was_too_slow_only_that_there_are_at_least_so_many_can_be_told(
    valid: bool, required: Sequence[str], told: bool
) -> None:
    assert is_told({"valid": valid}, [parse_requirement(one) for one in required]) is told


def test_a_promise_no_longer_than_the_shortest_silence_waited_for_is_noted() -> None:
    assert notes_on(Slo(201.0), SETUP.stop_ms) == []
    assert len(notes_on(Slo(200.0), SETUP.stop_ms)) == 1
    made = report((), (), slo=Slo(200.0), setup=SETUP, system=SYSTEM, machine={})
    assert made["notes"] == notes_on(Slo(200.0), SETUP.stop_ms)


def test_nothing_limits_a_server_that_passed_the_most_that_was_tried() -> None:
    assert result_of(Tried(1, (repeat(GOOD),), passed=True))["limited_by"] is None


def test_repeats_are_told_one_by_one_and_together_and_how_far_apart_they_were() -> None:
    (point,) = result_of(Tried(2, (repeat(GOOD, server=used(80.0)), repeat(SLOW, server=used(90.0)), repeat([300.0] * 20)), passed=True))[
        "curve"
    ]
    assert (point["passed"], point["repeats_agreed"], point["clips"]) == (True, False, 60)
    assert [one["passed"] for one in point["repeats"]] == [True, False, True]
    assert point["at_percentile_ms"] == {"pooled": 400.0, "lowest": 300.0, "highest": 501.0}
    assert point["failed_because"] == ["time to final text, 95 of 100 clips: 501 ms, wanted 500"]
    assert point["server"]["cpu_percent"] == 90.0


def test_a_point_where_the_bench_was_too_slow_is_marked() -> None:
    (point,) = result_of(Tried(2, (repeat(GOOD, too_slow=True),), passed=False))["curve"]
    assert (point["passed"], point["valid"], point["invalid_because"]) == (
        False,
        False,
        ["the bench woke late for its chunks: p99 40.0 ms, allowed 10"],
    )


def test_the_best_concurrency_of_whole_files_is_told_with_all_that_were_tried() -> None:
    levels = [Throughput(2, 10, 3.0, 9.0, {}, 0, 0), Throughput(4, 10, 5.0, 15.0, {}, 0, 0)]
    unary = result_of(Tried(1, (repeat(GOOD),), passed=True), unary=levels)["unary"]
    assert (unary["concurrency"], unary["requests_per_s"], len(unary["tried"])) == (4, 5.0, 2)
    assert result_of(Tried(1, (repeat(GOOD),), passed=True))["unary"] is None


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    (tmp_path / "a.wav").touch()
    path = tmp_path / "m.jsonl"
    path.write_text(json.dumps({"audio": "a.wav", "text": "hello", "duration_s": 2.0}))
    silence = {"audio": "a.wav", "text": "", "duration_s": 2.0}
    (tmp_path / "silence.jsonl").write_text(json.dumps(silence))
    return path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("capacity --json o.json", "'--manifest'"),
        ("capacity --manifest m.jsonl", "'--json'"),
        ("capacity --manifest none.jsonl --json o.json", "none.jsonl: No such file"),
        ("capacity --manifest m.jsonl --json no/where.json", "no such folder: no"),
        ("capacity --manifest m.jsonl --json o.json --percentile 100", "'--percentile'"),
        ("capacity --manifest m.jsonl --json o.json --slo-ms 0", "'--slo-ms'"),
        ("capacity --manifest m.jsonl --json o.json --max-streams 0", "'--max-streams'"),
        ("capacity --manifest m.jsonl --json o.json --repeats 0", "'--repeats'"),
        ("capacity --manifest m.jsonl --json o.json --require many", "--require 'many'"),
        ("capacity --manifest m.jsonl --json o.json --require 100", "--require 'max_streams>=100': cannot be met with at most 64 streams"),
        ("capacity --manifest m.jsonl --json o.json --require max_streams>1 --max-streams 1", "with at most 1 stream (--max-streams)"),
        ("capacity --manifest m.jsonl --json o.json --server-pid 1", "--server-pid goes with --server"),
        ("capacity --manifest m.jsonl --json o.json --max-duration-s 1", "no clip with words of at most 1 s"),
        ("capacity --manifest silence.jsonl --json o.json", "no clip with words"),
        ("capacity --manifest m.jsonl --json o.json", "a.wav"),
        ("soak --manifest m.jsonl --json o.json", "'--minutes'"),
        ("soak --manifest m.jsonl --minutes 0 --json o.json", "'--minutes'"),
        ("soak --manifest m.jsonl --minutes 1 --streams 0 --json o.json", "'--streams'"),
        ("soak --manifest m.jsonl --minutes 1 --json no/where.json", "no such folder: no"),
        ("soak --manifest m.jsonl --minutes 1 --json o.json --require ttfs", "--require 'ttfs'"),
        ("soak --manifest m.jsonl --minutes 1 --json o.json --server-pid 1", "--server-pid goes with --server"),
        ("soak --manifest m.jsonl --minutes 1 --json o.json", "a.wav"),
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


@pytest.mark.parametrize("command", ["capacity", "soak --minutes 1"])
def test_a_server_that_is_not_there_is_a_wrong_call(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = tmp_path / "m.jsonl"
    manifest.write_text(json.dumps({"audio": str(recording("hello_world")), "text": "Hello world."}))
    arguments = [*command.split(), "--manifest", str(manifest), "--server", "127.0.0.1:1", "--json", str(tmp_path / "o.json")]
    assert main(arguments) == 2
    assert "127.0.0.1:1" in capsys.readouterr().err


def search_one_stream(server: str, folder: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Quickly: two clips; the exit code and the result."""
    manifest, out = folder / "m.jsonl", folder / "o.json"
    manifest.write_text(json.dumps({"audio": str(recording("hello_world")), "text": HEARD}))
    given = ["--manifest", str(manifest), "--server", server, "--json", str(out), "--require", "1"]
    quick = ["--percentile", "50", "--seconds", "1", "--repeats", "1", "--max-streams", "1"]
    code = main(["capacity", *given, *quick, *arguments])
    assert isinstance(read_result(out), CapacityResult)
    return code, json.loads(out.read_text())


def test_a_real_server_in_good_health_carries_a_stream(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On a busy machine the server or the bench may be too slow: then it says so."""
    with broken_server(decode_ms=0) as server:
        code, result = search_one_stream(server, tmp_path, "--slo-ms", "3000")
    (point,) = result["curve"]
    assert (point["lost"], point["early"], point["refused"], point["failed"]) == (0, 0, 0, 0)
    assert point["clips"] >= 2
    assert point["server"] is None
    assert (code, result["max_streams"]) == ((0, 1) if point["passed"] else (1, 0))
    assert point["passed"] != bool(point["invalid_because"] or point["failed_because"])
    assert result["unary"]["requests"] > 0
    said = capsys.readouterr()
    assert "with 50 of 100 clips within 3000 ms" in said.out
    assert "1 stream, repeat 1: " in said.err


def test_a_server_that_has_become_slow_carries_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By time alone its answers would pass: its own clock says that they are late."""
    with broken_server(decode_ms=700) as server:
        code, result = search_one_stream(server, tmp_path, "--slo-ms", "60000", "--no-unary")
    assert (code, result["max_streams"]) == (1, 0)
    assert f"{result['curve'][0]['segments']} late by the server's own clock" in result["limited_by"]["failed_because"]
    assert "required and not met: max_streams is 0" in capsys.readouterr().err


def test_a_promise_no_longer_than_the_servers_silence_is_said_to_be_one_that_cannot_be_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with broken_server(decode_ms=0) as server:
        code, result = search_one_stream(server, tmp_path, "--slo-ms", "400", "--no-unary")
    (note,) = result["notes"]
    assert "500 ms of silence" in note
    assert (code, result["max_streams"]) == (1, 0)
    assert note in capsys.readouterr().err
