"""What a transcription shows, in three ways that share one interface: a terminal, plain lines, JSON lines."""

import json
from collections.abc import Sequence
from typing import Protocol, Self, TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from asr_server.api.results import LedgerView, Result, SpeechEvent, SystemView
from asr_server.transcribe.summary import Summary
from asr_server.transcribe.wording import clock, flags, ledger_text, span, summary_text, words_text

BAR_CELLS = 30
"""Width of the budget bar: the whole budget."""

SLICE_STYLES = {
    "ingest": "cyan",
    "condition": "blue",
    "queue": "yellow",
    "asr": "green",
    "post": "magenta",
    "send": "bright_cyan",
    "reserve": "white",
}


class Display(Protocol):
    """Told of everything as it comes; a context manager, so that a terminal is left in order."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def partial(self, result: Result) -> None:
        """Also an eager result: the next text of its segment takes its place."""

    def final(self, result: Result, ttfs_ms: float | None) -> None:
        """`ttfs_ms`: from the moment the end of its speech was sent until the final was here; None where that means nothing."""

    def event(self, event: SpeechEvent) -> None: ...

    def summary(self, summary: Summary) -> None:
        """Once, at the end. People are not shown one that says no more than that the stream failed."""


class TerminalDisplay:
    """Partials in place, stable words plain and the rest dim; finals stay, each with a bar of its budget."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def partial(self, result: Result) -> None:
        line = Text.assemble((f"{clock(result.start_s)} ", "cyan dim"), result.stable_text, (result.unstable_text, "dim"))
        self._live.update(line, refresh=True)

    def final(self, result: Result, ttfs_ms: float | None) -> None:
        self._live.update(Text(), refresh=True)
        self._console.print(Text.assemble((f"{span(result)} ", "cyan"), result.text))
        if result.words:
            self._console.print(Text(f"  {words_text(result)}", "dim"))
        if result.ledger is not None:
            self._console.print(budget_line(result.ledger, ttfs_ms, ascii_only=self._console.options.ascii_only))

    def event(self, event: SpeechEvent) -> None:
        if event.kind == "start_timeout":
            self._console.print(Text(f"{clock(event.at_s)} no speech", "yellow"))

    def summary(self, summary: Summary) -> None:
        self._live.update(Text(), refresh=True)
        if summary.segments or not summary.failed:
            self._console.print(Text(summary_text(summary), "bold"))


class PlainDisplay:
    """Finals and the summary as lines without control codes; partials are not shown."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._out.flush()

    def partial(self, result: Result) -> None:
        pass

    def final(self, result: Result, ttfs_ms: float | None) -> None:
        lines = [f"[{span(result)}] {result.text}"]
        if result.words:
            lines.append(f"    {words_text(result)}")
        if result.ledger is not None:
            lines.append(f"    {ledger_text(result.ledger, ttfs_ms)}")
        self._write(*lines)

    def event(self, event: SpeechEvent) -> None:
        if event.kind == "start_timeout":
            self._write(f"[{clock(event.at_s)}] no speech")

    def summary(self, summary: Summary) -> None:
        if summary.segments or not summary.failed:
            self._write(summary_text(summary))

    def _write(self, *lines: str) -> None:
        self._out.writelines(f"{line}\n" for line in lines)
        self._out.flush()


class JsonDisplay:
    """One object a line; every line but the summary has `type`, `text`, `start_s`, `end_s` and `stability`."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._out.flush()

    def partial(self, result: Result) -> None:
        self._write({"type": "eager" if result.is_eager else "partial", **_spoken(result), "stable_text": result.stable_text})

    def final(self, result: Result, ttfs_ms: float | None) -> None:
        line: dict[str, object] = {"type": "final", **_spoken(result), "confidence": _round(result.confidence, 4)}
        line["alternatives"] = [{"text": other.text, "confidence": _round(other.confidence, 4)} for other in result.alternatives]
        if result.words:
            line["words"] = [
                {"text": word.text, "start_s": _round(word.start_s), "end_s": _round(word.end_s), "confidence": _round(word.confidence, 4)}
                for word in result.words
            ]
        if result.ledger is not None:
            line["ledger"] = ledger_object(result.ledger)
        if result.system is not None:
            line["model"] = result.system.model
        if result.segment_id:
            line["segment_id"] = result.segment_id
        if result.trace_id:
            line["trace_id"] = result.trace_id
        if ttfs_ms is not None:
            line["ttfs_ms"] = _round(ttfs_ms, 1)
        self._write(line)

    def event(self, event: SpeechEvent) -> None:
        at_s = _round(event.at_s)
        self._write({"type": "event", "event": event.kind, "text": "", "start_s": at_s, "end_s": at_s, "stability": 1.0})

    def summary(self, summary: Summary) -> None:
        line: dict[str, object] = {
            "type": "summary",
            "text": summary.text,
            "audio_s": _round(summary.audio_s),
            "words": summary.words,
            "segments": summary.segments,
            "response_ms": {"p50": _round(summary.response_p50_ms, 1), "max": _round(summary.response_max_ms, 1)},
            "late": summary.late,
            "system": system_object(summary.system) if summary.system is not None else None,
        }
        if summary.failed:
            line["error"] = summary.failed
        self._write(line)

    def _write(self, line: dict[str, object]) -> None:
        self._out.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._out.flush()


def _round(value: float | None, digits: int = 3) -> float | None:
    """The wire's 32-bit floats have seven digits; the rest of a 64-bit one would be noise."""
    return None if value is None else round(value, digits)


def _spoken(result: Result) -> dict[str, object]:
    return {
        "text": result.text,
        "start_s": _round(result.start_s),
        "end_s": _round(result.end_s),
        "stability": result.stability,
        "segment": result.segment,
        "language": result.language,
    }


def ledger_object(ledger: LedgerView) -> dict[str, object]:
    """A ledger as JSON; slices by name, in the order they are spent."""
    return {
        "budget_ms": ledger.budget_ms,
        "response_ms": _round(ledger.response_ms, 1),
        "slices": {part.name: {"planned_ms": _round(part.planned_ms, 1), "spent_ms": _round(part.spent_ms, 1)} for part in ledger.slices},
        "late": ledger.late,
        "degraded": list(ledger.degraded),
        "endpoint_wait_ms": _round(ledger.endpoint_wait_ms, 1),
        "predicted_ms": _round(ledger.predicted_ms, 1),
        "speculated_ms": _round(ledger.speculated_ms, 1),
        "beam_size": ledger.beam_size,
        "guard": ledger.guard,
        "audio_ms": ledger.audio_ms,
    }


def system_object(system: SystemView) -> dict[str, object]:
    """Code, data and hyper-parameters as JSON, as every evaluation and bench names them."""
    return {
        "code": system.code,
        "data_definition": system.data_definition,
        "release": {"model": system.model, "weights_sha256": system.weights_sha256, "options": dict(system.options)},
    }


def bar_cells(ledger: LedgerView, width: int = BAR_CELLS) -> Sequence[tuple[str, int]]:
    """Cells for each slice in order, the whole width being the budget. Borders are rounded, not widths, so they add up to what was spent;
    what exceeds the budget does not fit the bar."""
    if ledger.budget_ms <= 0:
        return []
    cells: list[tuple[str, int]] = []
    spent_ms, drawn = 0.0, 0
    for part in ledger.slices:
        spent_ms += part.spent_ms
        border = min(round(spent_ms / ledger.budget_ms * width), width)
        if border > drawn:
            cells.append((part.name, border - drawn))
            drawn = border
    return cells


def budget_line(ledger: LedgerView, ttfs_ms: float | None = None, *, ascii_only: bool = False) -> Text:
    """One coloured stretch a slice, the unspent rest dim, then the numbers."""
    full, rest = ("=", "-") if ascii_only else ("━", "─")
    cells = bar_cells(ledger)
    line = Text("  ")
    for name, count in cells:
        line.append(full * count, SLICE_STYLES.get(name, "white"))
    line.append(rest * (BAR_CELLS - sum(count for _, count in cells)), "dim")
    line.append(f" {ledger_text(ledger, ttfs_ms)}", "bold red" if ledger.late else "yellow" if flags(ledger) else "dim")
    return line
