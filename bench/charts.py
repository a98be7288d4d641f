"""Results as pictures: where times lie, where they go, how many streams are carried, whether a server grows, what accuracy costs in time.
Only this file draws.

The same result gives the same bytes. Colours are Okabe and Ito's, which the colour-blind can tell apart, and every line also has its own
dashes or marks. In a page colours come from its style sheet (bench/svg.py); in a file of their own they are on white.
"""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.ticker import MaxNLocator, PercentFormatter

from bench import stages
from bench.result import CapacityPoint, CapacityResult, ClipTimes, LatencyResult, SoakResult
from bench.svg import inline

INK, SOFT, LINE, PAPER, BLACK = "#1c1e21", "#5d6066", "#dcd8ce", "#ffffff", "#000000"
BLUE, SKY, GREEN, YELLOW, ORANGE, RED, PURPLE = "#0072b2", "#56b4e9", "#009e73", "#f0e442", "#e69f00", "#d55e00", "#cc79a7"
GREY, PALE = "#a9a597", "#dedacf"
_VARIABLES = {
    BLUE: "blue",
    SKY: "sky",
    GREEN: "green",
    YELLOW: "yellow",
    ORANGE: "orange",
    RED: "red",
    PURPLE: "purple",
    GREY: "grey",
    PALE: "pale",
}
IN_A_PAGE: Mapping[str, str] = {
    INK: "currentColor",
    SOFT: "var(--soft, currentColor)",
    LINE: f"var(--line, {LINE})",
    PAPER: f"var(--paper, {PAPER})",
    **{colour: f"var(--chart-{name}, {colour})" for colour, name in _VARIABLES.items()},
}
PARTS: Mapping[str, str] = {
    "vad_stop": GREY,
    "ingest": SKY,
    "condition": GREEN,
    "queue": ORANGE,
    "asr": BLUE,
    "post": YELLOW,
    "send": PURPLE,
    "reserve": RED,
    "outside": PALE,
}
"""Colours of what a time to final text is made of, in the order in which it passes."""
NAMES = {"vad_stop": "VAD stop"}
WRITTEN_ON: Mapping[str, str] = {"vad_stop": INK, "outside": INK, "asr": PAPER, "reserve": PAPER}
"""What is legible on a part, light or dark; black on the others."""
WIDTH_IN = 9.0
NAMED_MS = 45.0
"""Parts as wide as this have their name written in."""
_STYLE: Any = {  # the library's type of it names every setting there is
    "svg.hashsalt": "bench",
    "svg.fonttype": "none",
    "font.size": 9,
    "text.color": INK,
    "text.parse_math": False,  # labels may be names of files
    "axes.labelcolor": SOFT,
    "axes.edgecolor": SOFT,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
}


@dataclass(frozen=True, slots=True)
class Chart:
    """One picture; drawn when it is wanted."""

    key: str
    """Unlike that of the other charts of a page."""
    title: str
    told: str
    """What it shows, for those who do not see it."""
    height_in: float
    draw: Callable[[FigureBase], None]


def svg_of(chart: Chart) -> str:
    """For standing inside a page."""
    return inline(_drawn(chart, transparent=True), key=chart.key, label=chart.told, colours=IN_A_PAGE)


def svg_file_of(chart: Chart) -> str:
    """For a file of its own."""
    return _drawn(chart, transparent=False)


def _drawn(chart: Chart, *, transparent: bool) -> str:
    with rc_context(_STYLE):
        figure = Figure(figsize=(WIDTH_IN, chart.height_in), facecolor=PAPER, layout="constrained")
        chart.draw(figure)
        written = io.StringIO()
        figure.savefig(written, format="svg", transparent=transparent, metadata={"Date": None, "Creator": None})
    return written.getvalue()


def png_of(charts: Sequence[Chart]) -> bytes:
    """All of them below one another. Raises ValueError for none."""
    if not charts:
        raise ValueError("no charts")
    with rc_context(_STYLE):
        heights_in = [chart.height_in + 0.4 for chart in charts]
        figure = Figure(figsize=(WIDTH_IN, sum(heights_in)), dpi=160, facecolor=PAPER, layout="constrained")
        places = figure.add_gridspec(len(charts), 1, height_ratios=heights_in)
        for number, chart in enumerate(charts):
            part = figure.add_subfigure(places[number])
            part.suptitle(chart.title, x=0.01, ha="left", fontsize=11, fontweight="bold")
            chart.draw(part)
        written = io.BytesIO()
        figure.savefig(written, format="png", metadata={"Software": None})
    return written.getvalue()


def distribution(runs: Sequence[LatencyResult], labels: Sequence[str]) -> Chart:
    """A panel a run, all of one scale: how many came within how long."""
    rows = -(-len(runs) // 2)

    def draw(figure: FigureBase) -> None:
        panels = _panels(figure, len(runs), columns=min(len(runs), 2))
        for run, label, axes in zip(runs, labels, panels, strict=True):
            _draw_distribution(axes, run, label if len(runs) > 1 else "")
        panels[0].set_xlim(left=min(0.0, *(axes.dataLim.x0 for axes in panels)))
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)

    return Chart(
        "distribution", "Where times lie", "Share of clips and finals that came within a time, for each run", 3.0 * rows + 0.2, draw
    )


def _panels(figure: FigureBase, count: int, *, columns: int = 1, height_ratios: Sequence[float] | None = None) -> list[Axes]:
    """All of one scale across, and beside one another of one scale upwards too."""
    places = figure.add_gridspec(-(-count // columns), columns, height_ratios=height_ratios)
    panels: list[Axes] = []
    for number in range(count):
        first = panels[0] if panels else None
        panels.append(figure.add_subplot(places[number // columns, number % columns], sharex=first, sharey=first if columns > 1 else None))
    return panels


def _draw_distribution(axes: Axes, run: LatencyResult, label: str) -> None:
    curves: Mapping[str, tuple[Sequence[float | None], str, str]] = {
        "time to final text": ([clip.ttfs_ms for clip in run.clips.values()], BLUE, "-"),
        "response": ([final.response_ms for final in run.finals], RED, "--"),
        "asr": ([final.spent_ms.get("asr") for final in run.finals], GREEN, "-."),
        "floor: engine alone": ([final.floor_ms for final in run.finals], INK, ":"),
    }
    small: Any = {"ha": "center", "fontsize": 8, "color": SOFT}
    for bound_ms, what in _bounds(run):
        axes.axvline(bound_ms, color=SOFT, linewidth=0.9)
        axes.annotate(what, (bound_ms, 1.0), xytext=(0, 3), xycoords=("data", "axes fraction"), textcoords="offset points", **small)
    for name, (values, colour, dashes) in curves.items():
        known = sorted(value for value in values if value is not None)
        if known:
            shares = [number / len(known) for number in range(len(known) + 1)]
            axes.step([known[0], *known], shares, where="post", color=colour, linestyle=dashes, label=name)
    axes.set_title(label, pad=15 if label else 6)
    axes.set(ylim=(0, 1.02), xlabel="ms")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))


def _bounds(run: LatencyResult) -> Iterator[tuple[float, str]]:
    """What a response, and the asr in it, may take."""
    final = next(iter(run.finals), None)
    if final is not None:
        yield final.budget_ms, f"{final.budget_ms:g} response"
        if asr_ms := final.planned_ms.get("asr"):
            yield asr_ms, f"{asr_ms:g} asr"


def waterfall(runs: Sequence[LatencyResult], labels: Sequence[str]) -> Chart:
    """What was planned, and the very clips whose TTFS is the median and the 95th percentile: their parts add up to it."""
    rows = list(_rows(runs, labels))

    def draw(figure: FigureBase) -> None:
        (axes,) = _panels(figure, 1)
        for place, (_, parts_ms) in enumerate(rows):
            _draw_parts(axes, len(rows) - 1 - place, parts_ms)
        axes.set_yticks(range(len(rows)), [name for name, _ in reversed(rows)])
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.grid(visible=False, axis="y")
        axes.spines["left"].set_visible(False)
        axes.axvline(0, color=SOFT, linewidth=0.9)
        axes.set_xlabel("ms after the end of speech")
        bars = [axes.barh(0, 0, color=colour, label=NAMES.get(name, name)) for name, colour in PARTS.items()]
        figure.legend(handles=bars, loc="outside lower center", ncols=len(PARTS), fontsize=8, columnspacing=1.2, handlelength=1.2)

    told = "The parts of the time to final text in the order in which they pass: planned, at the median, at the 95th percentile"
    return Chart("waterfall", "Where the time goes", told, 1.1 + 0.42 * len(rows), draw)


def _rows(runs: Sequence[LatencyResult], labels: Sequence[str]) -> Iterator[tuple[str, Mapping[str, float]]]:
    planned: Mapping[str, float] | None = None
    for run, label in zip(runs, labels, strict=True):
        if run.planned_ms != planned:
            planned = run.planned_ms
            yield "planned", planned
        for share, name in ((0.5, "p50"), (0.95, "p95")):
            clip = run.clip_at(share)
            if clip is not None:
                yield f"{label}, {name}", _parts_ms(clip)


def _parts_ms(clip: ClipTimes) -> Mapping[str, float]:
    times = {name: stages.STAGES[name](clip) for name in stages.PARTS}
    return {name: time.ms for name, time in times.items() if time is not None}


def _draw_parts(axes: Axes, place: int, parts_ms: Mapping[str, float]) -> None:
    left_ms = 0.0
    # Less than nothing: the server took the speech to have ended before it had. The bars then begin to the left of its end.
    left_ms += min(parts_ms.get("outside", 0.0), 0.0)
    for name, colour in PARTS.items():
        ms = max(parts_ms.get(name, 0.0), 0.0)
        if ms:
            axes.barh(place, ms, left=left_ms, height=0.62, color=colour, edgecolor=PAPER, linewidth=0.5)
        if ms >= NAMED_MS:
            axes.text(left_ms + ms / 2, place, f"{ms:.0f}", ha="center", va="center", fontsize=8, color=WRITTEN_ON.get(name, BLACK))
        left_ms += ms
    axes.annotate(f"{left_ms:.0f} ms", (left_ms, place), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8.5)


def capacity_curve(result: CapacityResult, key: str = "capacity") -> Chart:
    """Above, times against streams with the promise; below, how often something happened that never should."""

    def draw(figure: FigureBase) -> None:
        above, below = _panels(figure, 2, height_ratios=[3, 1])
        _draw_promise(above, result)
        _draw_troubles(below, result.curve)
        above.label_outer()

    told = f"Time to final text against the number of streams, up to {max((point.streams for point in result.curve), default=0)}"
    return Chart(key, "What is carried", told, 4.6, draw)


def _draw_promise(axes: Axes, result: CapacityResult) -> None:
    curves: Mapping[str, tuple[Callable[[CapacityPoint], float | None], str, str]] = {
        result.shown_share: (result.shown_ms, BLUE, "-"),
        "p50": (lambda point: point.ttfs_ms["p50"], GREEN, "--"),
    }
    for share, (time_ms, colour, dashes) in curves.items():
        known = [(point.streams, ms) for point in result.curve if (ms := time_ms(point)) is not None]
        if known:
            streams, times_ms = zip(*known, strict=True)
            axes.plot(streams, times_ms, color=colour, linestyle=dashes, label=f"time to final text, {share}", zorder=2)
    verdicts: Mapping[str, tuple[str, str, Callable[[CapacityPoint], bool]]] = {
        "kept": ("o", GREEN, lambda point: point.passed),
        "broken": ("X", RED, lambda point: not point.passed and point.valid),
        "cannot tell: the bench was too slow": ("D", GREY, lambda point: not point.passed and not point.valid),
    }
    for name, (mark, colour, applies) in verdicts.items():
        marked = [(point.streams, ms) for point in result.curve if applies(point) and (ms := result.shown_ms(point)) is not None]
        if marked:
            streams, times_ms = zip(*marked, strict=True)
            axes.scatter(streams, times_ms, marker=mark, s=52, color=colour, edgecolor=PAPER, linewidth=0.8, label=name, zorder=3)
    axes.axhline(result.slo_ms, color=RED, linewidth=1.1, linestyle=":")
    axes.annotate(
        f"promised: {result.percentile:g} of 100 within {result.slo_ms:g} ms",
        (1.0, result.slo_ms),
        xycoords=("axes fraction", "data"),
        xytext=(0, 3),
        textcoords="offset points",
        ha="right",
        fontsize=8,
        color=SOFT,
    )
    axes.set(ylabel="ms")
    axes.margins(y=0.12)
    axes.set_ylim(bottom=0)
    axes.legend(*axes.get_legend_handles_labels(), loc="lower left", fontsize=8)


def _draw_troubles(axes: Axes, curve: Sequence[CapacityPoint]) -> None:
    bottom = [0] * len(curve)
    streams = [point.streams for point in curve]
    for (name, colour), hatch in zip(
        {"late": ORANGE, "refused": PURPLE, "lost": RED, "early": BLUE, "failed": INK}.items(), ("", "///", "xxx", "++", "..."), strict=True
    ):
        counts = [point.troubles[name] for point in curve]
        axes.bar(streams, counts, bottom=bottom, width=0.5, color=colour, edgecolor=PAPER, hatch=hatch, linewidth=0.5, label=name)
        bottom = [below + count for below, count in zip(bottom, counts, strict=True)]
    axes.set(xlabel="streams", ylabel="times")
    axes.set_ylim(bottom=0, top=max(*bottom, 1) * 1.15 if bottom else 1)
    axes.set_xticks(streams)
    axes.set_xlim(0.25, max(streams, default=1) + 0.75)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=4))
    axes.legend(loc="upper left", ncols=5, fontsize=8)


def soak_series(result: SoakResult, key: str = "soak") -> Chart:
    """What the server used over the time of the run, as far as it was seen."""
    series: Mapping[str, Sequence[tuple[float, float | None]]] = {
        "memory, MB": [(sample.at_s, sample.resident_mb) for sample in result.samples],
        "threads": [(sample.at_s, sample.threads) for sample in result.samples],
        "open files": [(sample.at_s, sample.open_files) for sample in result.samples],
        "sessions": [(sample.at_s, sample.sessions) for sample in result.samples],
    }
    seen = {
        name: known for name, values in series.items() if (known := [(at_s / 60, value) for at_s, value in values if value is not None])
    }

    def draw(figure: FigureBase) -> None:
        panels = _panels(figure, max(len(seen), 1))
        for (name, values), axes, colour in zip(seen.items(), panels, (BLUE, GREEN, ORANGE, PURPLE), strict=False):
            axes.plot([minutes for minutes, _ in values], [value for _, value in values], color=colour, linewidth=1.4)
            axes.set_title(name, fontsize=9)
            axes.margins(y=0.15)
            if name != "memory, MB":
                axes.set_ylim(min(value for _, value in values) - 1, max(value for _, value in values) + 1)
            axes.yaxis.set_major_locator(MaxNLocator(nbins=3, integer=name != "memory, MB"))
            axes.label_outer()
        panels[-1].set_xlabel("minutes")

    return Chart(
        key, "What the server used", f"Over {result.fields['minutes']:g} minutes: {', '.join(seen)}", 0.6 + 1.25 * max(len(seen), 1), draw
    )


def tradeoff(named: Sequence[Mapping[str, Any]], lines: Mapping[str, Sequence[Mapping[str, Any]]]) -> Chart:
    """Points of `bench curve`: `named` by themselves, and those of each line, which differ in the wait that is written beside them."""

    def draw(figure: FigureBase) -> None:
        (axes,) = _panels(figure, 1)
        small: Any = {"textcoords": "offset points", "fontsize": 8}
        for (name, points), (colour, dashes, mark) in zip(lines.items(), cycle(((GREY, "--", "s"), (SKY, "-", "o"))), strict=False):
            placed = _draw_points(axes, points, colour)
            axes.plot([p50 for p50, _, _ in placed], [wer for _, wer, _ in placed], dashes, color=colour, marker=mark, ms=5, label=name)
            for p50, wer, point in placed:
                axes.annotate(f"{point['options']['vad_stop_ms']}", (p50, wer), xytext=(5, 4), color=SOFT, **small)
        for point, (colour, mark) in zip(named, cycle(zip((BLUE, GREEN, RED, PURPLE, ORANGE), "oD^vP", strict=True)), strict=False):
            for p50, wer, _ in _draw_points(axes, [point], colour):
                axes.scatter(p50, wer, marker=mark, s=60, color=colour, edgecolor=PAPER, linewidth=0.8, zorder=3)
                axes.annotate(point["name"], (p50, wer), xytext=(0, -14), ha="center", color=INK, **small)
        axes.set(xlabel="time to final text, ms: the median, and a thin line to the 95th percentile", ylabel="word error rate, %")
        axes.margins(0.08, 0.15)
        axes.set_xlim(left=min(0.0, axes.get_xlim()[0]))
        if lines:
            axes.legend(loc="upper right", fontsize=8)

    names = ", ".join([*(str(point["name"]) for point in named), *lines])
    return Chart("tradeoff", "What accuracy costs in time", f"Word error rate against time to final text: {names}", 4.6, draw)


def _draw_points(axes: Axes, points: Sequence[Mapping[str, Any]], colour: str) -> list[tuple[float, float, Mapping[str, Any]]]:
    """The thin lines; where each point that was measured has its mark: ms, percent."""
    placed = []
    for point in points:
        p50, p95 = point["ttfs_ms"]["p50"], point["ttfs_ms"]["p95"]
        if p50 is not None and p95 is not None and point["wer"] is not None:
            wer = 100 * point["wer"]
            axes.plot([p50, p95], [wer, wer], color=colour, linewidth=0.8, zorder=1)
            placed.append((p50, wer, point))
    return placed
