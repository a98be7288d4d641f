"""What recognition costs with nothing else going on: our engine on the same segments, and plain faster-whisper on the same clips."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from asr_server.engine.engine import DecodeOptions, Engine
from audio_norm import DataDefinition, Frames, SilenceRule
from bench.streams import FinalSeen, Spoken
from eval.audio import read_frames
from eval.by_faster_whisper import FasterWhisper
from eval.via import primary_tag


@dataclass(frozen=True, slots=True)
class Alone:
    floor_ms: list[float]
    """Of each segment."""
    baseline_ms: list[float]
    """Of each clip."""


def measure_floor(results: Sequence[Spoken], engine: Engine, definition: DataDefinition, measured: Callable[[], None]) -> list[float]:
    """The engine on each segment, one after the other. `measured` is called after each clip.

    To be done before a second model is loaded: its threads spin for a while after each decode, at this one's expense.
    """
    floor_ms = []
    for spoken in results:
        frames, rate_hz = read_frames(spoken.part.clip)
        for final in spoken.finals:
            normalized = definition.normalize(_segment(frames, rate_hz, final, definition.silence), rate_hz)
            if normalized.rejected is None:
                options = DecodeOptions(language=primary_tag(spoken.part.clip.language), beam_size=max(final.ledger.beam_size, 1))
                floor_ms.append(_timed_ms(partial(engine.decode, normalized, options)))
        measured()
    return floor_ms


def measure_baseline(results: Sequence[Spoken], baseline: FasterWhisper, measured: Callable[[], None]) -> list[float]:
    """Each clip once, one after the other. `measured` is called after each."""
    baseline_ms = []
    for spoken in results:
        clip = spoken.part.clip
        samples = baseline.samples_of(clip.audio)
        baseline_ms.append(_timed_ms(partial(baseline.transcribe, samples, primary_tag(clip.language))))
        measured()
    return baseline_ms


def _segment(frames: Frames, rate_hz: int, final: FinalSeen, kept: SilenceRule) -> Frames:
    """A final's speech with as much around it as the data definition keeps; silence where the clip has ended by then."""
    first = max(round((final.start_s - kept.keep_before_ms / 1000) * rate_hz), 0)
    last = round((final.end_s + kept.keep_after_ms / 1000) * rate_hz)
    cut = frames[first:last]
    return np.pad(cut, ((0, last - first - len(cut)), (0, 0)))


def _timed_ms(work: Callable[[], object]) -> float:
    start_s = time.perf_counter()
    work()
    return (time.perf_counter() - start_s) * 1000
