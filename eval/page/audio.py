"""Recordings as they travel inside a page: FLAC, mono, at their own rate, as a data URI."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import soundfile

from asr_server.accuracy.manifest import Clip, ManifestError
from audio_norm import Frames, to_int16, to_mono
from eval.audio import read_frames

LONGEST_S = 30.0
"""What is longer is cut there: a page with a chapter in it cannot be mailed."""


@dataclass(frozen=True, slots=True)
class Sound:
    """One recording, or its beginning."""

    uri: str
    duration_s: float
    embedded_s: float

    @property
    def is_cut(self) -> bool:
        return self.embedded_s < self.duration_s

    @property
    def size_bytes(self) -> int:
        """Of the page it takes."""
        return len(self.uri)


@dataclass(frozen=True, slots=True)
class NoSound:
    """Why a recording is not in the page."""

    reason: str


def embed(frames: Frames, rate_hz: int, *, longest_s: float = LONGEST_S) -> Sound:
    """Audio of shape (n, channels), 16 bits of it."""
    first = to_int16(to_mono(frames[: round(longest_s * rate_hz)], None))
    file = io.BytesIO()
    soundfile.write(file, first, rate_hz, format="FLAC", subtype="PCM_16")
    uri = f"data:audio/flac;base64,{base64.b64encode(file.getvalue()).decode()}"
    return Sound(uri, len(frames) / rate_hz, len(first) / rate_hz)


def sound_of(clip: Clip | None, reference: str) -> Sound | NoSound:
    """Of a clip as the manifest has it now; `reference`: as it stood when it was heard. None: the manifest has no such clip any more."""
    if clip is None:
        return NoSound("the manifest has no such clip any more")
    if clip.text != reference:
        return NoSound("the manifest has another text for this clip than the run had")
    if not clip.audio.is_file():
        return NoSound(f"no such file: {clip.audio.name}")
    try:
        return embed(*read_frames(clip))
    except ManifestError as error:
        return NoSound(str(error).replace(str(clip.audio), clip.audio.name))


def total_bytes(sounds: Sequence[Sound | NoSound]) -> int:
    return sum(sound.size_bytes for sound in sounds if isinstance(sound, Sound))
