"""How times, budgets and summaries are said to people. Pure text."""

from asr_server.api.results import LedgerView, Result
from asr_server.transcribe.summary import Summary


def clock(position_s: float) -> str:
    """A position in the audio: 0:03.10, 1:02:03.10."""
    hundredths = round(position_s * 100)
    minutes, hundredths = divmod(hundredths, 6000)
    hours, minutes = divmod(minutes, 60)
    rest = f"{hundredths // 100:02d}.{hundredths % 100:02d}"
    return f"{hours}:{minutes:02d}:{rest}" if hours else f"{minutes}:{rest}"


def span(result: Result) -> str:
    return f"{clock(result.start_s)}-{clock(result.end_s)}"


def ledger_text(ledger: LedgerView, ttfs_ms: float | None = None) -> str:
    """Where the milliseconds went: `142 ms of 500: condition 3 | queue 1 | asr 131 | post 1`. Slices below half a millisecond are left
    out; recognition that was done in the silence before is told apart. `ttfs_ms` is the time from the end of speech to holding the final,
    where it is known."""
    spent = " | ".join(f"{part.name} {part.spent_ms:.0f}" for part in ledger.slices if round(part.spent_ms) > 0)
    said = f"{ledger.response_ms:.0f} ms of {ledger.budget_ms:.0f}{': ' + spent if spent else ''}"
    if round(ledger.speculated_ms) > 0:
        said += f"; {ledger.speculated_ms:.0f} ms of recognition before"
    if ttfs_ms is not None:
        said += f"; {ttfs_ms:.0f} ms after speech end"
    return "; ".join([said, *flags(ledger)])


def flags(ledger: LedgerView) -> list[str]:
    """What was not as it should be."""
    found = ["late"] if ledger.late else []
    if ledger.degraded:
        found.append(f"degraded: {', '.join(ledger.degraded)}")
    if ledger.guard:
        found.append(f"guard: {ledger.guard}")
    return found


def words_text(result: Result) -> str:
    """Each word with its start and confidence: `hello 0:00.52 (0.98)`."""
    return "  ".join(f"{word.text} {clock(word.start_s)} ({word.confidence:.2f})" for word in result.words)


def summary_text(summary: Summary) -> str:
    parts = [
        f"{summary.audio_s:.1f} s of audio",
        _count(summary.words, "word"),
        _count(summary.segments, "final"),
    ]
    if summary.response_p50_ms is not None and summary.response_max_ms is not None:
        parts.append(f"response {summary.response_p50_ms:.0f} ms median, {summary.response_max_ms:.0f} ms at most")
    parts.append(f"{summary.late} late")
    if summary.failed:
        parts.append("ended early")
    return ", ".join(parts)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
