"""A session driven by a list of steps, and what it said as short lines: a test is two lists side by side."""

from dataclasses import dataclass, replace

import numpy as np

from asr_server.events import (
    DecodePromoted,
    DecodeUnwanted,
    DecodeWanted,
    Eager,
    EagerSettled,
    Event,
    Final,
    Finalized,
    Partial,
    SpeechEnded,
    SpeechStarted,
    StartTimedOut,
    UtteranceEnded,
)
from asr_server.session import Session, SessionOptions
from asr_server.transcript import Alternative, Hypothesis, Word
from audio_norm import Conditioner, DataDefinition, Samples, Taken, load_definition

RATE_HZ = 16_000
MS = RATE_HZ // 1000


class LoudIsSpeech:
    """A VAD one can predict: 20 ms frames, speech where it is loud, and perhaps where it is less so."""

    frame_samples = 320

    def probabilities(self, frames: Samples) -> tuple[float, ...]:
        levels = np.abs(frames).mean(axis=1)
        return tuple(1.0 if level > 0.2 else 0.55 if level > 0.05 else 0.0 for level in levels)


@dataclass(frozen=True)
class PlainDefinition(DataDefinition):
    def conditioner(self) -> Conditioner:
        return Conditioner(high_pass_hz=self.audio.high_pass_hz, rate_hz=RATE_HZ, vad=LoudIsSpeech())


def plain_definition() -> PlainDefinition:
    """v1 with the predictable VAD."""
    v1 = load_definition("v1")
    gating = replace(v1.gating, start_ms=60, start_gap_ms=60, hang_ms=200)
    return PlainDefinition(v1.version, v1.audio, v1.vad, gating, v1.silence, v1.loudness, v1.rejection)


def speech(ms: int) -> Samples:
    """A tone that starts and ends loud."""
    time = np.arange(ms * MS) / RATE_HZ
    return (0.5 * np.sign(np.sin(2 * np.pi * 200 * time + 0.1))).astype(np.float32)


def soft_speech(ms: int) -> Samples:
    """The detector is less sure of it."""
    return speech(ms) * np.float32(0.2)


def silence(ms: int) -> Samples:
    return np.zeros(ms * MS, np.float32)


def heard(text: str, *, sure: bool = False, words: tuple[Word, ...] = ()) -> Hypothesis:
    """`sure`: the recogniser is of the text as a whole, or it is not."""
    if not text:
        return Hypothesis(rejected="no_speech")
    return Hypothesis((Alternative(text, 0.9),), words, log_probability=0.0 if sure else -1.0)


class Script:
    """A session and everything it said."""

    def __init__(self, chunk_ms: int = 20, **options: int | bool) -> None:
        self.session = Session(SessionOptions(**options), plain_definition())  # type: ignore[arg-type]
        self.events: list[Event] = []
        self._chunk = chunk_ms * MS

    def hear(self, *audio: Samples) -> list[str]:
        """Feed it in chunks; what it said, as lines."""
        whole = np.concatenate(audio)
        said: list[Event] = []
        for start in range(0, len(whole), self._chunk):
            said += self.session.feed(Taken(whole[start : start + self._chunk], np.empty(0, np.int64)))
        return self._lines(said)

    def answer(self, job: int, text: str, *, sure: bool = False, words: tuple[Word, ...] = ()) -> list[str]:
        return self._lines(self.session.accept(job, heard(text, sure=sure, words=words)))

    def place(self, job: int, *words: Word) -> None:
        self.session.place(job, words)

    def finalize(self) -> list[str]:
        return self._lines(self.session.finalize())

    def close(self) -> list[str]:
        return self._lines(self.session.close())

    def windows(self) -> list[DecodeWanted]:
        return [event for event in self.events if isinstance(event, DecodeWanted)]

    def _lines(self, said: list[Event]) -> list[str]:
        self.events += said
        return [line(event) for event in said]


def line(event: Event) -> str:
    match event:
        case SpeechStarted(at):
            return f"speech from {at // MS}"
        case SpeechEnded(at):
            return f"speech to {at // MS}"
        case DecodeWanted(job, segment, purpose, window):
            return f"want {purpose.name.lower()} {job} of segment {segment}: {window.start_sample // MS}..{window.end_sample // MS}"
        case DecodePromoted(job, wait):
            return f"promote {job} after {wait // MS} ms"
        case Eager():
            return f"eager {event.segment}: {event.text}"
        case EagerSettled():
            return f"eager {event.segment} {'stood' if event.stood else 'withdrawn'}"
        case DecodeUnwanted(job):
            return f"forget {job}"
        case Partial():
            return f"partial {event.segment}: [{event.stable_text}]{event.unstable_text}"
        case Final():
            return f"final {event.segment} {event.start_sample // MS}..{event.end_sample // MS}: {event.hypothesis.text}"
        case UtteranceEnded(at):
            return f"utterance over at {at // MS}"
        case Finalized():
            return "finalized"
        case StartTimedOut(at):
            return f"no speech by {at // MS}"
