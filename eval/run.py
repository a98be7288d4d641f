"""`python -m eval run`: the word error rate of a recogniser on a manifest."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from asr_server.errors import WrongCall
from eval.manifest import Clip
from eval.normalize import TEXT_RULES, normalize
from eval.recognisers import Failed, Recogniser, Skipped, System
from eval.wer import ErrorCounts, bootstrap_ci95, count_errors, total

NOT_HEADLINE = frozenset({"fsdd_digits", "alphanumeric_commands", "cards_commands", "digit_strings", "multilingual", "long_form"})
"""Sets that are told apart: isolated words and digits, other languages, a whole chapter. The headline is English running speech."""


@dataclass(frozen=True, slots=True)
class Scored:
    """One clip, as it was said and as it was heard."""

    clip: Clip
    text: str
    reference: str
    """Normalised, as compared."""
    hypothesis: str
    """Normalised, as compared."""
    counts: ErrorCounts
    error: str = ""
    """Why nothing was heard, when the recogniser failed."""


@dataclass(frozen=True, slots=True)
class Unscored:
    """One clip this recogniser is not meant for."""

    clip: Clip
    reason: str


def select(clips: Sequence[Clip], *, sets: Iterable[str] = (), exclude_sets: Iterable[str] = (), limit: int | None = None) -> list[Clip]:
    """Clips of `sets` (none named: of all) but not of `exclude_sets`, the first `limit` of them. Raises WrongCall when none is left."""
    wanted, unwanted = frozenset(sets), frozenset(exclude_sets)
    known = {clip.set for clip in clips}
    if unknown := wanted - known:
        raise WrongCall(f"--sets: no such set: {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")
    chosen = [clip for clip in clips if (not wanted or clip.set in wanted) and clip.set not in unwanted][:limit]
    if not chosen:
        raise WrongCall("no clips are left after --sets, --exclude-sets, --headline and --limit")
    return chosen


def score(clip: Clip, text: str, error: str = "") -> Scored:
    reference, hypothesis = normalize(clip.text, clip.language), normalize(text, clip.language)
    return Scored(clip, text, reference, hypothesis, count_errors(reference, hypothesis), error)


async def hear_all(clips: Sequence[Clip], recogniser: Recogniser, *, jobs: int, heard: Callable[[], None]) -> list[Scored | Unscored]:
    """Every clip, `jobs` at a time, in the order of the manifest. `heard` is called after each."""
    room = asyncio.Semaphore(jobs)

    async def hear(clip: Clip) -> Scored | Unscored:
        async with room:
            try:
                return score(clip, await recogniser.hear(clip))
            except Skipped as skipped:
                return Unscored(clip, str(skipped))
            except Failed as failed:
                return score(clip, "", error=str(failed))
            finally:
                heard()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(hear(clip)) for clip in clips]
    return [task.result() for task in tasks]


def report(outcomes: Sequence[Scored | Unscored], system: System, *, via: str) -> dict[str, object]:
    """Everything about a run, ready for JSON. Rates are shares of the reference words: 0.08 is 8 %."""
    scored = [outcome for outcome in outcomes if isinstance(outcome, Scored)]
    sets = sorted({outcome.clip.set for outcome in scored})
    return {
        **_rate([outcome.counts for outcome in scored]),
        "by_set": {name: _rate([outcome.counts for outcome in scored if outcome.clip.set == name]) for name in sets},
        "skipped": [
            {"id": outcome.clip.id, "set": outcome.clip.set, "reason": outcome.reason}
            for outcome in outcomes
            if isinstance(outcome, Unscored)
        ],
        "failed": [{"id": outcome.clip.id, "set": outcome.clip.set, "error": outcome.error} for outcome in scored if outcome.error],
        "hypotheses": [_hypothesis(outcome) for outcome in scored],
        "via": via,
        "text_rules": TEXT_RULES,
        "system": system.as_json(),
    }


def _rate(counts: Sequence[ErrorCounts]) -> dict[str, object]:
    summed = total(counts)
    ci95 = bootstrap_ci95(counts)
    return {
        "wer": None if summed.rate is None else round(summed.rate, 5),
        "ci95": None if ci95 is None else [round(bound, 5) for bound in ci95],
        "words": summed.words,
        "S": summed.substitutions,
        "D": summed.deletions,
        "I": summed.insertions,
        "clips": len(counts),
    }


def _hypothesis(outcome: Scored) -> dict[str, object]:
    return {
        "id": outcome.clip.id,
        "set": outcome.clip.set,
        "language": outcome.clip.language,
        "ref": outcome.clip.text,
        "hyp": outcome.text,
        "ref_words": outcome.reference,
        "hyp_words": outcome.hypothesis,
        "S": outcome.counts.substitutions,
        "D": outcome.counts.deletions,
        "I": outcome.counts.insertions,
        "words": outcome.counts.words,
    }
