"""The verdict of a soak from what it saw, its JSON, and short real runs: of a server in good health, and of one that leaks."""

import asyncio
import json
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from asr_server.accuracy.manifest import Clip
from asr_server.api.client import Client
from asr_server.api.clip import Clip as Audio
from asr_server.api.results import LedgerView, ServerInfo
from asr_server.engine.engine import Release
from asr_server.errors import ServerUnreachable
from bench.__main__ import main
from bench.commands.soak import first_to_end
from bench.growth import Sample
from bench.load import Turn
from bench.pace import Lag
from bench.process import ProcessWatch, Usage
from bench.result import SoakResult, read_result
from bench.serving import StopMs
from bench.soak import (
    FIELDS,
    Setup,
    Tally,
    answered,
    interval_s,
    judge,
    not_judged,
    report,
    sessions_left,
    take_samples,
    visit_interval_s,
)
from bench.speech_end import SpeechEnd
from bench.streams import FinalSeen, Part, Spoken
from bench.visitors import Visit
from eval.recognisers import System
from tests.bench.leaking import leaking_server
from tests.recordings import recording
from tests.waiting import until

SETUP = Setup(
    manifest="m.jsonl",
    manifest_sha256="0" * 64,
    minutes=10.0,
    streams=2,
    clips=5,
    max_duration_s=8.0,
    interim_results=False,
    preset="balanced",
    own_server=True,
    config=None,
    process_known=True,
    sample_every_s=5.0,
    visit_every_s=15.0,
    stop_ms=StopMs(200, 500),
    vad_stop_ms=500,
)
SYSTEM = System("1.0", "v1", Release("fake", "0" * 64))
RUN_S = 600.0


def turn(begun_s: float, *held_after_ms: float, error: str = "", late: bool = False, own_ms: float = 1.0) -> Turn:
    part = Part(Clip("a", Path("a.wav"), "hello"), Audio(b"", 8_000, 1), SpeechEnd(1.0, "words"))
    finals = tuple(FinalSeen("hello", 0.0, 1.0, ms, LedgerView(500, 90, late=late)) for ms in held_after_ms)
    return Turn(0, begun_s, Spoken(part, finals, (Lag(own_ms, 300.0),), error))


def tally(*, leak_mb: float = 0.0, more_threads: int = 0, last_ms: float = 600.0, last_own_ms: float = 1.0) -> Tally:
    """Ten minutes of a server that may leak, gather threads, or become slow half way; begun at 1000 by the clock."""
    made = Tally(run_from_s=1000.0)
    for number in range(120):
        share = number / 120
        made.samples.append(Sample(number * 5.0, 400.0 + leak_mb * share, 10 + round(more_threads * share), 20, 2))
        made.spoken(turn(1000.0 + number * 5.0, 600.0 if share < 0.5 else last_ms, own_ms=1.0 if share < 0.5 else last_own_ms))
    return made


def why(seen: Tally, *, left: int | None = 0) -> Sequence[str]:
    return judge(seen, run_s=RUN_S, sessions_left=left).failed_because


def test_a_server_that_stays_as_it_was_passes() -> None:
    assert why(tally()) == []


def test_each_kind_of_growth_fails_and_is_told_with_its_bound() -> None:
    assert why(tally(leak_mb=100.0)) == ["memory grew by 74 MB after the warm-up (600 MB an hour), allowed 21 MB"]
    assert why(tally(more_threads=30)) == ["threads grew from 21 to 36, allowed 2 more"]
    assert why(tally(last_ms=1200.0)) == ["time to final text, p95, went from 600.0 to 1200.0 ms"]
    assert why(tally(), left=3) == ["sessions left 10 s after the last call had ended: 3"]


def test_a_server_that_is_gone_at_the_end_fails() -> None:
    assert why(tally(), left=None) == ["the server did not answer any more when everything had ended"]
    ended = tally()
    ended.ended_at_s = 300.0
    assert why(ended) == ["the server's process ended after 300 s"]


def test_calls_that_should_not_have_failed_are_told_by_kind_and_number() -> None:
    seen = tally()
    seen.spoken(turn(1100.0, error="broken"))
    seen.spoken(turn(1101.0, error="broken"))
    seen.spoken(turn(1102.0))
    seen.visited(Visit("garbage", "INTERNAL broken"))
    seen.visited(Visit("garbage"))
    seen.spoken(turn(1103.0, -1500.0))
    assert why(seen) == [
        "clips without any final: 1",
        "clips whose last final came before the end of speech: 1",
        "2 x stream: broken",
        "1 x garbage: INTERNAL broken",
    ]
    assert seen.counts["garbage"] == 2


def test_late_finals_are_counted_and_no_growth() -> None:
    seen = tally()
    seen.spoken(turn(1100.0, 900.0, late=True))
    assert why(seen) == []
    assert seen.counts["late"] == 1


def test_what_a_run_cannot_tell_is_said() -> None:
    short = Tally(run_from_s=0.0)
    verdict = judge(short, run_s=10.0, sessions_left=0)
    assert verdict.failed_because == []
    assert not_judged(verdict, short.samples, SETUP) == [
        "memory, threads, open files: the run was too short",
        "time to final text: too few clips (0 in the first third, 0 in the last)",
    ]
    long = tally()
    assert not_judged(judge(long, run_s=RUN_S, sessions_left=0), long.samples, SETUP) == []


def test_moments_at_which_the_server_did_not_answer_or_could_not_be_looked_at_are_told() -> None:
    seen = tally()
    seen.samples[7] = replace(seen.samples[7], sessions=None)
    seen.samples[8:10] = [Sample(40.0, sessions=2), Sample(45.0, sessions=2)]
    assert not_judged(judge(seen, run_s=RUN_S, sessions_left=0), seen.samples, SETUP) == [
        "memory, threads, open files at 2 of 120 moments: the server's process could not be looked at",
        "sessions at 1 of 120 moments: the server did not answer within 2 s",
    ]


def test_a_server_is_not_called_slower_when_the_bench_was_slow_itself() -> None:
    seen = tally(last_ms=1200.0, last_own_ms=80.0)
    verdict = judge(seen, run_s=RUN_S, sessions_left=0)
    assert verdict.failed_because == []
    reasons = ["the bench itself was late in the last third, p95 of clips 80 ms, allowed 50"]
    assert verdict.invalid_because == reasons
    assert not_judged(verdict, seen.samples, SETUP) == [f"time to final text: {reason}" for reason in reasons]
    made = report(seen, verdict, setup=SETUP, system=SYSTEM, machine={}, longest_loop_stall_ms=None)
    assert (made["valid"], made["invalid_because"], made["passed"]) == (False, reasons, True)


def test_a_bench_is_slow_also_by_its_event_loop_and_by_its_processor_time_but_not_by_one_clip() -> None:
    stalled = tally(last_ms=1200.0)
    for number in range(40):
        stalled.spoken(turn(1000.0 + number, 600.0), own_stall_ms=70.0)
    assert why(stalled) == []
    busy = judge(tally(last_ms=1200.0), run_s=RUN_S, sessions_left=0, own_cpu_percent=95.0)
    assert (busy.invalid_because, busy.failed_because) == (["the bench used 95 % of a core, allowed 80"], [])
    once = tally(last_ms=1200.0)
    once.spoken(turn(1590.0, 1200.0), own_stall_ms=900.0)
    assert why(once) == ["time to final text, p95, went from 600.0 to 1200.0 ms"]


def test_the_result_has_the_fields_that_users_rely_on() -> None:
    seen = tally(leak_mb=100.0)
    seen.visited(Visit("cancelled"))
    verdict = judge(seen, run_s=RUN_S, sessions_left=0)
    made = report(seen, verdict, setup=SETUP, system=SYSTEM, machine={"cpu": "slow"}, longest_loop_stall_ms=None)
    assert tuple(made) == FIELDS
    result = json.loads(json.dumps(made))
    assert (result["passed"], len(result["failed_because"])) == (False, 1)
    assert (result["minutes"], result["streams"], result["clips"], result["cancelled"], result["unary"]) == (10.0, 2, 120, 1, 0)
    assert result["samples"][1] == {
        "at_s": 5.0,
        "resident_mb": pytest.approx(400.8, abs=0.1),
        "threads": 10,
        "open_files": 20,
        "sessions": 2,
    }
    assert result["ttfs_ms"]["first_third"]["p95"] == 600.0
    assert result["growth"]["resident_mb"]["grows"]
    assert not result["growth"]["threads"]["grows"]
    assert {"machine", "system", "setup", "sessions_left"} <= set(result)


class FakeProcess:
    """Ends after so many looks; at one of them it may not be looked at."""

    def __init__(self, looks: int, hidden_at: int = 0) -> None:
        self._looks = looks
        self._hidden_at = hidden_at
        self._looked = 0

    @property
    def has_ended(self) -> bool:
        return self._looked > self._looks

    def usage(self) -> Usage | None:
        self._looked += 1
        return None if self.has_ended or self._looked == self._hidden_at else Usage(1.0, 400_000_000, 10, 20)


class Clock:
    """Stands still but for those who sleep by it."""

    def __init__(self, at_s: float = 0.0) -> None:
        self.at_s = at_s

    def now(self) -> float:
        return self.at_s

    async def sleep(self, seconds: float) -> None:
        self.at_s += seconds
        await asyncio.sleep(0)


LEAK = """
import time
held = []
print("ready", flush=True)
while True:
    held.append(b"x" * 1_000_000)
    time.sleep(0.05)
"""


async def test_a_process_that_leaks_is_caught_by_what_is_read_of_it() -> None:
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", LEAK, stdout=asyncio.subprocess.PIPE)
    assert child.stdout is not None
    await child.stdout.readline()
    seen = Tally(run_from_s=time.monotonic())
    reading = asyncio.create_task(take_samples(ProcessWatch(child.pid), two_sessions, seen, every_s=0.05))
    await until(lambda: bool(seen.samples) and (seen.samples[-1].resident_mb or 0) > (seen.samples[0].resident_mb or 0) + 40)
    child.kill()
    await child.communicate()
    await reading
    reasons = why(seen)
    assert any(reason.startswith("memory grew by ") for reason in reasons)
    assert any(reason.startswith("the server's process ended after ") for reason in reasons)


async def two_sessions() -> int | None:
    return 2


async def test_samples_are_taken_until_the_process_ends_and_say_when_that_was() -> None:
    seen = Tally(run_from_s=100.0)
    clock = Clock(100.0)
    await take_samples(FakeProcess(2), two_sessions, seen, every_s=5.0, now=clock.now, sleep=clock.sleep)
    assert seen.samples == [Sample(0.0, 400.0, 10, 20, 2), Sample(5.0, 400.0, 10, 20, 2), Sample(10.0)]
    assert seen.ended_at_s == 10.0


async def test_a_process_that_may_not_be_looked_at_for_a_moment_has_not_ended() -> None:
    seen = Tally(run_from_s=100.0)
    clock = Clock(100.0)
    await take_samples(FakeProcess(3, hidden_at=2), two_sessions, seen, every_s=5.0, now=clock.now, sleep=clock.sleep)
    assert [sample.resident_mb for sample in seen.samples] == [400.0, None, 400.0, None]
    assert seen.ended_at_s == 15.0


async def test_a_process_is_looked_at_in_time_however_long_its_server_takes_to_answer() -> None:
    seen = Tally(run_from_s=100.0)
    clock = Clock(100.0)

    async def no_answer() -> None:
        await clock.sleep(2.0)

    await take_samples(FakeProcess(2), no_answer, seen, every_s=5.0, now=clock.now, sleep=clock.sleep)
    assert [(sample.at_s, sample.sessions) for sample in seen.samples] == [(0.0, None), (5.0, None), (10.0, None)]


async def test_of_an_unknown_process_only_sessions_are_seen() -> None:
    seen = Tally(run_from_s=100.0)

    async def a_few(_: float) -> None:
        if len(seen.samples) == 3:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await take_samples(None, two_sessions, seen, every_s=5.0, now=lambda: 100.0, sleep=a_few)
    assert seen.samples == [Sample(0.0, sessions=2)] * 3


@pytest.mark.parametrize(
    ("answers", "before", "left"),
    [([0], 0, 0), ([3, 2, 0], 0, 0), ([5] * 20, 0, 5), ([5], 5, 0), ([3], 5, 0), ([None] * 20, 0, None), ([None, 0], 0, 0)],
)
async def test_sessions_are_given_a_while_to_end(answers: list[int | None], before: int, left: int | None) -> None:
    each = iter(answers)

    async def sessions() -> int | None:
        return next(each)

    clock = Clock()
    assert await sessions_left(sessions, before, now=clock.now, sleep=clock.sleep) == left
    assert next(each, "none") == "none"


async def test_a_server_that_hangs_holds_up_the_end_no_longer_than_its_time() -> None:
    clock = Clock()

    async def no_answer() -> None:
        await clock.sleep(2.0)

    assert await sessions_left(no_answer, 0, now=clock.now, sleep=clock.sleep) is None
    assert clock.at_s <= 12.0


async def test_a_call_that_takes_too_long_or_fails_is_no_answer() -> None:
    async def hang() -> ServerInfo:
        await asyncio.Event().wait()
        raise AssertionError

    async def fail() -> ServerInfo:
        raise ServerUnreachable("UNAVAILABLE", "gone")

    assert await answered(hang(), within_s=0.01) is None
    assert await answered(fail()) is None


async def test_the_first_to_end_ends_the_others() -> None:
    ended: list[str] = []

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    await first_to_end(forever(), asyncio.sleep(0), forever())
    assert ended == ["cancelled"] * 2


def test_a_run_of_any_length_has_enough_samples_and_never_too_many() -> None:
    assert interval_s(18.0) == 0.5
    assert interval_s(3600.0) == 10.0
    assert [visit_interval_s(run_s) for run_s in (6.0, 24.0, 3600.0)] == [1.0, 3.0, 15.0]


def test_a_real_server_lets_go_of_what_callers_leave_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest, out = tmp_path / "m.jsonl", tmp_path / "o.json"
    manifest.write_text(json.dumps({"audio": str(recording("hello_world")), "text": "Hello world."}))
    arguments = ["soak", "--manifest", str(manifest), "--minutes", "0.2", "--streams", "1", "--model", "tiny.en", "--json", str(out)]
    code = main([*arguments, "--preset", "fast"])
    result = json.loads(out.read_text())
    assert code == (0 if result["passed"] else 1)
    assert (result["sessions_left"], result["wrong"], result["lost"]) == (0, {}, 0)
    assert sum(result[kind] for kind in ("clips", "cancelled", "garbage", "half_closed", "unary")) >= 2
    assert all(sample["resident_mb"] > 10 for sample in result["samples"])
    assert any(sample["sessions"] for sample in result["samples"])
    assert isinstance(read_result(out), SoakResult)
    setup = result["setup"]
    assert (setup["preset"], setup["vad_stop_ms"]) == ("fast", setup["stop_ms"]["longest"])
    assert ("passed" in capsys.readouterr().out) == result["passed"]


def test_a_server_that_gathers_threads_and_ends_calls_wrongly_is_caught(tmp_path: Path) -> None:
    manifest, out = tmp_path / "m.jsonl", tmp_path / "o.json"
    manifest.write_text(json.dumps({"audio": str(recording("hello_world")), "text": "Hello world."}))
    with leaking_server("threads") as (address, pid):
        given = ["--manifest", str(manifest), "--json", str(out), "--server", address, "--server-pid", str(pid)]
        assert main(["soak", *given, "--minutes", "0.1", "--streams", "4"]) == 1
    result = json.loads(out.read_text())
    assert re.search(r"\d+ x stream: ", "; ".join(result["failed_because"]))
    threads = [sample["threads"] for sample in result["samples"] if sample["threads"] is not None]
    assert max(threads) > min(threads) + 2  # whether that many samples can be judged depends on how busy the machine is


async def test_a_server_that_gathers_sessions_is_caught() -> None:
    """By a clock that does not wait for them."""
    clip = recording("hello_world").read_bytes()
    clock = Clock()
    with leaking_server("sessions") as (address, _):
        async with Client(address) as client:
            assert await client.recognize(clip)

            async def sessions() -> int | None:
                told = await answered(client.server_info())
                return None if told is None else told.active_sessions

            left = await sessions_left(sessions, 0, now=clock.now, sleep=clock.sleep)
    assert why(tally(), left=left) == ["sessions left 10 s after the last call had ended: 1"]


def test_of_a_server_whose_process_is_not_known_only_sessions_and_times_are_told(
    tmp_path: Path, server_address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest, out = tmp_path / "m.jsonl", tmp_path / "o.json"
    manifest.write_text(json.dumps({"audio": str(recording("hello_world")), "text": "Hello world."}))
    arguments = ["soak", "--manifest", str(manifest), "--minutes", "0.1", "--streams", "1", "--server", server_address, "--json", str(out)]
    assert main([*arguments, "--require", "clips<0"]) == 1
    result = json.loads(out.read_text())
    assert result["passed"]
    assert result["growth"]["resident_mb"] is None
    said = capsys.readouterr()
    assert "memory, threads, open files: the server's process is not known: name it with --server-pid" in said.out
    assert "clips is" in said.err
