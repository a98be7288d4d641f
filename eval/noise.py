"""`python -m eval noise`: words heard in recordings without speech. Every one of them is made up."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from asr_server.accuracy.manifest import Clip
from asr_server.accuracy.normalize import TEXT_RULES
from asr_server.errors import WrongCall
from eval.audio import duration_s
from eval.intervals import draws
from eval.recognisers import System
from eval.run import Outcome, Scored, Unscored
from eval.via import HOW

UNTOLD = "untold"
"""The condition of recordings of which the manifest tells none."""


@dataclass(frozen=True, slots=True)
class Excluded:
    """A recording that is not to be heard, and why."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Chosen:
    """Of a manifest."""

    clips: tuple[Clip, ...]
    """To be heard: their durations known, in a language of which words might be invented."""
    excluded: tuple[Excluded, ...]


@dataclass(frozen=True, slots=True)
class HeardWords:
    """What came of one recording. Words are counted after normalisation, so a lone "..." is none."""

    id: str
    conditions: tuple[str, ...]
    duration_s: float
    words: int
    text: str


def choose(clips: Sequence[Clip], *, exclude: Collection[str], exclude_conditions: Collection[str], language: str) -> Chosen:
    """All but those of `exclude` (ids) and those with a condition of `exclude_conditions`.

    Raises WrongCall for an unknown id or condition, or a clip with a text, ManifestError for a file that is not audio.
    """
    if unknown := set(exclude) - {clip.id for clip in clips}:
        raise WrongCall(f"--exclude: no such id: {', '.join(sorted(unknown))}")
    known = {condition for clip in clips for condition in clip.conditions}
    if unknown := set(exclude_conditions) - known:
        there = ", ".join(sorted(known)) or "none"
        raise WrongCall(f"--exclude-conditions: no such condition: {', '.join(sorted(unknown))}; there are {there}")
    chosen: list[Clip] = []
    excluded: list[Excluded] = []
    for clip in clips:
        unwanted = [condition for condition in dict.fromkeys(clip.conditions) if condition in exclude_conditions]
        if clip.id in exclude:
            excluded.append(Excluded(clip.id, "by its id"))
        elif unwanted:
            excluded.append(Excluded(clip.id, f"its conditions: {', '.join(unwanted)}"))
        else:
            chosen.append(clip)
    if spoken := [clip.id for clip in chosen if clip.text.strip()]:
        raise WrongCall(f"these have a text, so they are not noise: {', '.join(spoken)}")
    if not chosen:
        raise WrongCall("no recordings are left after --exclude and --exclude-conditions")
    return Chosen(tuple(replace(clip, language=language, duration_s=duration_s(clip)) for clip in chosen), tuple(excluded))


FIELDS = (
    *("words_per_minute", "ci95", "words", "minutes", "recordings", "with_words"),
    *("by_condition", "heard", "excluded", "skipped", "failed", *HOW, "data", "text_rules", "system"),
)
"""Of a report, at its top; those of HOW where they apply."""


def report(
    outcomes: Sequence[Outcome],
    system: System,
    *,
    excluded: Sequence[Excluded],
    via: Mapping[str, object],
    data: Mapping[str, object],
) -> dict[str, object]:
    """Ready for JSON. Rates are of all words to all minutes, over recordings that were heard; a recording counts under each of its
    conditions."""
    heard = [_heard(outcome) for outcome in outcomes if isinstance(outcome, Scored) and not outcome.error]
    conditions = sorted({condition for one in heard for condition in one.conditions})
    return {
        **rates(heard),
        "by_condition": {condition: rates([one for one in heard if condition in one.conditions]) for condition in conditions},
        "heard": [asdict(one) for one in heard],
        "excluded": [asdict(one) for one in excluded],
        "skipped": [{"id": outcome.clip.id, "reason": outcome.reason} for outcome in outcomes if isinstance(outcome, Unscored)],
        "failed": [{"id": one.clip.id, "error": one.error} for one in outcomes if isinstance(one, Scored) and one.error],
        **via,
        "data": dict(data),
        "text_rules": TEXT_RULES,
        "system": system.as_json(),
    }


def _heard(outcome: Scored) -> HeardWords:
    clip = outcome.clip
    conditions = tuple(dict.fromkeys(clip.conditions)) or (UNTOLD,)
    return HeardWords(clip.id, conditions, duration_s(clip), len(outcome.hypothesis.split()), outcome.heard.text)


def rates(heard: Sequence[HeardWords]) -> dict[str, object]:
    """`ci95`: where the rate falls in 95 of 100 draws of recordings; null with fewer than two, for one says nothing of others, and where no
    words were heard, for then every draw says 0."""
    minutes = sum(one.duration_s for one in heard) / 60
    words = sum(one.words for one in heard)
    return {
        "words_per_minute": round(words / minutes, 3) if minutes else None,
        "ci95": _ci95(heard) if len(heard) > 1 and words and minutes else None,
        "words": words,
        "minutes": round(minutes, 3),
        "recordings": len(heard),
        "with_words": sum(1 for one in heard if one.words),
    }


def _ci95(heard: Sequence[HeardWords]) -> list[float]:
    drawn = draws([None] * len(heard), seed=0)
    minutes = drawn @ np.array([one.duration_s / 60 for one in heard])
    rates_drawn = (drawn @ np.array([one.words for one in heard]))[minutes > 0] / minutes[minutes > 0]
    return [round(float(bound), 3) for bound in np.quantile(rates_drawn, [0.025, 0.975])]
