"""Which decode fits the time left. Pure: predicts with the cost model it is given, reads no clock, decodes nothing.

A final is decoded by the most accurate plan that fits. What it may give up, and in which order:

1. "beam": the configured beam width, down to 1 (or to the alternatives asked for, which need a beam as wide as themselves);
2. "words": word times;
3. "alternatives": all but the best reading.

A later thing is given up only when no plan that keeps it fits, and an earlier one is kept whenever that does not matter: word times
alone go when a decode with the configured beam and without them fits but a greedy one with them does not. When nothing fits, the cheapest
plan is taken: the final will be late, its words are not lost.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from asr_server.engine.cost import CostModel
from asr_server.engine.engine import DecodeOptions
from asr_server.events import Purpose

Sacrifice = Literal["beam", "words", "alternatives"]


@dataclass(frozen=True, slots=True)
class Plan:
    """How a window will be decoded and what that should cost."""

    beam_size: int
    word_times: bool
    max_alternatives: int
    predicted_ms: float
    degraded: tuple[Sacrifice, ...] = ()
    """What was asked for and given up to save time, as in `Ledger.degraded`."""

    def applied_to(self, options: DecodeOptions) -> DecodeOptions:
        """`options` as this plan decodes them."""
        return replace(options, beam_size=self.beam_size, word_times=self.word_times, max_alternatives=self.max_alternatives)


NO_DECODE = Plan(beam_size=1, word_times=False, max_alternatives=1, predicted_ms=0.0)
"""For audio that the data definition rejected: nothing is decoded, nothing was given up."""


def plan(
    audio_ms: float, options: DecodeOptions, cost: CostModel, *, margin_ms: float, remaining_ms: float, purpose: Purpose = Purpose.FINAL
) -> Plan:
    """The most accurate plan predicted to take at most `remaining_ms`, else the cheapest.

    `audio_ms` of speech are followed by `margin_ms` of silence. Partials are always greedy, with one reading and no word times: nothing
    else was promised for them, so nothing counts as given up.
    """
    if purpose is Purpose.PARTIAL:
        predicted_ms = cost.predict_ms(audio_ms, margin_ms, 1, word_times=False)
        return Plan(beam_size=1, word_times=False, max_alternatives=1, predicted_ms=predicted_ms)
    candidates = tuple(plans_by_accuracy(audio_ms, options, cost, margin_ms=margin_ms))
    fitting = (candidate for candidate in candidates if candidate.predicted_ms <= remaining_ms)
    return next(fitting, min(candidates, key=lambda candidate: candidate.predicted_ms))


def plans_by_accuracy(audio_ms: float, options: DecodeOptions, cost: CostModel, *, margin_ms: float) -> Iterator[Plan]:
    """Every plan for a final, the one that keeps everything first."""
    for max_alternatives in dict.fromkeys((max(1, options.max_alternatives), 1)):
        for word_times in dict.fromkeys((options.word_times, False)):
            # CTranslate2 returns at most as many readings as its beam is wide.
            for beam_size in dict.fromkeys((max(options.beam_size, max_alternatives), max_alternatives)):
                given_up: dict[Sacrifice, bool] = {
                    "beam": beam_size < options.beam_size,
                    "words": word_times < options.word_times,
                    "alternatives": max_alternatives < options.max_alternatives,
                }
                yield Plan(
                    beam_size=beam_size,
                    word_times=word_times,
                    max_alternatives=max_alternatives,
                    predicted_ms=cost.predict_ms(audio_ms, margin_ms, beam_size, word_times=word_times),
                    degraded=tuple(name for name, is_given_up in given_up.items() if is_given_up),
                )
