"""Real models and real clips for the engine's tests, each loaded once."""

from collections.abc import Callable

import numpy as np
import pytest

from asr_server.engine.options import EngineOptions
from asr_server.engine.weights import ModelFiles, resolve
from asr_server.engine.whisper import WhisperEngine
from audio_norm import Normalized, Samples, Span
from tests.audio_norm.samples import speech

RATE_HZ = 16_000


def normalized(samples: Samples, start_sample: int = 0) -> Normalized:
    """As if the data definition had left every sample as it was."""
    return Normalized(
        samples=samples.astype(np.float32),
        rate_hz=RATE_HZ,
        kept=(Span(start_sample, start_sample + len(samples)),),
        gain_db=0.0,
        loudness_lufs=None,
        true_peak_dbfs=None,
        speech_samples=len(samples),
        rejected=None,
        definition="v1",
    )


@pytest.fixture(scope="session")
def tiny_files() -> ModelFiles:
    return resolve("tiny.en")


@pytest.fixture(scope="session")
def base_files(tmp_path_factory: pytest.TempPathFactory) -> ModelFiles:
    """Joined from the installed packages into a cache of this test run."""
    return resolve("base", tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def tiny_en(tiny_files: ModelFiles) -> WhisperEngine:
    return WhisperEngine.load(tiny_files, EngineOptions())


@pytest.fixture(scope="session")
def base(base_files: ModelFiles) -> WhisperEngine:
    return WhisperEngine.load(base_files, EngineOptions())


@pytest.fixture(scope="session")
def clip() -> Callable[[str], Samples]:
    """Samples at 16 kHz of a clip such as "en/hello_world"."""

    def load(name: str) -> Samples:
        language, clip_name = name.split("/")
        return speech(clip_name, language)

    return load
