"""One stream in virtual time: the real session and the real engine, on a clock that is the audio's. No server, no waiting.

What is asked of the recogniser is recognised, and the answer comes as much later as the cost model says that a decode alone takes.
Nothing else takes time: what a server adds is measured by `bench latency`. So a whole curve of endpointing rules is drawn in minutes, the
same on every run, and whatever rules ask for the same decode share it.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from asr_server.api.clip import SAMPLE_BYTES
from asr_server.events import DecodeUnwanted, DecodeWanted, Eager, EagerSettled, Event, Final
from asr_server.session import Session, SessionOptions
from asr_server.transcript import Hypothesis, Word
from audio_norm import DataDefinition, Frames, Taken, from_int16
from bench.pace import CHUNK_MS, dither

SILENCE_S = 3.0
"""The microphone stays open after the clip."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a decode takes, and what it hears, which is found out when somebody still wants to know."""

    took_ms: float
    hypothesis: Callable[[], Hypothesis]
    words_ms: float = 0.0
    """What it takes after that to find the places of its words, where they come after the text."""


Recognise = Callable[[DecodeWanted], Answer]


@dataclass(frozen=True, slots=True)
class Told:
    """A text, final or eager, with the position in the audio when it was told."""

    text: str
    segment: int
    start_s: float
    at_s: float


@dataclass(frozen=True, slots=True)
class Simulated:
    finals: tuple[Told, ...]
    eager: tuple[Told, ...]
    eager_stood: int
    decodes: int
    """Begun, in vain or not."""
    busy_ms: float
    """What they take together."""

    @property
    def text(self) -> str:
        return " ".join(final.text for final in self.finals)

    def ttfs_ms(self, speech_end_s: float) -> float | None:
        """From the end of speech to the last final that began before it; None without one."""
        return max(((final.at_s - speech_end_s) * 1000 for final in self.finals if final.start_s < speech_end_s), default=None)

    def eager_ms(self, speech_end_s: float) -> float | None:
        """The same to the last eager text or final, whichever came first for the last segment."""
        of_speech = [final for final in self.finals if final.start_s < speech_end_s]
        if not of_speech:
            return None
        last = max(of_speech, key=lambda final: final.at_s)
        at_s = min([told.at_s for told in self.eager if told.segment == last.segment and last.text == told.text] + [last.at_s])
        return (at_s - speech_end_s) * 1000


def microphone(frames: Frames, rate_hz: int, definition: DataDefinition) -> list[Taken]:
    """A clip and the silence after it, taken in by chunks as a server takes them."""
    channels = frames.shape[1]
    silence = np.frombuffer(dither(round(SILENCE_S * rate_hz) * channels * SAMPLE_BYTES), "<i2").reshape(-1, channels)
    whole = np.concatenate([frames.astype(np.float32), from_int16(silence)])
    intake = definition.intake(rate_hz, channels)
    step = CHUNK_MS * rate_hz // 1000
    return [intake.feed(whole[start : start + step]) for start in range(0, len(whole), step)]


@dataclass(slots=True)
class _Simulation:
    session: Session
    recognise: Recognise
    rate_hz: int
    coming: list[tuple[float, int, Answer | tuple[Word, ...]]] = field(default_factory=list)
    unwanted: set[int] = field(default_factory=set)
    finals: list[Told] = field(default_factory=list)
    eager: list[Told] = field(default_factory=list)
    stood: int = 0
    decodes: int = 0
    busy_ms: float = 0.0

    def act(self, events: list[Event], at_s: float) -> None:
        for event in events:
            match event:
                case DecodeWanted():
                    answer = self.recognise(event)
                    self.decodes += 1
                    self.busy_ms += answer.took_ms
                    heapq.heappush(self.coming, (at_s + answer.took_ms / 1000, event.job, answer))
                case DecodeUnwanted(job):
                    self.unwanted.add(job)
                case Final() if event.hypothesis.text:
                    self.finals.append(Told(event.hypothesis.text, event.segment, event.start_sample / self.rate_hz, at_s))
                case Eager():
                    self.eager.append(Told(event.text, event.segment, event.start_sample / self.rate_hz, at_s))
                case EagerSettled():
                    self.stood += event.stood

    def deliver(self, until_s: float) -> None:
        while self.coming and self.coming[0][0] <= until_s:
            at_s, job, answer = heapq.heappop(self.coming)
            if job in self.unwanted:
                continue
            if isinstance(answer, tuple):
                self.session.place(job, answer)
                continue
            hypothesis = answer.hypothesis()
            if answer.words_ms and hypothesis.words:
                self.busy_ms += answer.words_ms
                heapq.heappush(self.coming, (at_s + answer.words_ms / 1000, job, hypothesis.words))
                hypothesis = replace(hypothesis, words=())
            self.act(self.session.accept(job, hypothesis), at_s)


def simulate(chunks: list[Taken], options: SessionOptions, definition: DataDefinition, recognise: Recognise) -> Simulated:
    """Speak the chunks to a session in their own time and hear it out."""
    run = _Simulation(Session(options, definition), recognise, definition.audio.rate_hz)
    at_s = 0.0
    for number, chunk in enumerate(chunks, start=1):
        at_s = number * CHUNK_MS / 1000
        run.deliver(at_s)
        run.act(run.session.feed(chunk), at_s)
    run.act(run.session.close(), at_s)
    run.deliver(float("inf"))
    return Simulated(tuple(run.finals), tuple(run.eager), run.stood, run.decodes, run.busy_ms)
