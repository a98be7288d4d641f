"""What a decode will cost on this machine: a small model, calibrated at start-up. Pure; measures nothing itself."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import nnls

FULL_BEAM = 5
"""The beam that `CostModel.beam_factor` is about."""

GIVEN_TOKEN_STEPS = 0.04
"""What reading one of many given tokens takes, in steps of decoding; the first costs one more. base: 6.7 and 0.28 ms, a step 6.4 ms."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds of one decode, in the two parts that share differently in a batch."""

    once_ms: float
    """What is done once: features, encoder, what is read before the first token, word times."""
    steps_ms: float
    """What is done token by token."""

    @property
    def ms(self) -> float:
        return self.once_ms + self.steps_ms


@dataclass(frozen=True, slots=True)
class CostModel:
    """Milliseconds of one-thread work for one decode on an idle machine; beside another decode each takes longer.

    With `frames` of 10 ms, margin included: `encode_ms + frames * encode_ms_per_frame + frames**2 * encode_ms_per_frame_squared` for the
    features and the encoder (attention makes it grow faster than the audio), `prompt_ms` before the first token, `token_ms` a
    generated token when greedy, times `beam_factor` for a beam of 5 (interpolated between), `align_ms` for word times.

    Decoded together, the longest costs what it does alone, and each further one `step_share` of its tokens and `once_share` of the rest.
    """

    encode_ms: float
    encode_ms_per_frame: float
    token_ms: float
    beam_factor: float
    align_ms: float
    tokens_per_second: float = 4.0
    """Tokens to expect in a second of speech."""
    encode_ms_per_frame_squared: float = 0.0
    prompt_ms: float = 0.0
    step_share: float = 1.0
    """1: nothing is gained."""
    once_share: float = 1.0
    spread: float = 1.0
    """As many decodes as should end in time take less than this times what is predicted. How much is said is not known before."""

    def predict(
        self,
        audio_ms: float,
        margin_ms: float,
        beam_size: int,
        *,
        word_times: bool,
        new_audio_ms: float | None = None,
        given_tokens: int = 0,
    ) -> Cost:
        """Expected time of a decode of `audio_ms` of speech with `margin_ms` of silence after it.

        Text is expected of `new_audio_ms` of the audio, by default of all. `given_tokens` are read in one pass instead of searched for.
        """
        frames = (audio_ms + margin_ms) / 10
        encode_ms = self.encode_ms + frames * (self.encode_ms_per_frame + frames * self.encode_ms_per_frame_squared)
        tokens = 2 + (audio_ms if new_audio_ms is None else new_audio_ms) / 1000 * self.tokens_per_second
        beam = 1 + (self.beam_factor - 1) * (beam_size - 1) / (FULL_BEAM - 1)
        given_ms = self.token_ms * (1 + given_tokens * GIVEN_TOKEN_STEPS) if given_tokens else 0.0
        once_ms = encode_ms + self.prompt_ms + given_ms + (self.align_ms if word_times else 0.0)
        return Cost(once_ms, tokens * self.token_ms * beam)

    def together_ms(self, costs: Sequence[Cost]) -> float:
        """Expected time of decodes, one or more, that are done together, until the last has ended."""
        once_ms, steps_ms = [cost.once_ms for cost in costs], [cost.steps_ms for cost in costs]
        return _shared(once_ms, self.once_share) + _shared(steps_ms, self.step_share)

    def scaled(self, factor: float) -> "CostModel":
        """A machine on which everything takes `factor` times as long."""
        return replace(
            self,
            encode_ms=self.encode_ms * factor,
            encode_ms_per_frame=self.encode_ms_per_frame * factor,
            encode_ms_per_frame_squared=self.encode_ms_per_frame_squared * factor,
            prompt_ms=self.prompt_ms * factor,
            token_ms=self.token_ms * factor,
            align_ms=self.align_ms * factor,
        )


@dataclass(frozen=True, slots=True)
class Timing:
    """One measured step: `size` is frames for an encode, tokens for a decode."""

    size: int
    ms: float


def share_of_more(one_ms: float, all_ms: float, rows: int) -> float:
    """Of what one takes, what each further one of `rows` adds when all are done together in `all_ms`: 0 to 1."""
    return min(max((all_ms / one_ms - 1) / (rows - 1), 0.0), 1.0) if one_ms > 0 else 1.0


def _shared(parts_ms: Sequence[float], share: float) -> float:
    longest_ms = max(parts_ms)
    return longest_ms + share * (sum(parts_ms) - longest_ms)


def fit(encodes: Sequence[Timing], greedy: Sequence[Timing], full_beam: Sequence[Timing], align_ms: float) -> CostModel:
    """The cost model that is nearest to what was measured (least squares, no negative costs).

    Wants encodes of three lengths or more, and decodes of two token counts or more, greedy and with `FULL_BEAM`.
    """
    encode_ms, per_frame, per_frame_squared = _fit_powers(encodes, 2)
    prompt_ms, token_ms = _fit_powers(greedy, 1)
    beam_token_ms = sum(max(timing.ms - prompt_ms, 0.0) for timing in full_beam) / sum(timing.size for timing in full_beam)
    return CostModel(
        encode_ms=encode_ms,
        encode_ms_per_frame=per_frame,
        encode_ms_per_frame_squared=per_frame_squared,
        prompt_ms=prompt_ms,
        token_ms=token_ms,
        beam_factor=max(1.0, beam_token_ms / token_ms) if token_ms else 1.0,
        align_ms=align_ms,
    )


def _fit_powers(timings: Sequence[Timing], degree: int) -> list[float]:
    """Coefficients of 1, size, size**2 ... none below zero. Errors count in proportion: short decodes matter as well."""
    if len({timing.size for timing in timings}) <= degree:
        raise ValueError(f"a fit of degree {degree} wants {degree + 1} sizes or more, got {sorted({timing.size for timing in timings})}")
    sizes = np.array([timing.size for timing in timings], dtype=np.float64)
    times = np.array([timing.ms for timing in timings], dtype=np.float64)
    coefficients, _ = nnls(np.vander(sizes, degree + 1, increasing=True) / times[:, None], np.ones(len(timings)))
    return [float(coefficient) for coefficient in coefficients]
