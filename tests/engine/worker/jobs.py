"""Jobs for a worker whose engine the test holds."""

import asyncio
import threading
from collections.abc import Callable

import numpy as np

from asr_server.budget import LatencyBudget
from asr_server.engine.engine import DecodeOptions
from asr_server.engine.worker import Decoded, DecodeJob, Worker
from asr_server.events import Purpose
from audio_norm import Normalized, Span, SpeechWindow
from tests.fake_engine import PATIENCE_S, HeldDecode, HeldEngine

RATE_HZ = 16_000
SAMPLES = RATE_HZ // 2


def window(samples: int = SAMPLES) -> SpeechWindow:
    return SpeechWindow(np.zeros(samples, np.float32), start_sample=0, speech=(Span(0, samples),))


def condition(window: SpeechWindow) -> Normalized:
    """Keeps the window as it is."""
    return Normalized(
        samples=window.samples,
        rate_hz=RATE_HZ,
        kept=(Span(window.start_sample, window.end_sample),),
        gain_db=0.0,
        loudness_lufs=None,
        true_peak_dbfs=None,
        speech_samples=len(window.samples),
        rejected=None,
        definition="test",
    )


def reject(_window: SpeechWindow) -> Normalized:
    return Normalized(
        samples=np.zeros(0, np.float32),
        rate_hz=RATE_HZ,
        kept=(),
        gain_db=0.0,
        loudness_lufs=None,
        true_peak_dbfs=None,
        speech_samples=0,
        rejected="too_short",
        definition="test",
    )


def job(
    name: str = "a",
    owner: int = 1,
    number: int = 0,
    purpose: Purpose = Purpose.FINAL,
    answer_at_s: float = 0.0,
    condition: Callable[[SpeechWindow], Normalized] = condition,
    options: DecodeOptions | None = None,
    samples: int = SAMPLES,
) -> DecodeJob:
    """A job that the engine recognises by `name`."""
    options = options or DecodeOptions(beam_size=1, phrases=(name,))
    return DecodeJob(owner, number, purpose, window(samples), options, condition, answer_at_s, LatencyBudget())


def final(name: str, owner: int = 1, number: int = 0, answer_at_s: float = 0.0) -> DecodeJob:
    return job(name, owner, number, Purpose.FINAL, answer_at_s)


def partial(name: str, owner: int = 1, number: int = 0) -> DecodeJob:
    return job(name, owner, number, Purpose.PARTIAL)


def speculative(name: str, owner: int = 1, number: int = 0, answer_at_s: float = 0.0) -> DecodeJob:
    return job(name, owner, number, Purpose.SPECULATIVE, answer_at_s)


def name_of(held: HeldDecode) -> str:
    return held.options.phrases[0]


async def result(future: asyncio.Future[Decoded]) -> Decoded:
    async with asyncio.timeout(PATIENCE_S):
        return await future


def engine_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("engine-")]


async def held(worker: Worker, engine: HeldEngine, name: str = "running") -> HeldDecode:
    """A final of owner 0 that occupies a thread."""
    worker.submit(final(name, owner=0))
    return await engine.next_decode()


async def decoded_order(engine: HeldEngine, first: HeldDecode, count: int) -> list[str]:
    """Ends `first` and then each decode as it starts; the names of the `count` after it."""
    names = []
    first.finish()
    for _ in range(count):
        decode = await engine.next_decode()
        names.append(name_of(decode))
        decode.finish()
    return names
