"""Which decode fits the time left. Pure: predicts with the cost models it is given, reads no clock, decodes nothing.

A final, speculative or not, is decoded by the most accurate plan that fits. One that somebody waits for fits when nine in ten such decodes
would end in time; one begun in a silence when half of them would. What it may give up, and in which order:

1. "beam": the configured beam width, down to 2 and then 1 (or to the alternatives asked for, which need a beam as wide as themselves).
   A beam of 2 has most of what one of 5 gains: base, WER 6.69 greedy, 6.33 with 2, 6.22 with 5, at 1, 1.12 and 1.43 times the time a token;
2. "words": word times, where the text does not wait for the places of its words anyway;
3. "alternatives": all but the best reading;
4. "model": the smaller model decodes, where there is one.

What was said before is not given up: without it words are misheard at each cut (WER of `fast` 7.8 to 8.5, for 7 ms of the 95th percentile),
nor is there a shorter text to settle for: where decoding stops is `guard.token_limit`, more than anybody says in that time.

A later thing is given up only when no plan that keeps it fits, and an earlier one is kept whenever that does not matter: word times
alone go when a decode with the configured beam and without them fits but a greedy one with them does not. When nothing fits, the cheapest
plan is taken: the final will be late, its words are not lost.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from asr_server.engine.cost import Cost, CostModel
from asr_server.engine.engine import DecodeOptions
from asr_server.events import Purpose, Said, Tier, WordPlaces
from audio_norm import Normalized, SpeechWindow

Sacrifice = Literal["beam", "words", "alternatives", "model"]

TOKENS_A_SAID_WORD = 1.3


@dataclass(frozen=True, slots=True)
class Plan:
    """How a window will be decoded and what that should cost."""

    beam_size: int
    word_times: bool
    max_alternatives: int
    predicted_ms: float
    """Of one decoded with others: until all have ended."""
    within_ms: float = 0.0
    """What as many such decodes as should end in time take at most, if decoded alone; 0 of a partial, which has no time to keep."""
    degraded: tuple[Sacrifice, ...] = ()
    """What was asked for and given up to save time, as in `Ledger.degraded`."""
    by_smaller: bool = False
    """Whether the smaller model is to decode: given up, or not asked for."""

    def applied_to(self, options: DecodeOptions) -> DecodeOptions:
        """`options` as this plan decodes them."""
        return replace(options, beam_size=self.beam_size, word_times=self.word_times, max_alternatives=self.max_alternatives)


NO_DECODE = Plan(beam_size=1, word_times=False, max_alternatives=1, predicted_ms=0.0)
"""For audio that the data definition rejected: nothing is decoded, nothing was given up."""


@dataclass(frozen=True, slots=True)
class Workload:
    """What is to be decoded, as far as its cost depends on it."""

    audio_ms: float
    new_audio_ms: float
    """Of it, what follows the text that was said already."""
    margin_ms: float
    """Silence that is encoded after it."""
    options: DecodeOptions

    @classmethod
    def of(cls, audio: Normalized, options: DecodeOptions, margin_ms: float) -> "Workload":
        audio_ms = audio.duration_s * 1000
        new_ms = audio_ms if options.said is None else _samples_after(audio, options.said) / audio.rate_hz * 1000
        return cls(audio_ms, new_ms, margin_ms, options)

    @classmethod
    def of_window(cls, window: SpeechWindow, rate_hz: int, options: DecodeOptions, margin_ms: float) -> "Workload":
        """Before anything was cut out of it: no less than it will be."""
        new_samples = len(window.samples) if options.said is None else window.end_sample - options.said.until_sample
        new_samples = min(max(new_samples, 0), len(window.samples))
        return cls(len(window.samples) / rate_hz * 1000, new_samples / rate_hz * 1000, margin_ms, options)

    def predict_ms(self, cost: CostModel, beam_size: int, *, word_times: bool) -> float:
        """See `predict`."""
        return self.predict(cost, beam_size, word_times=word_times).ms

    def predict(self, cost: CostModel, beam_size: int, *, word_times: bool) -> Cost:
        """Expected time of it with this beam, and word times or only what the options need besides."""
        said = self.options.said
        return cost.predict(
            self.audio_ms,
            self.margin_ms,
            beam_size,
            word_times=word_times or self.options.word_places is WordPlaces.WITH,
            new_audio_ms=self.new_audio_ms,
            given_tokens=0 if said is None else round(len(said.words) * TOKENS_A_SAID_WORD),
        )


def plan(
    workload: Workload, cost: CostModel, remaining_ms: float, *, smaller: CostModel | None = None, purpose: Purpose = Purpose.FINAL
) -> Plan:
    """The most accurate plan that is likely to take at most `remaining_ms`, else the cheapest.

    `smaller`: cost of the smaller model, if there is one that can; `DecodeOptions.tier` says for what. Partials are always greedy, with one
    reading and no word times but those that the text waits for: nothing else was promised for them, so nothing counts as given up.
    """
    tier = workload.options.tier
    if smaller is not None and (tier in (Tier.SMALLER, Tier.ONLY_SMALLER) or (purpose is Purpose.PARTIAL and tier is Tier.ANY)):
        return replace(plan(workload, smaller, remaining_ms, purpose=purpose), by_smaller=True)
    if purpose is Purpose.PARTIAL:
        return replace(NO_DECODE, predicted_ms=workload.predict_ms(cost, 1, word_times=False))
    candidates = tuple(plans_by_accuracy(workload, cost, smaller if tier is Tier.ANY else None))
    fitting = (candidate for candidate in candidates if candidate.within_ms <= remaining_ms)
    return next(fitting, min(candidates, key=lambda candidate: candidate.predicted_ms))


def plans_by_accuracy(workload: Workload, cost: CostModel, smaller: CostModel | None = None) -> Iterator[Plan]:
    """Every plan for a final, the one that keeps everything first."""
    yield from _plans(workload, cost)
    if smaller is not None:
        for cheaper in _plans(workload, smaller):
            yield replace(cheaper, degraded=(*cheaper.degraded, "model"), by_smaller=True)


def _plans(workload: Workload, cost: CostModel) -> Iterator[Plan]:
    """Those of one model."""
    options = workload.options
    for max_alternatives in dict.fromkeys((max(1, options.max_alternatives), 1)):
        # Where the text waits for the places of its words, nothing would be saved without word times.
        for word_times in dict.fromkeys((options.word_times, options.word_times and options.word_places is WordPlaces.WITH)):
            # CTranslate2 returns at most as many readings as its beam is wide.
            for beam_size in dict.fromkeys(max(width, max_alternatives) for width in (options.beam_size, min(options.beam_size, 2), 1)):
                given_up: dict[Sacrifice, bool] = {
                    "beam": beam_size < options.beam_size,
                    "words": word_times < options.word_times,
                    "alternatives": max_alternatives < options.max_alternatives,
                }
                predicted_ms = workload.predict_ms(cost, beam_size, word_times=word_times)
                yield Plan(
                    beam_size=beam_size,
                    word_times=word_times,
                    max_alternatives=max_alternatives,
                    predicted_ms=predicted_ms,
                    within_ms=predicted_ms * cost.spread,
                    degraded=tuple(name for name, is_given_up in given_up.items() if is_given_up),
                )


def _samples_after(audio: Normalized, said: Said) -> int:
    """How many of the samples that were kept follow what was said."""
    return sum(max(0, span.end_sample - max(span.start_sample, said.until_sample)) for span in audio.kept)
