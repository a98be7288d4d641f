"""A run's outcomes as the JSON that `compare`, `slices`, `labels` and the page read. Pure; the same outcomes give the same bytes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict

from asr_server.accuracy.normalize import TEXT_RULES, is_spaceless
from asr_server.accuracy.wer import total
from eval.intervals import Sampled, ci95
from eval.recognisers import System
from eval.run import Outcome, Scored, Unscored
from eval.via import HOW

FIELDS = (
    *("wer", "ci95", "words", "S", "D", "I", "clips", "characters", "silence"),
    *("by_set", "by_language", "skipped", "failed", "hypotheses", *HOW, "data", "text_rules", "system"),
)
"""Of a report, at its top; those of HOW where they apply."""


def report(outcomes: Sequence[Outcome], system: System, *, via: Mapping[str, object], data: Mapping[str, object]) -> dict[str, object]:
    """Everything about a run. Rates are shares of the reference words: 0.08 is 8 %.

    `via`: how the clips were heard; `data`: which manifest they come from.
    """
    scored = [outcome for outcome in outcomes if isinstance(outcome, Scored)]
    return {
        **rates(scored),
        "by_set": _by(scored, lambda outcome: outcome.clip.set),
        "by_language": _by(scored, lambda outcome: outcome.clip.language),
        "skipped": [
            {"id": outcome.clip.id, "set": outcome.clip.set, "reason": outcome.reason}
            for outcome in outcomes
            if isinstance(outcome, Unscored)
        ],
        "failed": [{"id": outcome.clip.id, "set": outcome.clip.set, "error": outcome.error} for outcome in scored if outcome.error],
        "hypotheses": [_hypothesis(outcome) for outcome in scored],
        **via,
        "data": {**data, "clips": len(outcomes), "minutes": _minutes(scored)},
        "text_rules": TEXT_RULES,
        "system": system.as_json(),
    }


def _by(scored: Sequence[Scored], key: Callable[[Scored], str]) -> dict[str, object]:
    return {name: rates([outcome for outcome in scored if key(outcome) == name]) for name in sorted({key(outcome) for outcome in scored})}


def rates(scored: Iterable[Scored]) -> dict[str, object]:
    """Three figures that must not be mixed: words wrong, characters wrong in languages without word spaces, words heard in silence."""
    spoken: list[Scored] = []
    spaceless: list[Scored] = []
    silence: list[Scored] = []
    for outcome in scored:
        kind = silence if outcome.is_silence else spaceless if is_spaceless(outcome.clip.language) else spoken
        kind.append(outcome)
    characters = _rate(spaceless)
    characters["cer"], characters["characters"] = characters.pop("wer"), characters.pop("words")
    return {**_rate(spoken), "characters": characters if spaceless else None, "silence": _silence(silence) if silence else None}


def _rate(scored: Sequence[Scored]) -> dict[str, object]:
    summed = total(outcome.counts for outcome in scored)
    interval = ci95([Sampled(outcome.counts, outcome.clip.speaker) for outcome in scored])
    return {
        "wer": None if summed.rate is None else round(summed.rate, 5),
        "ci95": None if interval is None else [round(bound, 5) for bound in interval],
        "words": summed.words,
        "S": summed.substitutions,
        "D": summed.deletions,
        "I": summed.insertions,
        "clips": len(scored),
    }


def _silence(scored: Sequence[Scored]) -> dict[str, object]:
    """Of recordings in which nobody speaks, those that were heard: of one that failed it is not known what would have been."""
    heard = [outcome for outcome in scored if not outcome.error]
    words, minutes = total(outcome.counts for outcome in heard).insertions, _minutes(heard)
    return {
        "words_per_minute": round(words / minutes, 3) if minutes else None,
        "words": words,
        "minutes": minutes,
        "clips": len(heard),
        "with_words": sum(1 for outcome in heard if outcome.hypothesis),
    }


def _minutes(scored: Sequence[Scored]) -> float:
    return round(sum(outcome.audio.duration_s for outcome in scored if outcome.audio) / 60, 3)


def _hypothesis(outcome: Scored) -> dict[str, object]:
    clip, heard = outcome.clip, outcome.heard
    return {
        "id": clip.id,
        "set": clip.set,
        "language": clip.language,
        "speaker": clip.speaker,
        "conditions": list(clip.conditions),
        "ref": clip.text,
        "hyp": heard.text,
        "ref_words": outcome.reference,
        "hyp_words": outcome.hypothesis,
        "S": outcome.counts.substitutions,
        "D": outcome.counts.deletions,
        "I": outcome.counts.insertions,
        "words": outcome.counts.words,
        "confidence": _rounded(heard.confidence),
        "segments": [{name: _rounded(value) for name, value in asdict(segment).items()} for segment in heard.segments],
        "given_s": _rounded(heard.given_s),
        "given_lufs": _rounded(heard.given_lufs),
        "audio": None if outcome.audio is None else {name: _rounded(value) for name, value in asdict(outcome.audio).items()},
        "error": outcome.error,
    }


def _rounded(value: object) -> object:
    return round(value, 4) if isinstance(value, float) else value
