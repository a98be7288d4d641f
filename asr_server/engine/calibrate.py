"""Measures at start-up what a decode costs on this machine. Times a model through four steps; knows no library."""

import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from asr_server.engine.cost import FULL_BEAM, CostModel, Timing, fit

_ENCODED_FRAMES = (200, 600, 1200)
_DECODED_TOKENS = (4, 20)
_DECODED_FRAMES = 600  # a segment of 5 s, the length that matters most
_ALIGNED_TOKENS = 20
_TIMES = 3

EncodedT = TypeVar("EncodedT")


class Measurable(Protocol[EncodedT]):
    """A model whose steps can be run on made-up input, the same work as on speech."""

    def encode_frames(self, frames: int) -> EncodedT:
        """Features of `frames` of noise, and their encoding."""

    def force_tokens(self, encoded: EncodedT, tokens: int, beam_size: int) -> None:
        """Generate exactly `tokens`, whatever was heard."""

    def align_tokens(self, encoded: EncodedT, tokens: int) -> None:
        """Find the times of `tokens` of any text."""


def calibrate(model: Measurable[EncodedT], clock: Callable[[], float] = time.perf_counter) -> CostModel:
    """The fastest of a few runs of each step; about 4 s for `base` on one old core. `clock` tells seconds.

    The fastest, not the middle one: what else runs on the machine only ever adds time, and a start beside a busy neighbour must not
    make the server give up accuracy for the rest of its life.
    """

    def fastest_ms(step: Callable[[], object]) -> float:
        times_ms = []
        for _ in range(_TIMES):
            start_s = clock()
            step()
            times_ms.append((clock() - start_s) * 1000)
        return min(times_ms)

    def encode(frames: int) -> Timing:
        return Timing(frames, fastest_ms(lambda: model.encode_frames(frames)))

    def decode(tokens: int, beam_size: int) -> Timing:
        return Timing(tokens, fastest_ms(lambda: model.force_tokens(encoded, tokens, beam_size)))

    encoded = model.encode_frames(_DECODED_FRAMES)
    return fit(
        encodes=[encode(frames) for frames in _ENCODED_FRAMES],
        greedy=[decode(tokens, 1) for tokens in _DECODED_TOKENS],
        full_beam=[decode(tokens, FULL_BEAM) for tokens in _DECODED_TOKENS],
        align_ms=fastest_ms(lambda: model.align_tokens(encoded, _ALIGNED_TOKENS)),
    )
