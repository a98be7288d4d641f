import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio_norm import Frames, Samples, UnsupportedAudio, load_definition
from audio_norm.stream import HighPass
from tests.audio_norm.samples import RATE_HZ, chunks, noise, speech, tone

V1 = load_definition("v1")


def run(frames: Frames, rate_hz: int, sizes: list[int], channel: int | None = None) -> tuple[Samples, tuple[float, ...], list[int]]:
    """Samples, probabilities and clipped positions of a stream fed in chunks of these sizes, over and over."""
    intake, conditioner = V1.intake(rate_hz, frames.shape[1], channel), V1.conditioner()
    taken = [*(intake.feed(frames[cut]) for cut in chunks(len(frames), sizes)), intake.flush()]
    parts = [*(conditioner.feed(part.samples) for part in taken), conditioner.flush()]
    speech_probabilities = tuple(value for part in parts for value in part.speech)
    clipped = [int(position) for part in taken for position in part.clipped]
    return np.concatenate([part.samples for part in parts]), speech_probabilities, clipped


def same(one: tuple[Samples, tuple[float, ...], list[int]], other: tuple[Samples, tuple[float, ...], list[int]]) -> bool:
    return one[0].tobytes() == other[0].tobytes() and one[1:] == other[1:]


SIZES = st.lists(st.one_of(st.just(0), st.integers(20, 3_000)), min_size=1, max_size=20).filter(any)


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100, 48_000])
@settings(max_examples=10, deadline=None)
@given(sizes=SIZES)
def test_chunks_do_not_change_a_bit_of_what_comes_out(rate_hz: int, sizes: list[int]) -> None:
    left, right = speech("hello_world") * np.float32(3.0), noise(1.2)[: len(speech("hello_world"))]
    frames = np.stack([np.clip(left, -1, 1), right], axis=1)
    assert same(run(frames, rate_hz, sizes), run(frames, rate_hz, [len(frames)]))


def test_samples_one_by_one_are_the_same_as_all_at_once() -> None:
    frames = speech("hello_world")[:3_000, np.newaxis]
    assert same(run(frames, RATE_HZ, [1]), run(frames, RATE_HZ, [3_000]))


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 48_000])
def test_no_sample_is_lost_at_the_end(rate_hz: int) -> None:
    frames = noise(1.0)[:, np.newaxis][:rate_hz]
    samples, _, _ = run(frames, rate_hz, [320])
    assert len(samples) == pytest.approx(len(frames) * RATE_HZ / rate_hz, abs=2)


def test_every_begun_vad_frame_has_a_probability_in_the_end() -> None:
    conditioner = V1.conditioner()
    fed = conditioner.feed(noise(0.1)[:1_100])
    assert len(fed.speech) == 1_100 // conditioner.frame_samples
    assert len(conditioner.flush().speech) == 1


def test_direct_current_is_taken_out_and_speech_is_left_alone() -> None:
    pass_ = HighPass(20.0, RATE_HZ)
    out = pass_.feed(tone(1.0, 300.0) + np.float32(0.3))
    settled = out[RATE_HZ // 2 :]
    assert abs(settled.mean()) < 1e-4
    assert np.abs(settled).max() == pytest.approx(0.5, abs=0.005)


def test_the_corner_of_the_high_pass_is_3_db_down() -> None:
    out = HighPass(20.0, RATE_HZ).feed(tone(4.0, 20.0, peak=1.0))
    assert np.abs(out[2 * RATE_HZ :]).max() == pytest.approx(10 ** (-3.01 / 20), abs=0.005)


def test_channels_are_mixed_or_one_is_chosen() -> None:
    frames = np.stack([tone(0.5, 500.0), np.zeros(8_000, np.float32)], axis=1)
    mixed, first, second = (run(frames, RATE_HZ, [8_000], channel)[0] for channel in (None, 1, 2))
    assert mixed == pytest.approx(first / 2, abs=1e-6)
    assert not second.any()


@pytest.mark.parametrize(("rate_hz", "expected"), [(8_000, 200), (16_000, 100), (48_000, 35)])
def test_clipped_source_frames_are_told_in_16_khz_samples(rate_hz: int, expected: int) -> None:
    frames = noise(0.5)[:, np.newaxis]
    frames[1_000:1_050] = 1.0
    frames[1_100:1_150] = -32_767 / 32_768
    assert len(run(frames, rate_hz, [77])[2]) == expected


def test_clipping_counts_only_in_a_channel_that_is_used() -> None:
    frames = np.stack([noise(0.1), np.ones(1_600, np.float32)], axis=1)
    assert [len(run(frames, RATE_HZ, [100], channel)[2]) for channel in (None, 1, 2)] == [1_600, 0, 1_600]


def test_frames_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(n, 2\), got \(5, 1\)"):
        V1.intake(RATE_HZ, 2).feed(np.zeros((5, 1), np.float32))


def test_a_channel_that_is_not_there_is_refused() -> None:
    with pytest.raises(UnsupportedAudio, match="channel 3 was asked for, the audio has 1 to 2"):
        V1.intake(RATE_HZ, 2, 3)


def test_after_the_flush_nothing_is_taken() -> None:
    intake, conditioner = V1.intake(RATE_HZ, 1), V1.conditioner()
    intake.flush()
    conditioner.flush()
    for feed in (lambda: intake.feed(np.zeros((5, 1), np.float32)), lambda: conditioner.feed(np.zeros(5, np.float32))):
        with pytest.raises(ValueError, match="takes no more audio"):
            feed()
    for flush in (intake.flush, conditioner.flush):
        with pytest.raises(ValueError, match="flushed already"):
            flush()
