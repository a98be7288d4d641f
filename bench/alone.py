"""What recognition costs and comes to with nothing else going on: our engine on the same segments, plain faster-whisper on the same clips,
and our engine on whole clips with all the context there is."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np

from asr_server.accuracy.language import primary_tag
from asr_server.accuracy.manifest import Clip
from asr_server.engine.engine import DecodeOptions, Engine
from audio_norm import DataDefinition, Frames, Samples, SilenceRule
from bench.streams import FinalSeen, Spoken
from eval.audio import read_frames
from eval.recognisers import Failed, Recogniser, Skipped


class Baseline(Protocol):
    """What ours is compared with: `eval.by_faster_whisper.FasterWhisper`."""

    def samples_of(self, path: Path) -> Samples: ...

    def transcribe(self, audio: Path | Samples, language: str) -> object: ...


@dataclass(frozen=True, slots=True)
class Alone:
    """One clip."""

    floor_ms: tuple[float | None, ...] = ()
    """Of each final, in order; None where there was nothing to decode."""
    baseline_ms: float | None = None
    """None when it was not measured."""
    full_context: str | None = None
    """What was heard in the whole clip at once; None when it could not be heard."""


def measure_floor(
    results: Sequence[Spoken], engine: Engine, definition: DataDefinition, measured: Callable[[], None], others: Sequence[Engine] = ()
) -> list[tuple[float | None, ...]]:
    """The engine on each segment of each clip, one after the other, or of `others` the one whose model decoded it. `measured` is called
    after each clip.

    None for a segment that the data definition rejects, and for clips in a language the engine does not speak. To be done before a second
    model is loaded: its threads spin for a while after each decode, at this one's expense.
    """

    def floor(clip: Clip, final: FinalSeen) -> float | None:
        language = primary_tag(clip.language)
        normalized = definition.normalize(_segment(frames, rate_hz, final, definition.silence), rate_hz)
        chosen = next((other for other in others if other.release.model == final.model), engine)
        if normalized.rejected is not None or language not in chosen.languages:
            return None
        return _timed_ms(partial(chosen.decode, normalized, DecodeOptions(language=language, beam_size=max(final.ledger.beam_size, 1))))

    floor_ms = []
    for spoken in results:
        frames, rate_hz = read_frames(spoken.part.clip)
        floor_ms.append(tuple(floor(spoken.part.clip, final) for final in spoken.finals))
        measured()
    return floor_ms


def measure_baseline(results: Sequence[Spoken], baseline: Baseline, measured: Callable[[], None]) -> list[float]:
    """Each clip once, one after the other; before that the first one, untimed: a first decode pays for what later ones find ready.
    `measured` is called after each."""

    def timed_ms(clip: Clip) -> float:
        return _timed_ms(partial(baseline.transcribe, baseline.samples_of(clip.audio), primary_tag(clip.language)))

    clips = [spoken.part.clip for spoken in results]
    for clip in clips[:1]:
        timed_ms(clip)
    baseline_ms = []
    for clip in clips:
        baseline_ms.append(timed_ms(clip))
        measured()
    return baseline_ms


async def hear_whole(clips: Sequence[Clip], recogniser: Recogniser, *, jobs: int, heard: Callable[[], None]) -> list[str | None]:
    """The text of each clip, `jobs` at a time; None where the recogniser does not speak the language or fails. Not timed."""
    room = asyncio.Semaphore(jobs)

    async def hear(clip: Clip) -> str | None:
        async with room:
            try:
                return (await recogniser.hear(clip)).text
            except (Skipped, Failed):
                return None
            finally:
                heard()

    return list(await asyncio.gather(*(hear(clip) for clip in clips)))


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
