from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_server.engine.calibrate import calibrate
from asr_server.engine.cost import Cost, CostModel, Timing, fit, share_of_more

COST = CostModel(
    encode_ms=10, encode_ms_per_frame=0.1, encode_ms_per_frame_squared=0.0001, prompt_ms=20, token_ms=10, beam_factor=1.5, align_ms=30
)


def encode_ms(frames: int) -> float:
    return COST.encode_ms + frames * COST.encode_ms_per_frame + frames**2 * COST.encode_ms_per_frame_squared


def test_a_prediction_is_the_sum_of_its_parts() -> None:
    # 5 s with 1 s of margin: 600 frames and 22 tokens.
    assert COST.predict(5000, 1000, 1, word_times=False).ms == pytest.approx(10 + 60 + 36 + 20 + 220)
    assert COST.predict(5000, 1000, 5, word_times=False).ms == pytest.approx(10 + 60 + 36 + 20 + 330)
    assert COST.predict(5000, 1000, 3, word_times=True).ms == pytest.approx(10 + 60 + 36 + 20 + 275 + 30)


def test_text_is_expected_of_the_new_audio_only_and_given_tokens_are_read_in_one_pass() -> None:
    # Of the 5 s one is new, 4 tokens, beside the 2 of any text. The 10 that are given take a greedy step and 0.4 of one.
    predicted_ms = COST.predict(5000, 1000, 5, word_times=False, new_audio_ms=1000, given_tokens=10).ms

    assert predicted_ms == pytest.approx(10 + 60 + 36 + 20 + (2 + 4) * 15 + 1.4 * 10)


@given(st.floats(0.5, 4), st.floats(0, 29_000), st.integers(1, 5), st.booleans())
def test_a_scaled_machine_takes_so_many_times_as_long(factor: float, audio_ms: float, beam_size: int, word_times: bool) -> None:
    predicted_ms = COST.predict(audio_ms, 800, beam_size, word_times=word_times).ms

    assert COST.scaled(factor).predict(audio_ms, 800, beam_size, word_times=word_times).ms == pytest.approx(factor * predicted_ms)


@given(st.floats(0, 29_000), st.floats(0, 29_000), st.integers(1, 5), st.booleans())
def test_more_audio_never_costs_less(audio_ms: float, more_ms: float, beam_size: int, word_times: bool) -> None:
    less = COST.predict(audio_ms, 800, beam_size, word_times=word_times).ms
    assert COST.predict(audio_ms + more_ms, 800, beam_size, word_times=word_times).ms >= less


def test_a_fit_gives_back_the_costs_that_made_the_timings() -> None:
    fitted = fit(
        encodes=[Timing(frames, encode_ms(frames)) for frames in (200, 600, 1200)],
        greedy=[Timing(tokens, 20 + 10 * tokens) for tokens in (4, 20)],
        full_beam=[Timing(tokens, 20 + 15 * tokens) for tokens in (4, 20)],
        align_ms=30,
    )
    for name in ("encode_ms", "encode_ms_per_frame", "encode_ms_per_frame_squared", "prompt_ms", "token_ms", "beam_factor", "align_ms"):
        assert getattr(fitted, name) == pytest.approx(getattr(COST, name), rel=1e-6), name


@given(st.lists(st.floats(0.1, 1000), min_size=7, max_size=7))
def test_no_noise_makes_a_cost_negative(times_ms: list[float]) -> None:
    fitted = fit(
        encodes=[Timing(frames, ms) for frames, ms in zip((200, 600, 1200), times_ms, strict=False)],
        greedy=[Timing(tokens, ms) for tokens, ms in zip((4, 20), times_ms[3:], strict=False)],
        full_beam=[Timing(tokens, ms) for tokens, ms in zip((4, 20), times_ms[5:], strict=False)],
        align_ms=1,
    )
    assert min(fitted.encode_ms, fitted.encode_ms_per_frame, fitted.encode_ms_per_frame_squared, fitted.prompt_ms, fitted.token_ms) >= 0
    assert fitted.beam_factor >= 1


def test_too_few_sizes_are_refused() -> None:
    two = [Timing(4, 1.0), Timing(20, 2.0)]
    with pytest.raises(ValueError, match="degree 2 wants 3 sizes"):
        fit(encodes=two, greedy=two, full_beam=two, align_ms=1)


class FakeModel:
    """Takes exactly the time of `COST` on its own clock; every second run is disturbed. Of a batch each further one costs a quarter of its
    tokens and half of the rest."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._runs = 0

    def _take(self, ms: float) -> None:
        self._runs += 1
        self.now_s += ms / 1000 * (1 if self._runs % 2 else 7)

    def encode_frames(self, frames: int, rows: int = 1) -> int:
        self._take(encode_ms(frames) * (1 + (rows - 1) / 2))
        return frames

    def force_tokens(self, encoded: int, tokens: int, beam_size: int, rows: int = 1) -> None:
        self._take(20 * (1 + (rows - 1) / 2) + tokens * 10 * (1 + 0.5 * (beam_size - 1) / 4) * (1 + (rows - 1) / 4))

    def align_tokens(self, encoded: int, tokens: int) -> None:
        self._take(30)


@pytest.mark.parametrize("max_batch", [2, 4, 6, 16])
def test_calibration_finds_what_a_batch_shares(max_batch: int) -> None:
    model = FakeModel()
    cost = calibrate(model, max_batch, clock=lambda: model.now_s)
    assert [cost.step_share, cost.once_share] == pytest.approx([0.25, 0.5])


def test_without_batches_nothing_is_taken_to_be_shared() -> None:
    model = FakeModel()
    cost = calibrate(model, clock=lambda: model.now_s)
    assert (cost.step_share, cost.once_share) == (1.0, 1.0)


def test_the_longest_of_a_batch_costs_what_it_does_alone_and_the_others_their_share() -> None:
    shared = replace(COST, step_share=0.25, once_share=0.5)
    assert shared.together_ms([Cost(100, 40)]) == pytest.approx(140)
    assert shared.together_ms([Cost(100, 40), Cost(60, 80), Cost(20, 20)]) == pytest.approx(100 + 0.5 * 80 + 80 + 0.25 * 60)


@given(st.lists(st.builds(Cost, st.floats(0, 500), st.floats(0, 500)), min_size=1, max_size=8), st.floats(0, 1), st.floats(0, 1))
def test_together_never_costs_more_than_one_after_the_other_nor_less_than_the_dearest(
    costs: list[Cost], step_share: float, once_share: float
) -> None:
    together_ms = replace(COST, step_share=step_share, once_share=once_share).together_ms(costs)
    assert max(cost.ms for cost in costs) - 1e-6 <= together_ms <= sum(cost.ms for cost in costs) + 1e-6


@given(st.floats(0, 1000), st.floats(0, 10_000), st.integers(2, 64))
def test_a_share_is_never_below_nothing_or_above_all(one_ms: float, all_ms: float, rows: int) -> None:
    assert 0 <= share_of_more(one_ms, all_ms, rows) <= 1


def test_calibration_finds_the_costs_behind_a_noisy_neighbour() -> None:
    model = FakeModel()
    cost = calibrate(model, clock=lambda: model.now_s)
    assert cost.predict(5000, 800, 5, word_times=True).ms == pytest.approx(COST.predict(5000, 800, 5, word_times=True).ms, rel=1e-6)
