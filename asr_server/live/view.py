"""How a server does, for a terminal. Pure: values in, something to print out."""

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from asr_server.watch.status import DriftStatus, ObjectiveState, ServerStatus

BAR_CHARS = 30
BURN_WINDOW_S = 3_600.0
"""Of the burn rate that is shown."""
CHANGES_SHOWN = 5


def view(server: str, status: ServerStatus, drift: DriftStatus, objectives: tuple[ObjectiveState, ...]) -> RenderableType:
    """All of it."""
    if not status.is_serving:
        return Panel("loading its model", title=server)
    return Panel(Group(_load(status), _latency(status), _objectives(objectives), _drift(drift), *_accuracy(status)), title=server)


def _load(status: ServerStatus) -> RenderableType:
    recent = status.recent
    off = "-" if status.prediction_error is None else f"{(status.prediction_error - 1) * 100:.0f} %"
    return Text(
        f"{status.active_sessions} inside, {status.running} of {status.threads} threads at work, {status.queue_depth} decodes wait, "
        f"{status.memory_bytes / 1e6:.0f} MB, predictions off by {off}\n"
        f"last 5 minutes: {recent.segments} segments, {recent.late} late, {recent.degraded} degraded, {recent.empty} without words, "
        f"{recent.failed} failed"
    )


def _latency(status: ServerStatus) -> RenderableType:
    table = Table(box=None, pad_edge=False)
    for name in ("", "planned ms", "p50", "p95", "p99", "p95 of what is planned"):
        table.add_column(name, justify="left" if not name or name.startswith("p95 of") else "right")
    for one in status.recent.latency:
        table.add_row(one.name, *map(_ms, (one.planned_ms, one.p50_ms, one.p95_ms, one.p99_ms)), _bar(one.p95_ms, one.planned_ms))
    return table


def _bar(spent_ms: float | None, planned_ms: float | None) -> Text:
    if spent_ms is None or not planned_ms:
        return Text("")
    filled = min(round(spent_ms / planned_ms * BAR_CHARS), BAR_CHARS)
    return Text("█" * filled + "·" * (BAR_CHARS - filled), style="red" if spent_ms > planned_ms else "green")


def _objectives(objectives: tuple[ObjectiveState, ...]) -> RenderableType:
    line = Text("objectives, burn rate over an hour: ")
    for number, one in enumerate(objectives):
        window = next((window for window in one.windows if window.length_s == BURN_WINDOW_S), None)
        told = "no events" if window is None or not window.events else f"{window.burn_rate:.1f}"
        firing = f" {one.firing.upper()}" if one.firing else ""
        line.append(f"{', ' if number else ''}{one.name} {told}{firing}", style="red" if firing else "")
    return line


def _drift(drift: DriftStatus) -> RenderableType:
    lights = Text("drift: ")
    for name, is_on in (("data", drift.data), ("concept", drift.concept), ("system", drift.system)):
        lights.append("● ", style="red" if is_on else "green" if drift.is_watching or name == "concept" else "dim")
        lights.append(f"{name}  ")
    if not drift.is_watching:
        lights.append("no reference (telemetry.reference)", style="dim")
    lines: list[RenderableType] = [lights]
    for change in drift.changes[-CHANGES_SHOWN:]:
        slice_ = f"{change.label} {change.value}".strip()
        how = "is as it was" if change.is_back else f"{change.kind}, {change.severity}: {change.before[1]:.4g} to {change.after[1]:.4g}"
        lines.append(Text(f"  {change.feature} of {slice_}: {how}"))
    return Group(*lines)


def _accuracy(status: ServerStatus) -> list[RenderableType]:
    lines: list[RenderableType] = []
    if status.labelled_words:
        rate = status.labelled_errors / status.labelled_words
        lines.append(Text(f"corrected by users: {status.labelled_words} words, WER {100 * rate:.1f} %"))
    if status.probe_wer is not None:
        change = "" if status.probe_wer_change is None else f" ({100 * status.probe_wer_change:+.1f})"
        lines.append(Text(f"golden clips: WER {100 * status.probe_wer:.1f} %{change}, time to final text {_ms(status.probe_ttfs_ms)} ms"))
    return lines


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"
