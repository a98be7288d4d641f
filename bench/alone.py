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
    """One time a segment, one time a clip, in ms."""

    floor_ms: list[float]
    baseline_ms: list[float]


def measure_alone(
    results: Sequence[Spoken], engine: Engine, definition: DataDefinition, baseline: FasterWhisper, measured: Callable[[], None]
) -> Alone:
    """One after the other, each clip once. `measured` is called after each."""
    alone = Alone([], [])
    for spoken in results:
        clip = spoken.part.clip
        language = primary_tag(clip.language)
        frames, rate_hz = read_frames(clip)
        for final in spoken.finals:
            cut = frames[max(round((final.start_s - AROUND_S) * rate_hz), 0) : round((final.end_s + AROUND_S) * rate_hz)]
            normalized = definition.normalize(cut, rate_hz)
            if normalized.rejected is None:
                options = DecodeOptions(language=language, beam_size=max(final.ledger.beam_size, 1))
                alone.floor_ms.append(_timed_ms(partial(engine.decode, normalized, options)))
        samples = baseline.samples_of(clip.audio)
        alone.baseline_ms.append(_timed_ms(partial(baseline.transcribe, samples, language)))
        measured()
    return alone


def _timed_ms(work: Callable[[], object]) -> float:
    start_s = time.perf_counter()
    work()
    return (time.perf_counter() - start_s) * 1000
