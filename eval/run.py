"""`python -m eval run`: the word error rate of a recogniser on a manifest."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from asr_server.accuracy.manifest import Clip, ManifestError
from asr_server.accuracy.normalize import normalize
from asr_server.accuracy.wer import ErrorCounts, count_errors
from asr_server.errors import WrongCall
from audio_norm import AudioError, DataDefinition, Inspection, inspect_audio
from eval.audio import read_frames
from eval.journal import Entry
from eval.recognisers import Failed, Heard, Recogniser, Skipped

NOT_HEADLINE = frozenset({"fsdd_digits", "alphanumeric_commands", "cards_commands", "digit_strings", "multilingual", "long_form"})
"""Sets that are told apart: isolated words and digits, other languages, a whole chapter. The headline is English running speech."""


@dataclass(frozen=True, slots=True)
class Scored:
    """One clip, as it was said and as it was heard."""

    clip: Clip
    heard: Heard
    audio: Inspection | None
    """None when the recogniser failed."""
    reference: str
    """Normalised, as compared."""
    hypothesis: str
    """Normalised, as compared."""
    counts: ErrorCounts
    error: str = ""
    """Why nothing was heard, when the recogniser failed."""

    @property
    def is_silence(self) -> bool:
        """Nobody speaks in it, by its reference: words heard in it are counted apart."""
        return not self.clip.text.strip()


@dataclass(frozen=True, slots=True)
class Unscored:
    """One clip this recogniser is not meant for."""

    clip: Clip
    reason: str


Outcome = Scored | Unscored


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


def score(clip: Clip, entry: Entry | None, error: str = "") -> Scored:
    """`entry` is None when the recogniser failed."""
    heard, audio = (entry.heard, entry.audio) if entry else (Heard(), None)
    reference, hypothesis = normalize(clip.text, clip.language), normalize(heard.text, clip.language)
    return Scored(clip, heard, audio, reference, hypothesis, count_errors(reference, hypothesis), error)


async def hear_all(
    clips: Sequence[Clip],
    recogniser: Recogniser,
    definition: DataDefinition,
    *,
    jobs: int,
    taken_up: Mapping[str, Entry],
    heard: Callable[[Clip, Entry | None], None],
) -> list[Outcome]:
    """Every clip that was not `taken_up` from an earlier run, `jobs` at a time; outcomes in the order of the manifest.

    `heard` is called after each clip, with None for a clip that was skipped or failed. `definition` is what the audio is measured by.
    """
    room = asyncio.Semaphore(jobs)

    async def hear(clip: Clip) -> Outcome:
        if clip.id in taken_up:
            return score(clip, taken_up[clip.id])
        async with room:
            entry = None
            try:
                found = await recogniser.hear(clip)
                entry = Entry(found, await asyncio.to_thread(inspect, clip, definition))
            except Skipped as skipped:
                return Unscored(clip, str(skipped))
            except (Failed, ManifestError, AudioError) as failed:
                return score(clip, None, error=str(failed))
            finally:
                heard(clip, entry)
            return score(clip, entry)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(hear(clip)) for clip in clips]
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None  # what ended the others says enough, such as a full disk
    return [task.result() for task in tasks]


def inspect(clip: Clip, definition: DataDefinition) -> Inspection:
    """What the clip's audio is like. Raises ManifestError for a file that is not audio."""
    return inspect_audio(*read_frames(clip), definition)
