"""What recognition costs with nothing else going on: our engine on the same segments, and plain faster-whisper on the same clips."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from asr_server.engine.engine import DecodeOptions, Engine
from audio_norm import DataDefinition
from bench.streams import Spoken
from eval.audio import read_frames
from eval.via import FasterWhisper, primary_tag

AROUND_S = 0.3
"""Audio cut around a segment; the data definition keeps of it what it would have kept."""


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
            cut = frames[max(round((final.start_s - AROUND_S) * rate_hz), 0) : round((final.end_s + AROUND_S) * rate_hz)]
            normalized = definition.normalize(cut, rate_hz)
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


def _timed_ms(work: Callable[[], object]) -> float:
    start_s = time.perf_counter()
    work()
    return (time.perf_counter() - start_s) * 1000
