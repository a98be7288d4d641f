"""`python -m eval robustness`: the same recordings under other conditions, with the data definition and without.

What the conditions cost, and what the definition buys.
"""

import asyncio
import io
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import soundfile

from asr_server.accuracy.manifest import Clip, ManifestError
from asr_server.accuracy.normalize import TEXT_RULES, is_spaceless
from asr_server.accuracy.wer import ErrorCounts
from audio_norm import DataDefinition, Frames, Span, to_int16
from eval.audio import read_frames
from eval.intervals import difference
from eval.recognisers import Failed, Heard, Recogniser, Skipped, System
from eval.report import rates
from eval.robustness.conditions import NEED_SURROUNDINGS, Condition, Family, Recording, Surroundings, distorted, sound_around
from eval.robustness.distort import CannotDistort
from eval.run import Outcome, Scored, Unscored
from eval.via import HOW

AS_RECORDED = "as recorded"


class Distorter:
    """Makes recordings of clips under conditions. Remembers where speech is in each and what is around it, since both are dear and do not
    depend on the amount. Safe to share between threads."""

    def __init__(self, definition: DataDefinition, surroundings: Surroundings, seed: int) -> None:
        """`definition`: by whose detector speech is found."""
        self._definition = definition
        self._surroundings = surroundings
        self._seed = seed
        self._speech: dict[str, tuple[Span, ...]] = {}
        self._sounds: dict[tuple[str, Family], str | None] = {}

    def distorted(self, clip: Clip, condition: Condition) -> tuple[Frames, int]:
        """And the rate in Hz. Raises CannotDistort, and ManifestError for a file that is not audio."""
        frames, rate_hz = read_frames(clip)
        recording = Recording(clip.id, frames, rate_hz, self._speech_in(clip.id, frames, rate_hz))
        return distorted(recording, condition, self._surroundings, seed=self._seed), rate_hz

    def sounds_around(self, clips: Sequence[Clip], condition: Condition) -> dict[str, str]:
        """Ids of the noise or room that clips have around them under the condition, by their own; also of clips that were not made here,
        for the draw repeats itself. A clip without any is not in it."""
        if condition.family not in NEED_SURROUNDINGS:
            return {}
        found = ((clip.id, self._sound_around(clip, condition.family)) for clip in clips)
        return {clip_id: sound for clip_id, sound in found if sound is not None}

    def _sound_around(self, clip: Clip, family: Family) -> str | None:
        if (clip.id, family) not in self._sounds:
            try:
                sound = sound_around(Recording(clip.id, *read_frames(clip), ()), family, self._surroundings, seed=self._seed)
            except (CannotDistort, ManifestError):
                sound = None
            self._sounds[clip.id, family] = sound
        return self._sounds[clip.id, family]

    def _speech_in(self, clip_id: str, frames: Frames, rate_hz: int) -> tuple[Span, ...]:
        if clip_id not in self._speech:
            self._speech[clip_id] = speech_in(frames, rate_hz, self._definition)
        return self._speech[clip_id]


def speech_in(frames: Frames, rate_hz: int, definition: DataDefinition) -> tuple[Span, ...]:
    """Where speech is, by the definition's detector, in samples of the recording."""
    to_hz = definition.audio.rate_hz
    found = definition.whole_window(frames, rate_hz).speech
    own = ((span.start_sample * rate_hz // to_hz, min(span.end_sample * rate_hz // to_hz, len(frames))) for span in found)
    return tuple(Span(start, end) for start, end in own if start < end)


class UnderCondition:
    """A recogniser that hears each of `clips` under a condition: the file is made in `folder` when it is first heard, and left there.

    A file gets its name when it is whole. No failure tells its name, which nobody could look up, but the clip and the condition.
    """

    def __init__(self, recogniser: Recogniser, clips: Sequence[Clip], condition: Condition, distorter: Distorter, folder: Path) -> None:
        self._recogniser = recogniser
        self._condition = condition
        self._distorter = distorter
        self._recorded = {clip.id: clip for clip in clips}
        self.clips = [replace(clip, audio=folder / f"{index}.wav") for index, clip in enumerate(clips)]
        """What is to be heard."""

    @property
    def system(self) -> System:
        return self._recogniser.system

    async def hear(self, clip: Clip) -> Heard:
        if not clip.audio.exists():
            await asyncio.to_thread(self._make, clip)
        try:
            return await self._recogniser.hear(clip)
        except (Failed, ManifestError) as error:
            raise Failed(str(error).replace(str(clip.audio), self._name(clip))) from error

    def _name(self, clip: Clip) -> str:
        return f"{clip.id} under {self._condition.name}"

    def _make(self, clip: Clip) -> None:
        recorded = self._recorded[clip.id]
        try:
            frames, rate_hz = self._distorter.distorted(recorded, self._condition)
        except CannotDistort as error:
            raise Skipped(str(error)) from None
        except ManifestError as error:  # in the words that recognisers have for it as recorded, so that it is told once
            raise Failed(str(error).removeprefix(f"{recorded.audio}: ")) from error
        content, unfinished = io.BytesIO(), clip.audio.with_suffix(".unfinished")
        soundfile.write(content, to_int16(frames), rate_hz, format="WAV", subtype="PCM_16")
        try:
            unfinished.write_bytes(content.getbuffer())
            unfinished.rename(clip.audio)
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            raise Failed(f"{self._name(clip)} cannot be written below {clip.audio.parent.parent}: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class HeardUnder:
    """All clips under one condition."""

    condition: Condition | None
    """None: as recorded."""
    defined: Sequence[Outcome]
    """With the data definition."""
    undefined: Sequence[Outcome] | None
    """Without it; None where it is always applied."""
    sounds: Mapping[str, str] = field(default_factory=dict)
    """Ids of the noise or room around clips, by their own."""

    @property
    def name(self) -> str:
        return AS_RECORDED if self.condition is None else self.condition.name


FIELDS = ("conditions", "gain_of_definition", *HOW, "data", "noise", "seed", "text_rules", "system")
"""Of a report, at its top; those of HOW where they apply."""


def report(
    heard: Sequence[HeardUnder],
    system: System,
    *,
    via: Mapping[str, object],
    data: Mapping[str, object],
    noise: Mapping[str, object] | None,
    seed: int,
) -> dict[str, object]:
    """Ready for JSON. `heard` begins with the recordings as recorded; `noise`: what was around them, None for nothing.

    Rates and differences are shares of the reference words. A difference is of the clips that were heard both times, each clip against
    itself. What the definition saves is the rate without it less the rate with it.
    """
    recorded = heard[0]
    if recorded.condition is not None:
        raise ValueError("the first is to be as recorded")
    return {
        "conditions": [_condition(one, recorded) for one in heard],
        "gain_of_definition": _gain(heard),
        **via,
        "data": dict(data),
        "noise": noise,
        "seed": seed,
        "text_rules": TEXT_RULES,
        "system": system.as_json(),
    }


def _condition(one: HeardUnder, recorded: HeardUnder) -> dict[str, object]:
    without = None if one.undefined is None else _side(one.undefined, one.sounds)
    return {
        "name": one.name,
        **({"family": None, "amount": None} if one.condition is None else asdict(one.condition)),
        "with": _side(one.defined, one.sounds),
        "without": without,
        "difference": None
        if one is recorded
        else {
            "with": _differences([(recorded.defined, one.defined)]),
            "without": _differences([(recorded.undefined, one.undefined)]) if recorded.undefined and one.undefined else None,
        },
        "gain_of_definition": _gain([one]),
    }


def _side(outcomes: Sequence[Outcome], sounds: Mapping[str, str]) -> dict[str, object]:
    scored = [outcome for outcome in outcomes if isinstance(outcome, Scored)]
    kept_back = Counter(
        outcome.audio.rejected for outcome in scored if outcome.audio and outcome.audio.rejected and not outcome.heard.given_s
    )
    return {
        **rates(scored),
        "empty": sum(1 for outcome in scored if not outcome.is_silence and not outcome.hypothesis),
        "rejected": {str(reason): count for reason, count in sorted(kept_back.items())},
        "skipped": [{"id": outcome.clip.id, "reason": outcome.reason} for outcome in outcomes if isinstance(outcome, Unscored)],
        "failed": [{"id": outcome.clip.id, "error": outcome.error} for outcome in scored if outcome.error],
        "hypotheses": [_hypothesis(outcome, sounds.get(outcome.clip.id)) for outcome in scored],
    }


def _hypothesis(outcome: Scored, sound: str | None) -> dict[str, object]:
    counts = outcome.counts
    errors = {"S": counts.substitutions, "D": counts.deletions, "I": counts.insertions, "words": counts.words}
    return {"id": outcome.clip.id, "hyp": outcome.heard.text, "noise": sound, **errors}


def _gain(heard: Iterable[HeardUnder]) -> dict[str, object] | None:
    """Over all of `heard`: a clip's errors under all conditions are one draw."""
    sides = [(one.defined, one.undefined) for one in heard if one.undefined is not None]
    return _differences(sides) if sides else None


_Sides = Sequence[tuple[Sequence[Outcome], Sequence[Outcome]]]


def _differences(sides: _Sides) -> dict[str, object]:
    """Of words, and of characters in languages without word spaces."""
    return {
        "words": _paired(sides, lambda outcome: not is_spaceless(outcome.clip.language)),
        "characters": _paired(sides, lambda outcome: is_spaceless(outcome.clip.language)),
    }


def _paired(sides: _Sides, counted: Callable[[Scored], bool]) -> dict[str, object] | None:
    """None where nothing was said."""
    before: dict[str, ErrorCounts] = {}
    after: dict[str, ErrorCounts] = {}
    speakers: dict[str, str | None] = {}
    for one, other in sides:
        counterparts = {outcome.clip.id: outcome for outcome in other if isinstance(outcome, Scored)}
        for outcome in one:
            name = outcome.clip.id
            if isinstance(outcome, Scored) and name in counterparts and not outcome.is_silence and counted(outcome):
                before[name] = before.get(name, ErrorCounts.zero()) + outcome.counts
                after[name] = after.get(name, ErrorCounts.zero()) + counterparts[name].counts
                speakers[name] = outcome.clip.speaker
    found = difference(list(before.values()), list(after.values()), list(speakers.values()))
    if found is None:
        return None
    rounded = {"rate": round(found.rate, 5), "ci95": found.ci95 and [round(bound, 5) for bound in found.ci95], "p": round(found.p_value, 4)}
    return {**rounded, "clips": len(before)}
