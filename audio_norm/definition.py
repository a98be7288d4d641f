"""The data definition: all rules together, with a version. The only place that says in which order they are applied."""

import hashlib
import json
import tomllib
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import numpy as np

from audio_norm.errors import DefinitionError
from audio_norm.intake import Intake
from audio_norm.loudness import LoudnessRule, amplify, integrated_lufs, true_peak_dbtp
from audio_norm.pcm import Frames
from audio_norm.silence import SAMPLES_PER_MS, GateRule, SilenceRule, SpeechGate, join, trim
from audio_norm.stream import Conditioner
from audio_norm.vad import VAD_RATE_HZ, SileroVad, Vad, WebRtcVad
from audio_norm.window import Normalized, Rejection, Span, SpeechWindow


@dataclass(frozen=True, slots=True)
class AudioRule:
    """The shape of the audio."""

    rate_hz: int = VAD_RATE_HZ
    channels: Literal["mean"] = "mean"
    """How several channels become one unless the caller chooses a channel."""
    high_pass_hz: float = 20.0
    """Corner of the first-order high-pass that removes DC."""

    def __post_init__(self) -> None:
        if self.rate_hz != VAD_RATE_HZ:
            raise ValueError(f"AudioRule wants rate_hz {VAD_RATE_HZ}, got {self.rate_hz}")
        if not 1.0 <= self.high_pass_hz <= 100.0:
            raise ValueError(f"AudioRule wants high_pass_hz from 1 to 100, got {self.high_pass_hz}")


@dataclass(frozen=True, slots=True)
class VadRule:
    """Which detector; the digit of WebRTC's is its aggressiveness."""

    detector: Literal["silero", "webrtc-0", "webrtc-1", "webrtc-2", "webrtc-3"] = "silero"

    def make(self) -> Vad:
        """A new detector, for one stream."""
        match self.detector:
            case "silero":
                return SileroVad()
            case "webrtc-0":
                return WebRtcVad(0)
            case "webrtc-1":
                return WebRtcVad(1)
            case "webrtc-2":
                return WebRtcVad(2)
            case "webrtc-3":
                return WebRtcVad(3)


@dataclass(frozen=True, slots=True)
class RejectionRule:
    """What is not worth recognising."""

    min_speech_ms: int = 64
    """Less speech than this in a window is `too_short`."""
    max_clipped_ratio: float = 0.75
    """A larger share of samples at full scale is `clipped`."""

    def __post_init__(self) -> None:
        if not 0 <= self.min_speech_ms <= 10_000:
            raise ValueError(f"RejectionRule wants min_speech_ms from 0 to 10000, got {self.min_speech_ms}")
        if not 0.0 < self.max_clipped_ratio <= 1.0:
            raise ValueError(f"RejectionRule wants max_clipped_ratio above 0 and up to 1, got {self.max_clipped_ratio}")


@dataclass(frozen=True)
class DataDefinition:
    """The rules that turn any incoming audio into what the recogniser (and a training set) sees. Safe to share between threads."""

    version: str
    audio: AudioRule
    vad: VadRule
    gating: GateRule
    silence: SilenceRule
    loudness: LoudnessRule
    rejection: RejectionRule

    @cached_property
    def digest(self) -> str:
        """First 12 hex digits of the sha256 of the rules, the version's name left out: equal rules, equal digest."""
        rules = {name: asdict(getattr(self, field)) for name, (field, _) in _SECTIONS.items()}
        canonical = json.dumps(rules, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]

    def intake(self, rate_hz: int, channels: int, channel: int | None = None) -> Intake:
        """For one stream of audio with `channels` channels at `rate_hz`; `channel` picks one, from 1; None takes the mean."""
        return Intake(rate_hz=rate_hz, channels=channels, channel=channel, to_hz=self.audio.rate_hz)

    def conditioner(self) -> Conditioner:
        """For one stream, fed with the samples of its intake."""
        return Conditioner(high_pass_hz=self.audio.high_pass_hz, rate_hz=self.audio.rate_hz, vad=self.vad.make())

    def gate(self, frame_samples: int) -> SpeechGate:
        """For one stream, pushed with the probabilities of its conditioner."""
        return SpeechGate(self.gating, frame_samples)

    def finish(self, window: SpeechWindow) -> Normalized:
        """The rules that need a whole segment: rejection, trimming, loudness. Pure; may be called from any thread."""
        speech_samples = sum(len(span) for span in window.speech)
        rejected = self._rejection(speech_samples, window.clipped_ratio)
        if rejected is not None:
            return Normalized(
                samples=np.empty(0, np.float32),
                rate_hz=self.audio.rate_hz,
                kept=(),
                gain_db=0.0,
                loudness_lufs=None,
                true_peak_dbfs=None,
                speech_samples=speech_samples,
                rejected=rejected,
                definition=self.version,
            )
        kept = trim(Span(window.start_sample, window.end_sample), window.speech, self.silence)
        samples = join(window.samples, window.start_sample, kept)
        loudness_lufs = integrated_lufs(samples, self.audio.rate_hz)
        peak_dbtp = true_peak_dbtp(samples)
        gain_db = self.loudness.gain_db(loudness_lufs, peak_dbtp)
        return Normalized(
            samples=amplify(samples, gain_db),
            rate_hz=self.audio.rate_hz,
            kept=kept,
            gain_db=gain_db,
            loudness_lufs=loudness_lufs,
            true_peak_dbfs=peak_dbtp,
            speech_samples=speech_samples,
            rejected=None,
            definition=self.version,
        )

    def normalize(self, frames: Frames, rate_hz: int, channel: int | None = None) -> Normalized:
        """A whole recording of shape (n, channels): what a stream of it gives, fed in any chunks, with all of it as one window."""
        return self.finish(self.whole_window(frames, rate_hz, channel))

    def whole_window(self, frames: Frames, rate_hz: int, channel: int | None = None) -> SpeechWindow:
        """A whole recording conditioned, with all its speech: what `finish` takes."""
        intake, conditioner = self.intake(rate_hz, frames.shape[1], channel), self.conditioner()
        taken = (intake.feed(frames), intake.flush())
        parts = (*(conditioner.feed(part.samples) for part in taken), conditioner.flush())
        samples = np.concatenate([part.samples for part in parts])
        gate = self.gate(conditioner.frame_samples)
        for part in parts:
            for probability in part.speech:
                gate.push(probability)
        clipped = sum(len(part.clipped) for part in taken)
        return SpeechWindow(
            samples=samples,
            start_sample=0,
            speech=gate.spans(0, len(samples)),
            clipped_ratio=min(clipped / len(samples), 1.0) if len(samples) else 0.0,
            dc_offset=taken[-1].dc_offset,
            gaps=tuple(gap for part in taken for gap in part.gaps if gap.end_sample <= len(samples)),
        )

    def _rejection(self, speech_samples: int, clipped_ratio: float) -> Rejection | None:
        if not speech_samples:
            return "no_speech"
        if speech_samples < self.rejection.min_speech_ms * SAMPLES_PER_MS:
            return "too_short"
        if clipped_ratio > self.rejection.max_clipped_ratio:
            return "clipped"
        return None


_SECTIONS: dict[str, tuple[str, type]] = {
    "audio": ("audio", AudioRule),
    "vad": ("vad", VadRule),
    "gate": ("gating", GateRule),
    "silence": ("silence", SilenceRule),
    "loudness": ("loudness", LoudnessRule),
    "rejection": ("rejection", RejectionRule),
}
"""Section of the file: field of the definition and its type."""


def published_definitions() -> tuple[str, ...]:
    """Names that `load_definition` knows."""
    folder = files("audio_norm") / "definitions"
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")))


def load_definition(name_or_path: str | Path = "v1") -> DataDefinition:
    """A published definition by name, or any other from a TOML file. Every rule must be there, nothing else may."""
    if str(name_or_path) in published_definitions():
        return _load_published(str(name_or_path))
    path = Path(name_or_path)
    if path.suffix != ".toml":
        known = ", ".join(published_definitions())
        raise DefinitionError(f"no data definition {str(name_or_path)!r}: give one of {known}, or the path of a .toml file")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DefinitionError(f"cannot read the data definition {path}: {error}") from error
    definition = _parse(text, str(path))
    if definition.version in published_definitions() and definition.digest != _load_published(definition.version).digest:
        raise DefinitionError(f"{path}: version {definition.version!r} is published with other rules: give changed rules another version")
    return definition


def _load_published(name: str) -> DataDefinition:
    resource = files("audio_norm") / "definitions" / f"{name}.toml"
    return _parse(resource.read_text(encoding="utf-8"), name)


def _parse(text: str, origin: str) -> DataDefinition:
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DefinitionError(f"{origin}: not TOML: {error}") from error
    _check_keys(raw, ("version", *_SECTIONS), origin, "")
    version = raw["version"]
    if not isinstance(version, str) or not version:
        raise DefinitionError(f"{origin}: version wants a non-empty string, got {version!r}")
    rules: dict[str, Any] = {field: _parse_section(raw[name], name, rule, origin) for name, (field, rule) in _SECTIONS.items()}
    return DataDefinition(version=version, **rules)


_Rule = TypeVar("_Rule")


def _parse_section(raw: object, section: str, rule: type[_Rule], origin: str) -> _Rule:
    if not isinstance(raw, dict):
        raise DefinitionError(f"{origin}: {section} wants a table, got {raw!r}")
    types = {field.name: field.type for field in fields(rule)}  # type: ignore[arg-type]
    _check_keys(raw, tuple(types), origin, f"{section}.")
    values = {name: _typed(raw[name], kind, f"{origin}: {section}.{name}") for name, kind in types.items()}
    try:
        return rule(**values)
    except ValueError as error:
        raise DefinitionError(f"{origin}: {section}: {error}") from error


def _check_keys(raw: dict[str, Any], wanted: tuple[str, ...], origin: str, prefix: str) -> None:
    for key in raw:
        if key not in wanted:
            raise DefinitionError(f"{origin}: unknown key {prefix}{key}: accepted are {', '.join(wanted)}")
    for key in wanted:
        if key not in raw:
            raise DefinitionError(f"{origin}: {prefix}{key} is missing: every rule must be stated")


def _typed(value: object, kind: object, where: str) -> object:
    """`value` as the type of its field; whole numbers are taken for floats, nothing else is converted."""
    if get_origin(kind) is Literal:
        if value in get_args(kind) and isinstance(value, str):
            return value
        raise DefinitionError(f"{where} wants one of {', '.join(get_args(kind))}, got {value!r}")
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if kind is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    raise DefinitionError(f"{where} wants {'a number' if kind is float else 'a whole number'}, got {value!r}")
