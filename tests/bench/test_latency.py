import json
from collections.abc import Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from asr_server.accuracy.manifest import Clip
from asr_server.api.clip import Clip as Audio
from asr_server.api.results import LedgerView, Slice
from asr_server.engine.engine import Release
from asr_server.errors import WrongCall
from bench.alone import Alone
from bench.clips import make_ready
from bench.ending import End
from bench.latency import FIELDS, Measured, Setup, Surroundings, is_good, report, select, warm_up
from bench.latency_table import lines, times
from bench.pace import Lag
from bench.partials import Shown
from bench.serving import StopMs
from bench.speech_end import SpeechEnd
from bench.streams import EagerSeen, FinalSeen, Part, Spoken
from bench.usage import BeforeAndMost, Used
from eval.recognisers import System
from tests.recordings import recording

SETUP = Setup(
    manifest="/m.jsonl",
    manifest_sha256="0" * 64,
    streams=2,
    interim_results=True,
    eager_results=False,
    preset="balanced",
    end=End.SILENCE,
    max_duration_s=8.0,
    warm_up_clips=2,
    own_server=True,
    config=None,
    stop_ms=StopMs(200, 480),
    vad_stop_ms=480,
    budget_ms={"asr": 300.0},
    model_alone="tiny.en",
    definition_alone="v1 0123456789ab",
    baseline=True,
)
SYSTEM = System("1.0", "v1", Release("fake", "0" * 64))
USED = Used(50.0, 5.0, BeforeAndMost(200.0, 210.0), BeforeAndMost(8, 9), BeforeAndMost(20, 21))
CALM = Surroundings(server=USED, server_stall_ms=1.26, bench=replace(USED, cpu_percent=4.5), bench_stall_ms=2.0)
FIXED_FIELDS = {
    *("streams", "segments", "ttfs_ms", "response_ms", "asr_ms", "slices_ms", "late", "degraded", "lost", "wer"),
    *("floor_ms", "baseline_ms", "machine", "system"),
}


IN_TIME = Lag(own_ms=0.5, taken_late_ms=0.0)


def spoken(
    text: str, *finals: FinalSeen, error: str = "", refused: bool = False, lag: Lag = IN_TIME, shown: tuple[Shown, ...] = ()
) -> Spoken:
    part = Part(Clip(text, Path("a.wav"), text), Audio(b"", 8_000, 1), SpeechEnd(1.0, "words"))
    return Spoken(part, finals, (lag,), error, refused, shown)


def seen(text: str, held_after_ms: float, *, late: bool = False, degraded: tuple[str, ...] = ()) -> FinalSeen:
    ledger = LedgerView(500, 90, (Slice("queue", 60, 5), Slice("asr", 300, 80)), late=late, degraded=degraded, endpoint_wait_ms=500)
    return FinalSeen(text, 0.0, 1.0, held_after_ms, ledger)


def test_parts_of_speech_that_goes_on_are_no_answers() -> None:
    part, pause, end = seen("a", 0.0), seen("b", 0.0), seen("c", 0.0)
    part = replace(part, ledger=replace(part.ledger, endpoint_wait_ms=0.0))
    asked_for = replace(end, ledger=replace(end.ledger, endpoint_wait_ms=0.0))
    assert spoken("a b c", part, pause, end).answers == (pause, end)
    assert spoken("a b c", part, pause, asked_for).answers == (pause, asked_for), "the last was asked for, by finalize or half-close"


def alone(one: Spoken, full_context: str | None = None) -> Measured:
    return Measured(one, Alone((70.0,) * len(one.finals), 400.0, full_context))


def result_of(
    *results: Spoken | Measured,
    surroundings: Surroundings = CALM,
    setup: Setup = SETUP,
    machine: dict[str, object] | None = None,
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    measured = [alone(one) if isinstance(one, Spoken) else one for one in results]
    made = report(measured, surroundings=surroundings, setup=setup, system=SYSTEM, machine=machine or {"cpu": "slow"}, notes=notes)
    return dict(json.loads(json.dumps(made)))


def test_what_it_has_at_its_top_is_told_beforehand() -> None:
    assert tuple(result_of()) == FIELDS


def test_the_fields_that_users_rely_on_are_there() -> None:
    assert set(result_of(spoken("hello", seen("hello", 600)))) >= FIXED_FIELDS


def test_times_are_of_clips_and_of_finals() -> None:
    result = result_of(spoken("one two", seen("one", -200), seen("two", 600)), spoken("three", seen("three", 700)))
    assert (result["clips"], result["segments"], result["streams"]) == (2, 3, 2)
    assert result["ttfs_ms"] == {"p50": 600, "p95": 700, "p99": 700, "max": 700}
    assert result["response_ms"] == {"p50": 90, "p95": 90, "p99": 90, "max": 90}
    assert result["asr_ms"] == {"p50": 80, "p95": 80, "p99": 80, "max": 80}
    assert result["floor_ms"] == {"p50": 70, "p95": 70, "p99": 70, "max": 70}


def test_recognition_is_told_whole_and_how_much_of_it_was_done_before_the_clock_started() -> None:
    final = seen("one", 300)
    begun_early = replace(final, ledger=replace(final.ledger, speculated_ms=120))
    result = result_of(spoken("one", begun_early), spoken("two", seen("two", 600)))
    assert (result["asr_ms"]["p50"], result["asr_ms"]["max"]) == (80, 200)
    assert (result["speculated_ms"]["p50"], result["speculated_ms"]["max"]) == (0, 120)
    assert result["slices_ms"]["asr"]["max"] == 80
    assert result["runs"][0]["finals"][0]["ledger"]["speculated_ms"] == 120


def test_eager_texts_are_told_with_how_many_stood_and_when_the_text_that_stands_was_there() -> None:
    told = replace(spoken("one", seen("one", 600)), eager=(EagerSeen(0, "on", 100), EagerSeen(0, "one", 250)), eager_stood=1)
    result = result_of(told, spoken("two", seen("two", 700)), setup=replace(SETUP, eager_results=True))
    assert result["eager"] == {"told": 2, "stood": 1, "ms": {"p50": 250, "p95": 700, "p99": 700, "max": 700}}
    assert result["runs"][0]["eager"] == [{"text": "on", "held_after_ms": 100}, {"text": "one", "held_after_ms": 250}]
    assert "1 of 2 eager texts stood" in lines({**result, "machine": MACHINE})


def test_a_run_that_did_not_ask_for_eager_texts_has_no_figures_of_them() -> None:
    assert result_of(spoken("one", seen("one", 600)))["eager"] is None


def test_the_preset_is_told_with_its_shortest_and_longest_wait() -> None:
    result = result_of(machine=MACHINE)
    assert (result["setup"]["preset"], result["setup"]["stop_ms"]) == ("balanced", {"shortest": 200, "longest": 480})
    assert lines(result)[0] == "preset balanced: segments are closed after 200 to 480 ms of silence"


def test_the_answer_to_a_caller_who_ends_is_told_beside_the_baseline() -> None:
    answered = [replace(spoken(text, seen(text, 600)), answer_ms=ms) for text, ms in (("one", 100.0), ("two", 200.0))]
    result = result_of(*answered, setup=replace(SETUP, end=End.FINALIZE), machine=MACHINE)
    assert result["answer_ms"] == {"p50": 100, "p95": 200, "p99": 200, "max": 200}
    assert (result["answer_by_baseline"], result["setup"]["end"]) == (0.25, "finalize")
    assert [run["answer_ms"] for run in result["runs"]] == [100, 200]
    assert "answer, p50: 0.25 times the baseline" in lines(result)
    assert "answer to finalize" in [str(cell) for cell in times(result).columns[0].cells]


def test_an_open_microphone_has_no_answer_to_tell() -> None:
    result = result_of(spoken("one", seen("one", 600)), machine=MACHINE)
    assert (result["answer_ms"]["p50"], result["answer_by_baseline"]) == (None, None)
    assert not [cell for cell in times(result).columns[0].cells if str(cell).startswith("answer")]


def test_slices_are_told_as_spent_beside_what_was_planned() -> None:
    slices = result_of(spoken("one", seen("one", 600)))["slices_ms"]
    planned = {"p50": 60, "p95": 60, "p99": 60, "max": 60}
    assert slices["queue"] == {"p50": 5, "p95": 5, "p99": 5, "max": 5, "planned": planned}
    assert set(slices) == {"ingest", "condition", "queue", "asr", "post", "send", "reserve"}


def test_what_went_wrong_is_counted() -> None:
    late = spoken("one", seen("one", 1200, late=True, degraded=("beam",)))
    early = spoken("two", seen("two", -300))
    result = result_of(late, early, spoken("three", error="broken"), spoken("four", error="no room", refused=True), spoken(""))
    assert [result[name] for name in ("late", "degraded", "lost", "early", "refused")] == [1, 1, 2, 1, 1]
    assert result["failed"] == [{"id": "three", "error": "broken"}, {"id": "four", "error": "no room"}]


def test_an_early_clip_and_one_without_words_are_in_no_time_to_final_text() -> None:
    made_up = spoken("", seen("you", 90.0), shown=(Shown(0, "you", 80.0, 80.0, is_final=True),))
    result = result_of(spoken("one", seen("one", 600), shown=SHOWN), spoken("two", seen("two", -300)), made_up)
    assert result["ttfs_ms"] == {"p50": 600, "p95": 600, "p99": 600, "max": 600}
    assert result["first_partial_ms"]["p50"] == 700
    assert [run["ttfs_ms"] for run in result["runs"]] == [600, None, None]


def test_lost_words_are_errors() -> None:
    result = result_of(spoken("hello there", seen("Hello there.", 600)), spoken("all of it gone"))
    assert (result["wer"], result["words"]) == (0.66667, 6)


def test_a_word_is_lost_when_the_whole_clip_told_it_and_the_stream_did_not() -> None:
    """Of five words full context hears four, and the stream one of those: what neither heard is lost by neither."""
    in_stream = spoken("the cat sat on mats", seen("The cast at", 600), seen("on maths.", 600))
    result = result_of(alone(in_stream, full_context="the cat sat in mats"))
    assert (result["lost_words"], result["lost_words_of"]) == (3, 4)
    assert result["runs"][0]["lost_words"] == ["cat", "sat", "mats"]
    assert result["full_context"] == {"wer": 0.2, "words": 5, "clips": 1}


def test_a_clip_that_cannot_be_heard_whole_loses_no_words() -> None:
    result = result_of(spoken("one two", error="broken"))
    assert (result["lost_words"], result["lost_words_of"]) == (0, 0)
    assert result["full_context"] == {"wer": None, "words": 0, "clips": 0}


SHOWN = (
    Shown(0, "one to", 700.0, 150.0, is_final=False),
    Shown(0, "one two", 1000.0, 190.0, is_final=False),
    Shown(0, "One two.", 1700.0, 600.0, is_final=True),
)


def test_partials_are_told_by_first_words_cadence_lag_and_revisions() -> None:
    result = result_of(spoken("one two", seen("One two.", 600), shown=SHOWN))
    assert result["first_partial_ms"]["p50"] == 700
    assert result["partial_cadence_ms"] == {"p50": 300, "p95": 300, "p99": 300, "max": 300}
    assert result["partial_lag_ms"] == {"p50": 150, "p95": 190, "p99": 190, "max": 190}
    assert result["revised_words"] == {"revised": 1, "final_words": 2, "rate": 0.5}
    run = result["runs"][0]
    assert (run["first_partial_ms"], run["partials"], run["revised_words"]) == (700, 2, 1)


def test_without_partials_the_first_words_are_a_finals_and_the_rest_was_not_measured() -> None:
    result = result_of(spoken("one two", seen("One two.", 600), shown=SHOWN[2:]), setup=replace(SETUP, interim_results=False))
    assert result["first_partial_ms"]["p50"] == 1700
    assert result["partial_cadence_ms"]["p50"] is None
    assert result["partial_lag_ms"]["p50"] is None
    assert result["revised_words"] == {"revised": None, "final_words": 2, "rate": None}


def test_a_bench_that_was_late_itself_makes_the_run_invalid_and_a_server_that_was_does_not() -> None:
    assert result_of(spoken("one", lag=Lag(0.0, 400.0)))["valid"]
    assert not result_of(spoken("one", lag=Lag(0.0, 400.0)), surroundings=replace(CALM, bench=None))["valid"]
    assert not result_of(spoken("one"), surroundings=replace(CALM, bench=replace(USED, cpu_percent=99.0)))["valid"]
    late = result_of(spoken("one", lag=Lag(400.0, 0.0)))
    assert (late["valid"], len(late["invalid_because"])) == (False, 2)
    stalled = result_of(spoken("one"), surroundings=replace(CALM, bench_stall_ms=300.0))
    assert (stalled["valid"], len(stalled["invalid_because"])) == (False, 1)


def test_a_run_is_good_when_nothing_was_lost_early_or_failed_and_it_is_valid() -> None:
    heard = spoken("one", seen("one", 600))
    assert is_good(result_of(heard))
    assert not is_good(result_of(heard, spoken("two")))
    assert not is_good(result_of(heard, spoken("two", seen("two", -300))))
    assert not is_good(result_of(heard, spoken("", error="broken")))
    assert not is_good(result_of(heard, surroundings=replace(CALM, bench_stall_ms=300.0)))


MACHINE: dict[str, object] = {"cpu": "Slow CPU", "cores": 2, "flags": ["avx2"], "load_average": 0.5, "ctranslate2": "4.8"}


def test_the_table_fits_80_columns_with_every_word_of_it() -> None:
    written = StringIO()
    console = Console(width=80, file=written)
    console.print(times(result_of(spoken("one two", seen("One two.", 600), shown=SHOWN), machine=MACHINE)))
    told = written.getvalue()
    assert "…" not in told
    assert all(name in told for name in ("time to final text", "between partials", "floor", "baseline", "bench woke late"))


def test_a_terminal_is_told_what_was_left_out_and_that_a_run_is_not_valid() -> None:
    heard = spoken("one two", seen("One two.", 600), shown=SHOWN)
    told = lines(result_of(heard, machine=MACHINE))
    assert "2 clips were spoken before to warm up and are in no figure" in told
    assert "1 shown words revised, 50.00 % of 2 final words" in told
    assert not any("INVALID" in line for line in told)
    stalled = result_of(
        heard,
        surroundings=replace(CALM, server=None, bench=None, server_stall_ms=47.0, bench_stall_ms=300.0),
        setup=replace(SETUP, baseline=False, interim_results=False),
        machine=MACHINE,
        notes=["another model"],
    )
    told = lines(stalled)
    assert told[-2] == "note: another model"
    assert told[-1] == "INVALID: the bench's event loop stalled for 300 ms, allowed 100"
    assert "2 clips were spoken before to warm up and are in no figure; no baseline was measured" in told
    assert "server: process not known, longest loop stall 47 ms" in told
    assert not any("revised" in line for line in told)


def test_lag_is_told_whole_and_by_whose_doing_it_was() -> None:
    result = result_of(spoken("one", lag=Lag(3.0, 40.0)))
    assert (result["pacing_lag_ms"]["max"], result["bench"]["own_lag_ms"]["max"], result["bench"]["taken_late_ms"]["max"]) == (43, 3, 40)


def test_what_server_and_bench_used_is_told() -> None:
    result = result_of(spoken("one"))
    assert (result["server"]["cpu_percent"], result["server"]["resident_mb"]) == (50.0, {"before": 200.0, "max": 210.0})
    assert (result["bench"]["cpu_percent"], result["bench"]["longest_loop_stall_ms"], result["longest_loop_stall_ms"]) == (4.5, 2.0, 1.3)


def test_a_server_whose_process_is_not_known_is_null() -> None:
    assert result_of(spoken("one"), surroundings=replace(CALM, server=None))["server"] is None


def test_floor_and_baseline_are_told_for_each_clip_too() -> None:
    run = result_of(spoken("one two", seen("one", 600), seen("two", 600)))["runs"][0]
    assert (run["baseline_ms"], [final["floor_ms"] for final in run["finals"]]) == (400, [70, 70])


def test_a_run_without_a_baseline_says_so() -> None:
    result = result_of(Measured(spoken("one"), Alone()), setup=replace(SETUP, baseline=False))
    assert result["baseline_ms"] == {"p50": None, "p95": None, "p99": None, "max": None}
    assert result["setup"]["baseline"] is False


def test_a_run_of_nothing_has_every_field() -> None:
    assert set(result_of()) == set(result_of(spoken("hello", seen("hello", 600))))


def clip(name: str, duration_s: float) -> Clip:
    return Clip(name, Path(name), "", duration_s=duration_s)


def test_short_clips_are_chosen_in_order() -> None:
    clips = [clip("a", 3.0), clip("b", 9.0), clip("c", 8.0), clip("d", 1.0)]
    assert [chosen.id for chosen in select(clips, streams=1, limit=2, max_duration_s=8.0)] == ["a", "c"]


def test_fewer_clips_than_streams_is_a_wrong_call() -> None:
    with pytest.raises(WrongCall, match="--streams 2 wants as many clips at least; 1 are left"):
        select([clip("a", 3.0)], streams=2, limit=None, max_duration_s=8.0)


def test_warm_up_takes_clips_that_are_not_measured_and_then_the_first_again() -> None:
    clips = [clip("a", 3.0), clip("b", 9.0), clip("c", 8.0), clip("d", 1.0)]
    spoken_before = warm_up(clips, clips[:1], count=5, max_duration_s=8.0)
    assert [chosen.id for chosen in spoken_before] == ["c", "d", "a", "a", "a"]
    assert warm_up(clips, clips[:1], count=0, max_duration_s=8.0) == []


def test_a_clip_is_made_ready_with_where_its_speech_begins_and_ends() -> None:
    part = make_ready(Clip("fox", recording("quick_brown_fox"), ""))
    assert 0.0 <= part.speech_start_s < part.end.at_s <= part.audio.duration_s
    assert part.end.known_by == "energy"
