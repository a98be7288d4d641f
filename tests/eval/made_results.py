"""Results of runs made up for a test: what was said, what was heard, and what the audio was like."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from asr_server.accuracy.normalize import TEXT_RULES, normalize
from asr_server.accuracy.wer import count_errors
from asr_server.engine.engine import Release
from audio_norm import Inspection
from eval.recognisers import Heard, HeardSegment, System
from eval.result import ClipResult, RunResult

SYSTEM = System("1.0", "v1", Release("fake", "0" * 64, {"beam_size": "5"}))

AUDIO = Inspection(
    duration_s=4.0,
    rate_hz=16_000,
    channels=1,
    bandwidth_hz=8_000,
    loudness_before_lufs=-25.0,
    loudness_after_lufs=-23.0,
    peak_before_dbtp=-6.0,
    peak_after_dbtp=-4.0,
    gain_db=2.0,
    snr_db=25.0,
    speech_ratio=0.75,
    leading_silence_s=0.3,
    trailing_silence_s=0.3,
    silence_cut_s=0.0,
    clipped_ratio=0.0,
    rejected=None,
    definition="v1",
    digest="0",
)


def clip(
    name: str,
    said: str,
    *segments: str,
    set_name: str = "all",
    language: str = "en",
    speaker: str | None = None,
    conditions: Sequence[str] = (),
    audio: Inspection | None = AUDIO,
    given_s: float | None = 4.0,
    given_lufs: float | None = -23.0,
    error: str = "",
) -> ClipResult:
    """One clip of which `segments` were heard."""
    heard = Heard(tuple(HeardSegment(text, 0.0, 1.0, 0.9) for text in segments), given_s, given_lufs)
    reference, hypothesis = normalize(said, language), normalize(heard.text, language)
    counts = count_errors(reference, hypothesis)
    return ClipResult(name, set_name, language, speaker, tuple(conditions), said, reference, hypothesis, counts, heard, audio, error)


def measured(**measures: Any) -> Inspection:
    """AUDIO with other measures."""
    return replace(AUDIO, **measures)


def run(clips: Iterable[ClipResult], system: System = SYSTEM, *, path: str = "run.json", **fields: object) -> RunResult:
    """`fields`: of the JSON, beside those a run always has."""
    of_run = {"via": "engine", "data": {"manifest": "m.jsonl", "sha256": "0"}, **fields}
    return RunResult(Path(path), {one.id: one for one in clips}, TEXT_RULES, system, Path("m.jsonl"), of_run)
