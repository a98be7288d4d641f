"""When the speech of a clip ends: what time to final is counted from."""

from dataclasses import dataclass
from typing import Literal

from audio_norm import DataDefinition, Frames
from eval.manifest import Clip


@dataclass(frozen=True, slots=True)
class SpeechEnd:
    at_s: float
    known_by: Literal["words", "vad", "clip"]
    """The manifest's word times; else the last speech frame by the data definition's detector; else, without any, the end of the clip."""


def speech_end(clip: Clip, frames: Frames, rate_hz: int, definition: DataDefinition) -> SpeechEnd:
    """Never after the end of the audio."""
    duration_s = len(frames) / rate_hz
    if clip.speech_end_s is not None:
        return SpeechEnd(min(clip.speech_end_s, duration_s), "words")
    spans = definition.whole_window(frames, rate_hz).speech
    if spans:
        return SpeechEnd(min(spans[-1].end_sample / definition.audio.rate_hz, duration_s), "vad")
    return SpeechEnd(duration_s, "clip")
