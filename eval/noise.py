"""`python -m eval noise`: words heard in recordings without speech. Every one of them is made up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from asr_server.errors import WrongCall
from eval.audio import duration_s
from eval.manifest import Clip
from eval.normalize import TEXT_RULES
from eval.recognisers import System
from eval.run import Outcome, Scored, Unscored


@dataclass(frozen=True, slots=True)
class HeardWords:
    """What came of one recording."""

    id: str
    duration_s: float
    words: int
    text: str
    error: str = ""


def recordings(clips: Sequence[Clip], exclude: Sequence[str], language: str) -> list[Clip]:
    """The clips to be heard, their durations known, in a language of which words might be invented.

    Raises WrongCall for an unknown id or a clip with a text, ManifestError for a file that is not audio.
    """
    if unknown := set(exclude) - {clip.id for clip in clips}:
        raise WrongCall(f"--exclude: no such id: {', '.join(sorted(unknown))}")
    chosen = [clip for clip in clips if clip.id not in exclude]
    if spoken := [clip.id for clip in chosen if clip.text.strip()]:
        raise WrongCall(f"these have a text, so they are not noise: {', '.join(spoken)}")
    if not chosen:
        raise WrongCall("no recordings are left after --exclude")
    return [replace(clip, language=language, duration_s=duration_s(clip)) for clip in chosen]


def heard(outcome: Scored) -> HeardWords:
    """Words are counted after normalisation, so a lone "..." is none."""
    return HeardWords(outcome.clip.id, duration_s(outcome.clip), len(outcome.hypothesis.split()), outcome.heard.text, outcome.error)


def report(outcomes: Sequence[Outcome], system: System, *, via: Mapping[str, object]) -> dict[str, object]:
    """Ready for JSON. The rate is of all words to all minutes, over recordings that were heard."""
    scored = [heard(outcome) for outcome in outcomes if isinstance(outcome, Scored)]
    good = [one for one in scored if not one.error]
    minutes = sum(one.duration_s for one in good) / 60
    words = sum(one.words for one in good)
    return {
        "words_per_minute": round(words / minutes, 3) if minutes else None,
        "words": words,
        "minutes": round(minutes, 3),
        "recordings": len(good),
        "with_words": sum(1 for one in good if one.words),
        "heard": [{"id": one.id, "duration_s": one.duration_s, "words": one.words, "text": one.text} for one in good],
        "skipped": [{"id": outcome.clip.id, "reason": outcome.reason} for outcome in outcomes if isinstance(outcome, Unscored)],
        "failed": [{"id": one.id, "error": one.error} for one in scored if one.error],
        **via,
        "text_rules": TEXT_RULES,
        "system": system.as_json(),
    }
