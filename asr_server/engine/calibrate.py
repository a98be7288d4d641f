"""Measures at start-up what a decode costs on this machine, and several together. Times a model through its steps; knows no library."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, TypeVar

from asr_server.engine.cost import FULL_BEAM, CostModel, Timing, fit, share_of_more

_ENCODED_FRAMES = (200, 600, 1200)
_DECODED_TOKENS = (4, 20)
_DECODED_FRAMES = 600  # a segment of 5 s, the length that matters most
_ALIGNED_TOKENS = 20
_ROWS = (4, 8)
"""Decodes in the batches that are measured, as far as so many may be decoded together; the least is 2."""
_TIMES = 3

EncodedT = TypeVar("EncodedT")


class Measurable(Protocol[EncodedT]):
    """A model whose steps can be run on made-up input, the same work as on speech."""

    def encode_frames(self, frames: int, rows: int = 1) -> EncodedT:
        """Features of `frames` of noise, and their encoding. `rows`: for so many decodes at once."""

    def force_tokens(self, encoded: EncodedT, tokens: int, beam_size: int, rows: int = 1) -> None:
        """Generate exactly `tokens`, whatever was heard. `rows`: the same in so many decodes at once."""

    def align_tokens(self, encoded: EncodedT, tokens: int) -> None:
        """Find the times of `tokens` of any text."""


def calibrate(model: Measurable[EncodedT], max_batch: int = 1, clock: Callable[[], float] = time.perf_counter) -> CostModel:
    """The fastest of a few runs of each step; about 4 s for `base` on one old core, and 3 s more where batches of 4 are measured as well.
    `clock` tells seconds.

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

    def steps_ms(rows: int) -> float:
        few, many = _DECODED_TOKENS
        few_ms = fastest_ms(lambda: model.force_tokens(encoded, few, 1, rows))
        return fastest_ms(lambda: model.force_tokens(encoded, many, 1, rows)) - few_ms

    def together(cost: CostModel) -> CostModel:
        measured = sorted({min(rows, max_batch) for rows in _ROWS})
        one_ms = steps_ms(1)
        frames = _ENCODED_FRAMES[0]
        encode_ms = fastest_ms(lambda: model.encode_frames(frames))
        return replace(
            cost,
            step_share=sum(share_of_more(one_ms, steps_ms(rows), rows) for rows in measured) / len(measured),
            once_share=share_of_more(encode_ms, fastest_ms(lambda: model.encode_frames(frames, measured[-1])), measured[-1]),
        )

    encoded = model.encode_frames(_DECODED_FRAMES)
    cost = fit(
        encodes=[encode(frames) for frames in _ENCODED_FRAMES],
        greedy=[decode(tokens, 1) for tokens in _DECODED_TOKENS],
        full_beam=[decode(tokens, FULL_BEAM) for tokens in _DECODED_TOKENS],
        align_ms=fastest_ms(lambda: model.align_tokens(encoded, _ALIGNED_TOKENS)),
    )
    return together(cost) if max_batch > 1 else cost
