"""What a transcription shows: on a terminal, as plain lines, as JSON lines."""

import io
import json
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from asr_server.api.results import AlternativeText, LedgerView, Result, Slice, SpeechEvent, SystemView, WordTime
from asr_server.transcribe.display import BAR_CELLS, JsonDisplay, PlainDisplay, TerminalDisplay, bar_cells, budget_line
from asr_server.transcribe.summary import Summary, summarize
from asr_server.transcribe.wording import clock, ledger_text, summary_text

LEDGER = LedgerView(
    budget_ms=500,
    response_ms=142,
    slices=(Slice("condition", 20, 3), Slice("queue", 60, 1), Slice("asr", 300, 131), Slice("post", 10, 1), Slice("send", 20, 0.2)),
    endpoint_wait_ms=500,
    predicted_ms=128,
    beam_size=5,
    audio_ms=1200,
)
SYSTEM = SystemView("0.1.0", "v1", "0123456789ab", "base", "d01c", {"beam_size": "5"})
FINAL = Result(
    text="Hello [bold]there[/bold].",
    stable_text="Hello [bold]there[/bold].",
    is_final=True,
    stability=1.0,
    segment=2,
    start_s=0.52,
    end_s=3.1,
    received_at_s=100.0,
    language="en",
    confidence=0.875,
    alternatives=(AlternativeText("Hello [bold]there[/bold].", 0.875),),
    words=(WordTime("Hello", 0.52, 0.77, 0.5),),
    ledger=LEDGER,
    system=SYSTEM,
)
PARTIAL = Result(
    text="Hello the",
    stable_text="Hello",
    is_final=False,
    stability=0.1,
    segment=2,
    start_s=0.52,
    end_s=1.5,
    received_at_s=99.0,
    language="en",
)
EAGER = replace(PARTIAL, text="Hello there.", stable_text="Hello there.", stability=1.0)
END = SpeechEvent("end_of_utterance", 4.25, 100.0)
SUMMARY = summarize([FINAL, replace(FINAL, text="Yes.", ledger=replace(LEDGER, response_ms=620, late=True))], 12.4, None)


def terminal() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, color_system="truecolor", width=140, record=True, highlight=False)


def json_lines(*shown: Result | SpeechEvent | Summary, ttfs_ms: float | None = None) -> list[dict[str, Any]]:
    out = io.StringIO()
    with JsonDisplay(out) as display:
        for item in shown:
            if isinstance(item, Summary):
                display.summary(item)
            elif isinstance(item, SpeechEvent):
                display.event(item)
            elif item.is_final:
                display.final(item, ttfs_ms)
            else:
                display.partial(item)
    return [json.loads(line) for line in out.getvalue().splitlines()]


# ------------------------------------------------------------------------------------------------------------------ terminal


def test_a_partial_shows_its_stable_part_plain_and_the_rest_dim() -> None:
    console = terminal()
    with TerminalDisplay(console) as display:
        display.partial(PARTIAL)
        written = console.file.getvalue()  # type: ignore[attr-defined]  # a StringIO
    assert "Hello\x1b[2m the\x1b[0m" in written


def test_a_partial_is_drawn_over_the_one_before_and_gone_after_the_final() -> None:
    console = terminal()
    with TerminalDisplay(console) as display:
        display.partial(PARTIAL)
        display.partial(replace(PARTIAL, text="Hello there", stable_text="Hello"))
        between = console.file.getvalue()  # type: ignore[attr-defined]  # a StringIO
        display.final(FINAL, None)
    assert "\r\x1b[2K" in between[between.index("Hello") :]
    kept = console.export_text()
    assert "Hello [bold]there[/bold]." in kept


def test_a_final_stays_with_its_time_its_bar_and_its_milliseconds() -> None:
    console = terminal()
    with TerminalDisplay(console) as display:
        display.final(FINAL, 652.4)
    lines = [line.rstrip() for line in console.export_text().splitlines() if line.strip()]
    assert lines[0] == "0:00.52-0:03.10 Hello [bold]there[/bold]."
    assert lines[1] == "  Hello 0:00.52 (0.50)"
    bar = "━" * 8 + "─" * 22
    assert lines[2] == f"  {bar} 142 ms of 500: condition 3 | queue 1 | asr 131 | post 1; 652 ms after speech end"


def test_an_eager_text_is_shown_like_a_partial_that_is_stable() -> None:
    console = terminal()
    with TerminalDisplay(console) as display:
        display.partial(EAGER)
        written = console.file.getvalue()  # type: ignore[attr-defined]  # a StringIO
    assert "Hello there." in written
    assert "\x1b[2mHello" not in written


def test_a_start_timeout_is_told_and_other_events_are_not() -> None:
    console = terminal()
    with TerminalDisplay(console) as display:
        display.event(END)
        display.event(SpeechEvent("start_timeout", 5.0, 1.0))
    assert console.export_text().strip() == "0:05.00 no speech"


def test_the_summary_is_the_last_line() -> None:
    console = terminal()
    with TerminalDisplay(console) as display:
        display.partial(PARTIAL)
        display.summary(SUMMARY)
    assert console.export_text().rstrip().endswith(summary_text(SUMMARY))


# ----------------------------------------------------------------------------------------------------------------------- bar


def test_the_bar_gives_each_slice_cells_in_proportion_to_the_budget() -> None:
    ledger = replace(LEDGER, response_ms=250, slices=(Slice("queue", 60, 125), Slice("asr", 300, 125)))
    assert bar_cells(ledger, 40) == [("queue", 10), ("asr", 10)]


def test_many_small_slices_add_up_instead_of_vanishing() -> None:
    ledger = replace(LEDGER, slices=tuple(Slice(name, 10, 4) for name in ("ingest", "condition", "queue", "asr", "post", "send")))
    assert sum(count for _, count in bar_cells(ledger, 40)) == 2


def test_what_exceeds_the_budget_does_not_exceed_the_bar_and_is_red() -> None:
    ledger = replace(LEDGER, response_ms=900, slices=(Slice("queue", 60, 300), Slice("asr", 300, 600)), late=True)
    assert bar_cells(ledger, 40) == [("queue", 24), ("asr", 16)]
    line = budget_line(ledger)
    assert line.plain.endswith("900 ms of 500: queue 300 | asr 600; late")
    assert line.spans[-1].style == "bold red"


def test_each_slice_has_its_own_colour() -> None:
    styles = [span.style for span in budget_line(LEDGER).spans]
    assert styles == ["green", "dim", "dim"]  # condition and queue are too small for a cell of their own
    assert len(budget_line(LEDGER, ascii_only=True).plain.split()[0]) == BAR_CELLS


def test_what_was_given_up_is_said() -> None:
    assert ledger_text(replace(LEDGER, degraded=("beam", "words"))).endswith("post 1; degraded: beam, words")
    assert ledger_text(replace(LEDGER, guard="cut")).endswith("; guard: cut")


def test_recognition_in_the_silence_is_told_beside_what_was_spent_after_it() -> None:
    ledger = LedgerView(500, 4, (Slice("condition", 20, 3),), speculated_ms=131.4)
    assert ledger_text(ledger) == "4 ms of 500: condition 3; 131 ms of recognition before"


def test_a_ledger_without_slices_or_budget_is_shown_all_the_same() -> None:
    assert ledger_text(LedgerView(500, 142)) == "142 ms of 500"
    assert bar_cells(LedgerView(0, 142)) == []


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0:00.00"), (3.104, "0:03.10"), (59.999, "1:00.00"), (3723.5, "1:02:03.50")])
def test_positions_read_as_clocks(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


# --------------------------------------------------------------------------------------------------------------------- plain


def test_plain_lines_have_no_control_codes_and_no_partials() -> None:
    out = io.StringIO()
    with PlainDisplay(out) as display:
        display.partial(PARTIAL)
        display.event(END)
        display.final(FINAL, None)
        display.summary(SUMMARY)
    assert out.getvalue().splitlines() == [
        "[0:00.52-0:03.10] Hello [bold]there[/bold].",
        "    Hello 0:00.52 (0.50)",
        "    142 ms of 500: condition 3 | queue 1 | asr 131 | post 1",
        "12.4 s of audio, 3 words, 2 finals, response 381 ms median, 620 ms at most, 1 late",
    ]


# ---------------------------------------------------------------------------------------------------------------------- JSON


def test_every_json_line_but_the_summary_has_the_common_keys() -> None:
    lines = json_lines(PARTIAL, FINAL, END)
    assert [line["type"] for line in lines] == ["partial", "final", "event"]
    assert all({"type", "text", "start_s", "end_s", "stability"} <= line.keys() for line in lines)


def test_a_json_partial() -> None:
    assert json_lines(PARTIAL) == [
        {
            "type": "partial",
            "text": "Hello the",
            "start_s": 0.52,
            "end_s": 1.5,
            "stability": 0.1,
            "segment": 2,
            "language": "en",
            "stable_text": "Hello",
        }
    ]


def test_an_eager_result_is_a_json_line_of_its_own_and_is_settled_by_an_event() -> None:
    told, settled = json_lines(EAGER, SpeechEvent("eager_stood", 3.1, 100.0))
    assert (told["type"], told["text"], told["stability"]) == ("eager", "Hello there.", 1.0)
    assert (settled["type"], settled["event"]) == ("event", "eager_stood")


def test_a_json_final_has_its_ledger_and_in_real_time_its_ttfs() -> None:
    (line,) = json_lines(FINAL, ttfs_ms=652.44)
    assert (line["text"], line["stability"], line["segment"], line["confidence"]) == ("Hello [bold]there[/bold].", 1.0, 2, 0.875)
    assert line["words"] == [{"text": "Hello", "start_s": 0.52, "end_s": 0.77, "confidence": 0.5}]
    assert line["alternatives"] == [{"text": "Hello [bold]there[/bold].", "confidence": 0.875}]
    assert (line["ttfs_ms"], line["model"]) == (652.4, "base")
    assert line["ledger"] == {
        "budget_ms": 500,
        "response_ms": 142,
        "slices": {
            "condition": {"planned_ms": 20, "spent_ms": 3},
            "queue": {"planned_ms": 60, "spent_ms": 1},
            "asr": {"planned_ms": 300, "spent_ms": 131},
            "post": {"planned_ms": 10, "spent_ms": 1},
            "send": {"planned_ms": 20, "spent_ms": 0.2},
        },
        "late": False,
        "degraded": [],
        "endpoint_wait_ms": 500,
        "predicted_ms": 128,
        "speculated_ms": 0,
        "beam_size": 5,
        "guard": "",
        "audio_ms": 1200,
    }
    assert "ttfs_ms" not in json_lines(FINAL)[0]


def test_a_json_event_says_what_and_where() -> None:
    (line,) = json_lines(END)
    assert line == {"type": "event", "event": "end_of_utterance", "text": "", "start_s": 4.25, "end_s": 4.25, "stability": 1.0}


def test_a_json_summary_sums_up() -> None:
    (line,) = json_lines(SUMMARY)
    assert line == {
        "type": "summary",
        "text": "Hello [bold]there[/bold]. Yes.",
        "audio_s": 12.4,
        "words": 3,
        "segments": 2,
        "response_ms": {"p50": 381, "max": 620},
        "late": 1,
        "system": {
            "code": "0.1.0",
            "data_definition": "v1",
            "release": {"model": "base", "weights_sha256": "d01c", "options": {"beam_size": "5"}},
        },
    }


def test_a_summary_of_nothing_has_no_response_and_the_servers_system() -> None:
    (line,) = json_lines(summarize([], 3.0, SYSTEM))
    assert (line["text"], line["segments"], line["response_ms"]) == ("", 0, {"p50": None, "max": None})
    assert line["system"]["release"]["model"] == "base"


def test_a_stream_that_failed_says_so_in_its_summary() -> None:
    (line,) = json_lines(summarize([FINAL], 3.0, None, failed="the engine failed"))
    assert line["error"] == "the engine failed"
    assert summary_text(summarize([FINAL], 3.0, None, failed="the engine failed")).endswith("ended early")


def test_people_are_not_shown_a_summary_of_nothing_but_a_failure() -> None:
    nothing = summarize([], 0.0, None, failed="no such language")
    console, out = terminal(), io.StringIO()
    with TerminalDisplay(console) as display, PlainDisplay(out) as plain:
        display.summary(nothing)
        plain.summary(nothing)
    assert (console.export_text().strip(), out.getvalue()) == ("", "")
    assert json_lines(nothing)[0]["error"] == "no such language"


def test_text_of_other_scripts_stays_readable_in_json() -> None:
    out = io.StringIO()
    JsonDisplay(out).partial(replace(PARTIAL, text="grüß 你好", stable_text=""))
    assert "grüß 你好" in out.getvalue()
