import json
from pathlib import Path

import pytest

from asr_server.api.clip import Clip as Audio
from asr_server.api.results import LedgerView, Slice
from asr_server.engine.engine import Release
from asr_server.errors import WrongCall
from bench.alone import Alone
from bench.latency import Setup, report, select
from bench.speech_end import SpeechEnd
from bench.streams import FinalSeen, Part, Spoken
from eval.manifest import Clip
from eval.recognisers import System

SETUP = Setup(streams=2, interim_results=False, own_server=True, vad_stop_ms=500, budget_ms={"asr": 300.0})
SYSTEM = System("1.0", "v1", Release("fake", "0" * 64))
FIXED_FIELDS = {
    *("streams", "segments", "ttfs_ms", "response_ms", "asr_ms", "slices_ms", "late", "degraded", "lost", "wer"),
    *("floor_ms", "baseline_ms", "machine", "system"),
}


def spoken(text: str, *finals: FinalSeen, error: str = "") -> Spoken:
    return Spoken(Part(Clip(text, Path("a.wav"), text), Audio(b"", 8_000, 1), SpeechEnd(1.0, "words")), finals, (0.5,), error)


def seen(text: str, held_after_ms: float, *, late: bool = False, degraded: tuple[str, ...] = ()) -> FinalSeen:
    ledger = LedgerView(500, 90, (Slice("queue", 60, 5), Slice("asr", 300, 80)), late=late, degraded=degraded, endpoint_wait_ms=500)
    return FinalSeen(text, 0.0, 1.0, held_after_ms, ledger)


def result_of(*results: Spoken) -> dict[str, object]:
    made = report(results, Alone([70.0], [400.0]), setup=SETUP, system=SYSTEM, machine={"cpu": "slow"}, longest_loop_stall_ms=1.26)
    return dict(json.loads(json.dumps(made)))


def test_the_fields_that_users_rely_on_are_there() -> None:
    assert set(result_of(spoken("hello", seen("hello", 600)))) >= FIXED_FIELDS


def test_times_are_of_clips_and_of_finals() -> None:
    result = result_of(spoken("one two", seen("one", -200), seen("two", 600)), spoken("three", seen("three", 700)))
    assert (result["clips"], result["segments"], result["streams"]) == (2, 3, 2)
    assert result["ttfs_ms"] == {"p50": 600, "p95": 700, "p99": 700, "max": 700}
    assert result["response_ms"] == {"p50": 90, "p95": 90, "p99": 90, "max": 90}
    assert result["asr_ms"] == {"p50": 80, "p95": 80, "p99": 80, "max": 80}
    assert result["floor_ms"] == {"p50": 70, "p95": 70, "p99": 70, "max": 70}


def test_slices_are_told_as_spent_beside_what_was_planned() -> None:
    slices = result_of(spoken("one", seen("one", 600)))["slices_ms"]
    assert isinstance(slices, dict)
    planned = {"p50": 60, "p95": 60, "p99": 60, "max": 60}
    assert slices["queue"] == {"p50": 5, "p95": 5, "p99": 5, "max": 5, "planned": planned}
    assert set(slices) == {"ingest", "condition", "queue", "asr", "post", "send", "reserve"}


def test_what_went_wrong_is_counted() -> None:
    late = spoken("one", seen("one", 1200, late=True, degraded=("beam",)))
    early = spoken("two", seen("two", -100))
    result = result_of(late, early, spoken("three", error="broken"), spoken(""))
    assert [result[name] for name in ("late", "degraded", "lost", "early")] == [1, 1, 1, 1]
    assert result["failed"] == [{"id": "three", "error": "broken"}]


def test_lost_words_are_errors() -> None:
    result = result_of(spoken("hello there", seen("Hello there.", 600)), spoken("all of it gone"))
    assert (result["wer"], result["words"]) == (0.66667, 6)


def clip(name: str, duration_s: float) -> Clip:
    return Clip(name, Path(name), "", duration_s=duration_s)


def test_short_clips_are_chosen_in_order() -> None:
    clips = [clip("a", 3.0), clip("b", 9.0), clip("c", 8.0), clip("d", 1.0)]
    assert [chosen.id for chosen in select(clips, streams=1, limit=2, max_duration_s=8.0)] == ["a", "c"]


def test_fewer_clips_than_streams_is_a_wrong_call() -> None:
    with pytest.raises(WrongCall, match="--streams 2 wants as many clips at least; 1 are left"):
        select([clip("a", 3.0)], streams=2, limit=None, max_duration_s=8.0)
