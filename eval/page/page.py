"""A run as one HTML page: opens anywhere, asks no network for anything, can be mailed. Pure; the same run gives the same page."""

from collections.abc import Mapping, Sequence

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from eval.compare.comparison import Comparison
from eval.intervals import RESAMPLES
from eval.page import numbers as page_numbers
from eval.page.audio import NoSound, Sound, total_bytes
from eval.page.changes import changes_of
from eval.page.clips import show, worst_of
from eval.page.facts import facts_of_run, facts_of_system
from eval.page.frame import TEMPLATES, frame
from eval.page.rates import axis_for, rates_of
from eval.page.slices import merged
from eval.result import RunResult
from eval.slices.report import analyse
from eval.slices.slicing import LEAST_CLIPS, LEAST_SPEAKERS

WORST = 20
"""Clips shown one by one, unless more are asked for."""
FIRST_SLICES = 25
"""Shown at once; the others unfold."""
FIRST_WORDS = 15
"""Of each list of words."""


def page(
    run: RunResult,
    sounds: Mapping[str, Sound | NoSound],
    *,
    worst: int = WORST,
    comparison: Comparison | None = None,
    notes: Sequence[str] = (),
) -> str:
    """HTML. `sounds`: recordings by id of clip; `notes`: what the reader must know of them.

    Raises WrongCall when the run's JSON lacks a part.
    """
    rates = rates_of(run)
    clips = show(worst_of(run, worst), sounds)
    analysis = analyse(run)
    slices = merged(analysis.slices)
    template = _environment().get_template("report.html.j2")
    return template.render(
        frame=frame(TEMPLATES / "report.css", TEMPLATES / "report.js"),
        run=run,
        rates=rates,
        set_axis=axis_for(one.rate for one in rates.by_set),
        language_axis=axis_for(one.rate for one in rates.by_language),
        slices=slices,
        slice_axis=axis_for(one.wer for one in analysis.slices),
        analysis=analysis,
        clips=clips,
        wrong_clips=sum(1 for clip in run.clips.values() if clip.counts.errors),
        failed=[clip for clip in run.clips.values() if clip.error],
        sound_bytes=total_bytes(list(sounds.values())),
        comparison=comparison,
        changes=None if comparison is None else changes_of(comparison),
        notes=notes,
        system_facts=facts_of_system(run.system),
        run_facts=facts_of_run(run),
    )


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    for name in ("percent", "points", "signed", "plain", "count", "p_value", "size", "plural"):
        environment.filters[name] = getattr(page_numbers, name)
    environment.globals.update(
        interval=page_numbers.interval,
        FIRST_SLICES=FIRST_SLICES,
        FIRST_WORDS=FIRST_WORDS,
        LEAST_CLIPS=LEAST_CLIPS,
        LEAST_SPEAKERS=LEAST_SPEAKERS,
        RESAMPLES=RESAMPLES,
    )
    environment.tests["has_audio"] = lambda sound: isinstance(sound, Sound)
    return environment
