"""Conditions under which the same recordings are heard again, and what they need around them: noises and rooms from a manifest."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from asr_server.accuracy.manifest import Clip, read_manifest
from asr_server.errors import WrongCall
from audio_norm import Frames, Pcm, Samples, Span, resample, to_mono
from eval.audio import read_frames
from eval.robustness.distort import CannotDistort, add_noise, change_level, lose_packets, overdrive, reverberate, stretch_of, telephone

Family = Literal["level", "telephone", "noise", "reverberation", "clipping", "packet-loss"]
FAMILIES: tuple[Family, ...] = get_args(Family)
NEED_SURROUNDINGS: frozenset[Family] = frozenset({"noise", "reverberation"})
"""Cannot be without a noise manifest."""

IMPULSE_RESPONSE = "room-impulse-response"
"""Marks a recording of a room, among its `conditions`."""
NOT_NOISE = frozenset({"silence", "speech", "voice", "voices", "babble"})
"""A recording with such a word in one of its `conditions` is not added to speech: in it there is nothing to hear, or somebody to
understand."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One way of changing recordings. `amount`: dB, SNR in dB, percent of speech samples or of packets, by family."""

    family: Family
    amount: float = 0.0

    @property
    def name(self) -> str:
        match self.family:
            case "level":
                return f"level {self.amount:+g} dB"
            case "noise":
                return f"noise {self.amount:g} dB SNR"
            case "clipping" | "packet-loss":
                return f"{self.family.replace('-', ' ')} {self.amount:g} %"
            case _:
                return self.family


CONDITIONS: tuple[Condition, ...] = (
    *(Condition("level", gain_db) for gain_db in (-30, -20, -10, 10)),
    Condition("telephone"),
    *(Condition("noise", snr_db) for snr_db in (20, 10, 5, 0)),
    Condition("reverberation"),
    *(Condition("clipping", percent) for percent in (5, 20)),
    *(Condition("packet-loss", percent) for percent in (1, 5, 10)),
)


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """A clip's audio with where speech is in it, in its own samples."""

    id: str
    frames: Frames
    rate_hz: int
    speech: tuple[Span, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """A noise, or a room's impulse response."""

    id: str
    audio: Pcm

    def at(self, rate_hz: int) -> Samples:
        return resample(self.audio, rate_hz).samples


@dataclass(frozen=True, slots=True, eq=False)
class Around:
    """What was drawn to be around one recording: as much of a noise as the recording is long, or a room. At the recording's rate."""

    id: str
    samples: Samples


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A recording of the noise manifest that is used for nothing, and why."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What may be around speech."""

    noises: tuple[Sound, ...] = ()
    responses: tuple[Sound, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    def as_json(self) -> dict[str, object]:
        return {
            "noises": [noise.id for noise in self.noises],
            "responses": [response.id for response in self.responses],
            "left_out": [asdict(one) for one in self.left_out],
        }


def conditions_of(families: Sequence[str], surroundings: Surroundings | None) -> list[Condition]:
    """Of these families, or of all that are possible when none is named; in the order of CONDITIONS. Raises WrongCall for a family that
    there is not, for one that lacks its surroundings, and for surroundings that none needs."""
    if unknown := set(families) - set(FAMILIES):
        raise WrongCall(f"--conditions: no such conditions: {', '.join(sorted(unknown))}; there are {', '.join(FAMILIES)}")
    needy = sorted(NEED_SURROUNDINGS & set(families))
    if surroundings is None and needy:
        raise WrongCall(f"--conditions: {' and '.join(needy)} cannot be without --noise")
    if surroundings is not None and families and not needy:
        raise WrongCall(f"--noise goes with --conditions {' or '.join(sorted(NEED_SURROUNDINGS))}")
    wanted = set(families) or set(FAMILIES) - (NEED_SURROUNDINGS if surroundings is None else set())
    if surroundings is not None:
        if "noise" in wanted and not surroundings.noises:
            raise WrongCall(
                "--noise: there is no noise in it (lines without text, not speech, silence or rooms); choose --conditions without noise"
            )
        if "reverberation" in wanted and not surroundings.responses:
            raise WrongCall("--noise: there is no room impulse response in it; choose --conditions without reverberation")
    return [condition for condition in CONDITIONS if condition.family in wanted]


def read_surroundings(manifest: Path, exclude: Collection[str] = ()) -> Surroundings:
    """Noises and impulse responses of a manifest, told apart by its `conditions`. Raises ManifestError, and WrongCall for an id that is not
    in it."""
    clips = read_manifest(manifest)
    if unknown := set(exclude) - {clip.id for clip in clips}:
        raise WrongCall(f"--exclude: no such id: {', '.join(sorted(unknown))}")
    noises: list[Sound] = []
    responses: list[Sound] = []
    left_out: list[LeftOut] = []
    for clip in clips:
        is_response = IMPULSE_RESPONSE in clip.conditions
        reason = "excluded" if clip.id in exclude else "" if is_response else _why_not_noise(clip)
        if not reason:
            frames, rate_hz = read_frames(clip)
            sound = Sound(clip.id, Pcm(to_mono(frames, 1 if is_response else None), rate_hz))
            reason = "" if sound.audio.samples.any() else "digital silence"
            if not reason:
                (responses if is_response else noises).append(sound)
        if reason:
            left_out.append(LeftOut(clip.id, reason))
    return Surroundings(tuple(noises), tuple(responses), tuple(left_out))


def _why_not_noise(clip: Clip) -> str:
    """ "" for noise."""
    if clip.text.strip():
        return "has a text"
    telling = [condition for condition in clip.conditions if NOT_NOISE & set(condition.split("-"))]
    return f"its conditions say {telling[0]!r}" if telling else ""


def distorted(recording: Recording, condition: Condition, surroundings: Surroundings, *, seed: int = 0) -> Frames:
    """The recording under the condition: as many frames, the same for the same recording, family and seed.

    What is drawn (which noise, which room, where losses are) does not depend on the amount: 0 dB is the same noise as 20 dB, only louder.
    Raises CannotDistort when the recording lacks what the condition is measured by.
    """
    frames, rate_hz, speech = recording.frames, recording.rate_hz, recording.speech
    _check_not_empty(recording)
    match condition.family:
        case "level":
            return change_level(frames, condition.amount)
        case "telephone":
            return telephone(frames, rate_hz)
        case "noise":
            return add_noise(frames, _noise_around(recording, surroundings, seed).samples, speech, condition.amount)
        case "reverberation":
            return reverberate(frames, _room_around(recording, surroundings, seed).samples)
        case "clipping":
            return overdrive(frames, speech, condition.amount / 100.0)
        case "packet-loss":
            return lose_packets(frames, rate_hz, condition.amount / 100.0, generator(recording.id, condition.family, seed))


def sound_around(recording: Recording, family: Family, surroundings: Surroundings, *, seed: int = 0) -> str | None:
    """Id of the noise or room that `distorted` puts around the recording; None under a family that has none. Raises CannotDistort."""
    _check_not_empty(recording)
    match family:
        case "noise":
            return _noise_around(recording, surroundings, seed).id
        case "reverberation":
            return _room_around(recording, surroundings, seed).id
        case _:
            return None


def _check_not_empty(recording: Recording) -> None:
    if not len(recording.frames):
        raise CannotDistort("it is empty")


def generator(recording: str, family: Family, seed: int) -> np.random.Generator:
    """Of chance for one recording: not of Python's own hash, which differs from process to process."""
    digest = hashlib.sha256(f"{family}/{recording}".encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:8], "big")])


def _room_around(recording: Recording, surroundings: Surroundings, seed: int) -> Around:
    chance = generator(recording.id, "reverberation", seed)
    room = surroundings.responses[int(chance.integers(len(surroundings.responses)))]
    return Around(room.id, room.at(recording.rate_hz))


def _noise_around(recording: Recording, surroundings: Surroundings, seed: int) -> Around:
    """Of the first noise drawn that has no gap where it is cut out."""
    chance = generator(recording.id, "noise", seed)
    for index in chance.permutation(len(surroundings.noises)):
        noise = surroundings.noises[int(index)]
        try:
            return Around(noise.id, stretch_of(noise.at(recording.rate_hz), len(recording.frames), chance))
        except CannotDistort:
            continue
    raise CannotDistort("no noise is without a gap as long as it")
