"""What a person sees of a server at a terminal."""

import io

from rich.console import Console, RenderableType

from asr_server.live.view import view
from asr_server.watch.status import Drifting, DriftStatus, Latency, ObjectiveState, Recent, ServerStatus, WindowState
from tests.watch.journal.made import quieter

STATUS = ServerStatus(
    is_serving=True,
    active_sessions=3,
    queue_depth=2,
    running=1,
    threads=2,
    memory_bytes=900_000_000,
    prediction_error=1.12,
    recent=Recent(40, 2, 1, 0, 5, (Latency("response", 500.0, 5.0, 600.0, 700.0), Latency("asr", 300.0, 0.0, 150.0, 200.0))),
    probe_wer=0.05,
    probe_wer_change=0.02,
    probe_ttfs_ms=410.0,
    labelled_words=200,
    labelled_errors=14,
)
OBJECTIVES = (
    ObjectiveState("response", 0.99, (WindowState(3_600.0, 100, 20, 20.0),), "page"),
    ObjectiveState("calls", 0.999, (WindowState(3_600.0, 0, 0, 0.0),)),
)
DRIFT = DriftStatus(
    True, "base", 500, True, False, False, (Drifting("loudness_lufs", "audio", "LUFS", "microphones", "client", "kiosk"),), (quieter(),)
)


def shown(what: RenderableType) -> str:
    console = Console(width=140, record=True, file=io.StringIO())
    console.print(what)
    return console.export_text()


def test_everything_that_matters_is_on_one_screen() -> None:
    text = shown(view("host:1", STATUS, DRIFT, OBJECTIVES))
    for part in (
        "3 inside, 1 of 2 threads at work, 2 decodes wait, 900 MB, predictions off by 12 %",
        "40 segments, 2 late, 5 degraded, 1 without words",
        "response 20.0 PAGE, calls no events",
        "loudness_lufs of client kiosk: sudden, severe: -26 to -38",
        "200 words, WER 7.0 %",
        "golden clips: WER 5.0 % (+2.0), time to final text 410 ms",
    ):
        assert part in text
    assert len(text.splitlines()) <= 24


def test_a_slice_over_its_plan_fills_its_bar() -> None:
    lines = shown(view("host:1", STATUS, DRIFT, OBJECTIVES)).splitlines()
    over, under = (next(line for line in lines if name in line and "█" in line) for name in ("response", "asr"))
    assert (over.count("█"), over.count("·")) == (30, 0)
    assert (under.count("█"), under.count("·")) == (15, 15)


def test_a_server_that_loads_says_so() -> None:
    assert "loading its model" in shown(view("host:1", ServerStatus(), DriftStatus(), ()))


def test_without_a_reference_nothing_is_claimed_of_drift() -> None:
    assert "no reference (telemetry.reference)" in shown(view("host:1", STATUS, DriftStatus(), OBJECTIVES))
