"""The baseline: plain faster-whisper."""

import asyncio
import math
from pathlib import Path

from ctranslate2 import set_random_seed
from faster_whisper import WhisperModel, decode_audio
from faster_whisper import __version__ as faster_whisper_version

from asr_server.accuracy.language import primary_tag
from asr_server.accuracy.manifest import Clip
from asr_server.engine.engine import Release
from asr_server.engine.weights import ModelFiles
from audio_norm import Samples
from eval.recognisers import Failed, Heard, HeardSegment, Skipped, System

BEAM_SIZE = 5
SEED = 0


class FasterWhisper:
    """As its users call it: int8 on the CPU, beam of 5, everything else its default. Any length of clip.

    By default it decodes a stretch whose text it does not believe again, at higher temperatures, which draws words by chance. Chance is
    seeded when this is made and goes on from clip to clip: such texts repeat exactly when the same clips are heard one at a time and in the
    same order. All others always do.
    """

    def __init__(self, files: ModelFiles, *, threads: int) -> None:
        self._files = files
        self._threads = threads
        set_random_seed(SEED)  # of the process: threads take it up when they first draw, and a model's threads are its own
        self._model = WhisperModel(str(files.path), device="cpu", compute_type="int8", cpu_threads=threads)

    @property
    def system(self) -> System:
        options = {"compute_type": "int8", "beam_size": str(BEAM_SIZE), "cpu_threads": str(self._threads)}
        return System(f"faster-whisper {faster_whisper_version}", "none", Release(self._files.name, self._files.sha256, options))

    async def hear(self, clip: Clip) -> Heard:
        language = primary_tag(clip.language)
        if language not in self._model.supported_languages:
            raise Skipped(f"the model does not speak {language!r}")
        try:
            return await asyncio.to_thread(self.transcribe, clip.audio, language)
        except Exception as error:  # whatever a foreign library raises on one clip is a finding, not the end of the run
            raise Failed(f"{type(error).__name__}: {error}") from error

    def transcribe(self, audio: Path | Samples, language: str) -> Heard:
        """All that is said in a file, or in 16 kHz samples (`samples_of`). Blocks."""
        source = str(audio) if isinstance(audio, Path) else audio
        segments, _ = self._model.transcribe(source, beam_size=BEAM_SIZE, language=language)
        return Heard(tuple(HeardSegment(one.text.strip(), one.start, one.end, math.exp(min(one.avg_logprob, 0.0))) for one in segments))

    @staticmethod
    def samples_of(path: Path) -> Samples:
        """A file as `transcribe` would read it."""
        return decode_audio(str(path))  # type: ignore[no-any-return]
