"""Engines without a model: one answers at once, one holds every decode until the test lets it go."""

import asyncio
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from queue import SimpleQueue

from asr_server.engine.cost import CostModel
from asr_server.engine.engine import DecodeOptions, Decoding, Release
from asr_server.errors import EngineFailed
from asr_server.events import WordPlaces
from asr_server.transcript import Alternative, Hypothesis
from audio_norm import Normalized

COST = CostModel(encode_ms=5.0, encode_ms_per_frame=0.07, token_ms=8.0, beam_factor=1.6, align_ms=25.0)

PATIENCE_S = 20.0
"""After this long a test that waits for something that never happens fails instead of hanging."""


def said(text: str) -> Decoding:
    """A decoding that heard `text`."""
    return Decoding(Hypothesis(alternatives=(Alternative(text, confidence=0.9),)))


class FakeEngine:
    """Answers every decode by `answer`, by default with the text "ok"."""

    def __init__(
        self,
        answer: Callable[[Normalized, DecodeOptions], Decoding] = lambda _audio, _options: said("ok"),
        cost: CostModel = COST,
        *,
        model: str = "fake",
        languages: tuple[str, ...] = ("en",),
    ) -> None:
        self.release = Release(model=model, weights_sha256="0" * 64)
        self.languages = languages
        self.cost = cost
        self._answer = answer

    def decode(self, audio: Normalized, options: DecodeOptions) -> Decoding:
        return self._answer(audio, options)

    def shape(self, options: DecodeOptions) -> Hashable:
        return options.beam_size

    def decode_together(
        self,
        jobs: Sequence[tuple[Normalized, DecodeOptions]],
        done: Callable[[int, Decoding | EngineFailed], None],
        told: Callable[[int, Decoding], None] = lambda _, __: None,
        wanted: Callable[[int], bool] = lambda _: True,
    ) -> None:
        """One after the other."""
        for number, (audio, options) in enumerate(jobs):
            outcome: Decoding | EngineFailed
            try:
                outcome = replace(self._answer(audio, options), batch=len(jobs))
                if options.word_places is WordPlaces.AFTER and not options.word_times and outcome.hypothesis.words:
                    text = replace(outcome, hypothesis=replace(outcome.hypothesis, words=()))
                    told(number, text)
            except EngineFailed as error:
                outcome = error
            done(number, outcome)


@dataclass(frozen=True)
class HeldDecode:
    """A decode in progress on a worker thread. It ends when the test says how."""

    audio: Normalized
    options: DecodeOptions
    _outcome: SimpleQueue[Decoding | Exception] = field(default_factory=SimpleQueue)

    def finish(self, text: str = "ok") -> None:
        self._outcome.put(said(text))

    def fail(self, error: Exception) -> None:
        self._outcome.put(error)

    def outcome(self) -> Decoding:
        """For the engine: blocks until the test has spoken."""
        outcome = self._outcome.get(timeout=PATIENCE_S)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


class HeldEngine(FakeEngine):
    """Made on the event loop of a test, which awaits each decode as it starts, and ends it."""

    def __init__(self) -> None:
        super().__init__(self._hold)
        self._loop = asyncio.get_running_loop()
        self._started: asyncio.Queue[HeldDecode] = asyncio.Queue()

    async def next_decode(self) -> HeldDecode:
        """The next decode that a worker thread has started, in order of starting."""
        async with asyncio.timeout(PATIENCE_S):
            return await self._started.get()

    def none_started(self) -> bool:
        """Whether every started decode has been seen by the test."""
        return self._started.empty()

    def _hold(self, audio: Normalized, options: DecodeOptions) -> Decoding:
        held = HeldDecode(audio, options)
        self._loop.call_soon_threadsafe(self._started.put_nowait, held)
        return held.outcome()
