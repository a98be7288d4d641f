"""Our engine on whole recordings: no endpointing, no budget, nothing given up. What the audio goes through before it can be chosen."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from asr_server.accuracy.language import primary_tag
from asr_server.accuracy.manifest import Clip
from asr_server.engine.engine import DecodeOptions, Decoding, Engine
from asr_server.errors import AsrError
from asr_server.version import code_version
from audio_norm import (
    AudioError,
    DataDefinition,
    Frames,
    Normalized,
    Pcm,
    Samples,
    Span,
    decode_file,
    integrated_lufs,
    load_definition,
    resample,
    to_mono,
)
from eval.recognisers import Failed, Heard, HeardSegment, Skipped, System
from eval.windows import cut

WINDOW_S = 28
"""Longest audio the engine gets at once: its 30 s less the silence it wants after the speech. Longer recordings are cut at pauses."""
RATE_HZ = 16_000


class Preparation(Protocol):
    """What a recording goes through before the engine gets it."""

    @property
    def name(self) -> str:
        """For the record."""

    def prepare(self, frames: Frames, rate_hz: int) -> list[Normalized]:
        """Windows of at most WINDOW_S of a whole recording of shape (n, channels), in order."""


class Defined:
    """The data definition, as the server applies it."""

    def __init__(self, definition: DataDefinition) -> None:
        self._definition = definition
        self.name = f"{definition.version} {definition.digest}"

    def prepare(self, frames: Frames, rate_hz: int) -> list[Normalized]:
        window = self._definition.whole_window(frames, rate_hz)
        return [self._definition.finish(part) for part in cut(window, WINDOW_S * RATE_HZ)]


class Undefined:
    """No data definition: mono at 16 kHz and nothing else, cut every WINDOW_S. For comparison."""

    name = "none"

    def prepare(self, frames: Frames, rate_hz: int) -> list[Normalized]:
        samples = resample(Pcm(to_mono(frames, None), rate_hz), RATE_HZ).samples
        size = WINDOW_S * RATE_HZ
        return [self._window(samples[start : start + size], start) for start in range(0, len(samples), size)]

    def _window(self, samples: Samples, start: int) -> Normalized:
        return Normalized(
            samples=samples,
            rate_hz=RATE_HZ,
            kept=(Span(start, start + len(samples)),),
            gain_db=0.0,
            loudness_lufs=None,
            true_peak_dbfs=None,
            speech_samples=len(samples),
            rejected=None,
            definition=self.name,
        )


def preparation(definition: str) -> Preparation:
    """By the name or path of a data definition, or "none". Raises `audio_norm.DefinitionError`."""
    return Undefined() if definition == Undefined.name else Defined(load_definition(definition))


class EngineRecogniser:
    """The engine on whole clips of any length."""

    def __init__(self, engine: Engine, prepared: Preparation, *, beam_size: int = 5) -> None:
        self._engine = engine
        self._prepared = prepared
        self._beam_size = beam_size

    @property
    def system(self) -> System:
        return System(code_version(), self._prepared.name, self._engine.release)

    async def hear(self, clip: Clip) -> Heard:
        return await asyncio.to_thread(self._hear, clip)

    def _hear(self, clip: Clip) -> Heard:
        language = primary_tag(clip.language)
        if language not in self._engine.languages:
            raise Skipped(f"the model does not speak {language!r}")
        try:
            return self.hear_frames(*decode_file(clip.audio.read_bytes()), language)
        except (AsrError, AudioError, OSError) as error:
            raise Failed(str(error)) from error

    def hear_frames(self, frames: Frames, rate_hz: int, language: str) -> Heard:
        """What is said in a recording of shape (n, channels). Blocks. Raises AsrError or AudioError."""
        windows = [window for window in self._prepared.prepare(frames, rate_hz) if window.rejected is None]
        options = DecodeOptions(language=language, beam_size=self._beam_size)
        segments = [_segment(window, self._engine.decode(window, options)) for window in windows]
        given_s = sum(window.duration_s for window in windows)
        return Heard(tuple(segment for segment in segments if segment.text), given_s, _loudness(windows))


def _segment(window: Normalized, decoding: Decoding) -> HeardSegment:
    hypothesis = decoding.hypothesis
    start_s, end_s = window.kept[0].start_sample / RATE_HZ, window.kept[-1].end_sample / RATE_HZ
    return HeardSegment(hypothesis.text, start_s, end_s, hypothesis.confidence)


def _loudness(windows: Sequence[Normalized]) -> float | None:
    return integrated_lufs(np.concatenate([window.samples for window in windows]), RATE_HZ) if windows else None
