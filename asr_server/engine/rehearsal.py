"""The steps of a network on noise, with as many tokens as wanted: what `calibrate` measures."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from asr_server.engine.context import WINDOW_SAMPLES
from asr_server.engine.network import WhisperNetwork
from asr_server.engine.placing import FRAME_SAMPLES
from asr_server.engine.spans import SpanClock
from asr_server.engine.steps import Encode, Encoded, Generate, Place, Reading, Step, Task


class Rehearsal:
    """See `calibrate.Measurable`."""

    def __init__(self, network: WhisperNetwork) -> None:
        self._network = network
        self._task = Task(network.languages[0], beam_size=1)
        self._noise = np.random.default_rng(0).normal(0, 0.01, WINDOW_SAMPLES).astype(np.float32)

    def warm_up(self, beam_size: int) -> None:
        """Run every step once: the first time each allocates and packs."""
        encoded = self.encode_frames(100)
        for size in {1, beam_size}:
            self.force_tokens(encoded, 2, size)
        self.align_tokens(encoded, 2)

    def encode_frames(self, frames: int, rows: int = 1) -> Encoded:
        encoded = self._answers([Encode(self._noise[: frames * FRAME_SAMPLES], 0)] * rows)[0]
        assert isinstance(encoded, Encoded)
        return encoded

    def force_tokens(self, encoded: Encoded, tokens: int, beam_size: int, rows: int = 1) -> None:
        task = replace(self._task, beam_size=beam_size)
        self._answers([Generate(encoded, task, tokens, suppress=(self._network.tokens.end,))] * rows)

    def align_tokens(self, encoded: Encoded, tokens: int) -> None:
        text = list(range(1000, 1000 + tokens))  # any will do
        self._answers([Place(encoded, Reading(text, (), 0.0), self._task.language)])

    def _answers(self, steps: Sequence[Step]) -> Sequence[object]:
        """Of equal steps, together where that is how the network does them."""
        if self._network.shape(steps[0]) is None:
            return [self._network.answer([step], [SpanClock()])[0] for step in steps]
        return self._network.answer(steps, [SpanClock() for _ in steps])
