"""What a rush is found to have done, phase by phase; the result as JSON, and a short real run."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_server.accuracy.manifest import Clip
from asr_server.api.clip import Clip as Audio
from asr_server.api.results import LedgerView
from asr_server.engine.engine import Release
from bench.__main__ import main
from bench.overload import BACK_SHARE, BACK_WITHIN, FEWEST_BACK, FIELDS, Phase, Setup, back_after_s, is_good, phases_of, report
from bench.pace import Lag
from bench.rush import MOST_TRIES, PHASES, Attempt, Borders
from bench.serving import StopMs
from bench.speech_end import SpeechEnd
from bench.streams import FinalSeen, Part, Spoken
from bench.usage import BeforeAndMost, Used
from bench.validity import Bench
from eval.recognisers import System
from tests.recordings import recording

BORDERS = Borders(100.0, 160.0, 220.0, 280.0)
SETUP = Setup(
    manifest="m.jsonl",
    manifest_sha256="0" * 64,
    clips=5,
    max_duration_s=8.0,
    seconds=60.0,
    callers=6,
    interim_results=False,
    preset="balanced",
    own_server=True,
    config=None,
    stop_ms=StopMs(200, 600),
)
SYSTEM = System("1.0", "v1", Release("fake", "0" * 64))
USED = Used(50.0, 5.0, BeforeAndMost(200.0, 210.0), BeforeAndMost(8, 9), BeforeAndMost(20, 21))
CALM = Bench(USED, 2.0)
PART = Part(Clip("a", Path("a.wav"), "hello"), Audio(b"", 8_000, 1), SpeechEnd(1.0, "words"))


def heard(begun_s: float, ms: float, *, number: int = 1, late: bool = False, own_ms: float = 0.5) -> Attempt:
    """Let in after `number - 1` refusals, of which each told it to wait 2 s."""
    final = FinalSeen("hello", 0.0, 1.0, ms, LedgerView(500, 90, late=late))
    spoken = Spoken(PART, (final,), (Lag(own_ms, 0.0),))
    return Attempt(0, begun_s, begun_s + 2, number, 2.0 * (number - 1), number > 1, spoken)


def refused(begun_s: float, *, number: int = 1, retry_after_s: float | None = 2.0) -> Attempt:
    spoken = Spoken(PART, (), (), "no room", refused=True, retry_after_s=retry_after_s)
    return Attempt(0, begun_s, begun_s, number, 2.0 * (number - 1), number > 1, spoken)


def lost(begun_s: float) -> Attempt:
    return Attempt(0, begun_s, begun_s + 2, 1, 0.0, False, Spoken(PART, (), (Lag(0.5, 0.0),)))


def result_of(*attempts: Attempt, bench: Bench = CALM) -> dict[str, Any]:
    phases = phases_of(attempts, BORDERS, [USED, USED, None])
    made = report(phases, bench, streams=2, factor=3.0, longest_loop_stall_ms=12.34, setup=SETUP, system=SYSTEM, machine={"cpu": "slow"})
    return dict(json.loads(json.dumps(made)))


def test_what_it_has_at_its_top_is_told_beforehand() -> None:
    assert tuple(result_of()) == FIELDS


def test_a_call_is_of_the_phase_in_which_it_began() -> None:
    attempts = [heard(at_s, 300.0) for at_s in (99.9, 100.0, 159.9, 160.0, 219.9, 220.0, 279.9, 280.0)]
    result = result_of(*attempts)
    assert [result[name]["clips"] for name in PHASES] == [2, 2, 2]
    assert [result[name]["seconds"] for name in PHASES] == [60.0, 60.0, 60.0]
    assert [result[name]["server"] is None for name in PHASES] == [False, False, True]


def test_times_are_of_those_who_were_let_in_and_held_against_the_steady_load() -> None:
    result = result_of(heard(110, 400.0), heard(170, 600.0), refused(171), refused(172), heard(230, 420.0))
    assert (result["overload"]["clips"], result["overload"]["refused"], result["overload"]["wer"]) == (1, 2, 0.0)
    assert result["p95_ratio"] == {"overload": 1.5, "recovery": 1.05}
    assert is_good(result)


def test_whether_the_time_that_was_told_was_true_is_counted_over_all_who_waited_for_it() -> None:
    result = result_of(
        heard(110, 400.0),
        refused(170),
        refused(172, number=2),
        heard(174, 400.0, number=3),
        refused(180),
        heard(182, 400.0, number=2),
    )
    assert result["admitted_as_told"] == {"tried": 3, "admitted": 2, "share": 0.667}
    assert (result["overload"]["tried_again_as_told"], result["overload"]["admitted_as_told"]) == (3, 2)
    assert result["overload"]["retry_after_s"]["max"] == 2.0
    assert result["overload"]["waited_s"]["max"] == 4.0


def test_when_nobody_was_refused_nothing_is_said_of_the_truth() -> None:
    assert result_of(heard(110, 400.0))["admitted_as_told"] == {"tried": 0, "admitted": 0, "share": None}


def test_clips_that_were_given_up_are_counted() -> None:
    result = result_of(refused(170), refused(172, number=MOST_TRIES))
    assert (result["overload"]["refused"], result["overload"]["given_up"]) == (2, 1)


def test_a_refusal_after_audio_had_gone_is_told_apart() -> None:
    taken_first = Spoken(PART, (), (Lag(0.5, 0.0),), "no room", refused=True)
    result = result_of(refused(170), Attempt(0, 171.0, 172.0, 1, 0.0, False, taken_first))
    assert (result["overload"]["refused"], result["overload"]["refused_after_audio"]) == (2, 1)


def test_whoever_was_let_in_may_not_be_lost_and_late_is_only_told() -> None:
    assert not is_good(result_of(heard(110, 400.0), lost(170)))
    assert result_of(lost(170))["failed_because"] == ["overload: 1 clips lost"]
    late = result_of(heard(110, 400.0), heard(170, 900.0, late=True))
    assert (late["overload"]["late"], is_good(late)) == (1, True)


def test_a_bench_that_was_too_slow_itself_has_measured_itself() -> None:
    result = result_of(heard(110, 400.0, own_ms=40.0))
    assert (result["valid"], is_good(result)) == (False, False)
    assert not result_of(heard(110, 400.0), bench=Bench(USED, 400.0))["valid"]


def recovery(times_ms: Sequence[float]) -> Phase:
    return Phase(220.0, 280.0, tuple(heard(221.0 + number, ms) for number, ms in enumerate(times_ms)), None)


def test_it_is_over_from_the_first_clip_on_after_which_all_but_one_in_twenty_are_as_before() -> None:
    assert back_after_s(recovery([400.0] * 10), 400.0) == 0.0
    assert back_after_s(recovery([900.0, 800.0, 441.0] + [440.0] * 10), 400.0) == 4.0
    assert back_after_s(recovery([900.0] + [400.0] * 30), 400.0) == 0.0
    assert back_after_s(recovery([900.0] + [400.0] * 10), 400.0) == 2.0


def test_it_is_not_known_to_be_over_where_too_few_clips_tell_or_there_is_nothing_to_hold_them_against() -> None:
    assert back_after_s(recovery([400.0] * (FEWEST_BACK - 1)), 400.0) is None
    assert back_after_s(recovery([900.0] * 10), 400.0) is None
    assert back_after_s(recovery([400.0] * 10), None) is None
    assert back_after_s(recovery([]), 400.0) is None


@given(st.lists(st.sampled_from([400.0, 900.0]), max_size=40))
def test_whenever_it_is_said_to_be_over_it_was(times_ms: list[float]) -> None:
    after_s = back_after_s(recovery(times_ms), 400.0)
    if after_s is None:
        assert times_ms[-FEWEST_BACK:] != [400.0] * FEWEST_BACK
    else:
        rest = times_ms[max(round(after_s) - 1, 0) :]
        assert len(rest) >= FEWEST_BACK
        assert sum(ms <= 400.0 * BACK_WITHIN for ms in rest) >= BACK_SHARE * len(rest)


def test_a_real_server_is_rushed_upon_and_lets_nobody_down(tmp_path: Path, server_address: str, capsys: pytest.CaptureFixture[str]) -> None:
    """How fast it was is not checked, only that all is told."""
    manifest, out = tmp_path / "m.jsonl", tmp_path / "o.json"
    manifest.write_text(json.dumps({"audio": str(recording("hello_world")), "text": "Hello world."}))
    given = ["--manifest", str(manifest), "--server", server_address, "--json", str(out)]
    code = main(["overload", *given, "--streams", "1", "--factor", "2", "--seconds", "3"])
    result = json.loads(out.read_text())
    assert code == (0 if result["valid"] and not result["failed_because"] else 1)
    assert all(result[name]["clips"] >= 1 for name in PHASES)
    assert (result["setup"]["callers"], result["setup"]["preset"]) == (2, "balanced")
    told = capsys.readouterr()
    assert "as before the overload" in told.out
    assert "overload: 2 callers, 3 s" in told.err
