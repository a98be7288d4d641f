"""Distortions measured: each does what it says, to the figure it says, and nothing else."""

import io
import math

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from audio_norm import Frames, Samples, Span, to_int16
from audio_norm.inspect import bandwidth_hz
from audio_norm.raw import mulaw_table
from eval.robustness.distort import (
    MEAN_BURST_PACKETS,
    CannotDistort,
    active_power,
    add_noise,
    change_level,
    encode_mulaw,
    lose_packets,
    losses,
    overdrive,
    reverberate,
    stretch_of,
    telephone,
)
from tests.audio_norm.samples import RATE_HZ, noise, speech, tone

RATES_HZ = st.sampled_from([8_000, 11_025, 16_000, 44_100])
FRAMES = st.integers(1, 2).flatmap(
    lambda channels: arrays(
        np.float32, st.tuples(st.integers(0, 400), st.just(channels)), elements=st.floats(-1, 1, width=32, allow_subnormal=False)
    )
)


def mono(samples: Samples) -> Frames:
    return samples[:, np.newaxis]


def everything(frames: Frames) -> tuple[Span, ...]:
    return (Span(0, len(frames)),)


def chance(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def db(ratio: float) -> float:
    return 10.0 * math.log10(max(ratio, 1e-12))


@given(FRAMES, RATES_HZ, st.floats(-40, 40))
def test_as_many_frames_come_out_on_the_grid_of_16_bits_and_within_full_scale(frames: Frames, rate_hz: int, amount_db: float) -> None:
    results = [change_level(frames, amount_db), telephone(frames, rate_hz), reverberate(frames, noise(0.01))]
    results.append(lose_packets(frames, rate_hz, 0.1, chance()))
    try:
        results.append(add_noise(frames, np.resize(noise(0.01), len(frames)), everything(frames), amount_db))
        results.append(overdrive(frames, everything(frames), 0.2))
    except CannotDistort:
        assert not active(frames)
    for result in results:
        assert result.shape == frames.shape
        assert result.dtype == np.float32
        assert np.array_equal(result, to_int16(result) / np.float32(32_768))


def active(frames: Frames) -> bool:
    """Whether there is anything to go by: something that varies, and is not nearly all silence."""
    varies = len(frames) > 0 and float(np.square(frames - frames.mean(axis=0, dtype=np.float64)).mean()) > 0
    return varies and float(np.quantile(np.abs(frames), 0.8)) >= 1 / 32_768


@pytest.mark.parametrize("gain_db", [-30, -20, -10, 10])
def test_a_level_changes_by_exactly_so_many_decibels_but_for_rounding_to_16_bits(gain_db: float) -> None:
    recorded = mono(speech() * np.float32(0.25))
    changed = change_level(recorded, gain_db)
    wanted = np.clip(recorded * 10 ** (gain_db / 20), -1, 32_767 / 32_768)
    assert float(np.abs(changed - wanted).max()) <= 0.5001 / 32_768


def test_a_level_beyond_full_scale_is_clipped() -> None:
    loud = change_level(mono(tone(0.1, 440.0, peak=0.5)), 20.0)
    assert (loud.min(), loud.max()) == (-1.0, 32_767 / 32_768)


def test_a_telephone_passes_300_to_3400_hz() -> None:
    def passed_db(hz: float) -> float:
        sent = tone(1.0, hz)
        inner = slice(RATE_HZ // 4, -RATE_HZ // 4)
        return db(float(np.square(telephone(mono(sent), RATE_HZ)[inner]).mean() / np.square(sent[inner]).mean()))

    assert [passed_db(hz) for hz in (400, 1_000, 3_300)] == pytest.approx([0.0, 0.0, 0.0], abs=0.5)
    assert passed_db(300) == pytest.approx(-6.0, abs=1.0)
    assert passed_db(3_400) == pytest.approx(-6.0, abs=1.0)
    assert passed_db(150) < -45.0
    assert passed_db(5_000) < -45.0


def test_speech_over_a_telephone_has_the_bandwidth_of_a_telephone() -> None:
    """Noise of mu-law reaches to half its rate, and the converter back to 16 kHz passes a little more."""
    spoken = speech()
    received = telephone(mono(spoken), RATE_HZ)[:, 0]
    before_hz, after_hz = bandwidth_hz(spoken, RATE_HZ), bandwidth_hz(received, RATE_HZ)
    assert before_hz is not None
    assert before_hz > 5_000
    assert after_hz is not None
    assert 3_300 <= after_hz <= 4_300


def test_a_telephone_delays_nothing() -> None:
    spoken = speech()[:RATE_HZ]
    received = telephone(mono(spoken), RATE_HZ)[:, 0]
    lags = np.correlate(received, spoken, mode="full")
    assert int(np.argmax(lags)) - (len(spoken) - 1) == 0


def test_mulaw_is_that_of_libsndfile_for_every_sample_there_is() -> None:
    every = np.arange(-32_768, 32_768, dtype=np.int16)
    written = io.BytesIO()
    soundfile.write(written, every, 8_000, format="RAW", subtype="ULAW")
    assert np.array_equal(encode_mulaw(every), np.frombuffer(written.getvalue(), np.uint8))


def test_mulaw_and_the_decoder_of_the_server_agree() -> None:
    """What was decoded is encoded to the code it came from; only minus zero comes back as zero."""
    decoded = mulaw_table()
    again = decoded[encode_mulaw(to_int16(decoded))]
    assert np.array_equal(again, decoded)


SNRS_DB = st.floats(-5, 30)


@given(SNRS_DB, st.integers(0, 99), st.sampled_from([0.05, 0.3, 0.9]))
def test_noise_is_at_the_ratio_asked_for_over_the_parts_with_speech(snr_db: float, seed: int, peak: float) -> None:
    """Measured from what came out: how much of it is the recording, how much the noise, by least squares. Turning down changes neither."""
    quiet, spoken = np.zeros(4_000, np.float32), tone(0.5, 440.0, peak=peak)
    frames = mono(np.concatenate([quiet, spoken, quiet]))
    sound = noise(1.0, seed=seed)
    added = np.resize(sound, len(frames))
    heard = add_noise(frames, added, (Span(4_000, 4_000 + len(spoken)),), snr_db)[:, 0]
    (of_speech, of_noise), *_ = np.linalg.lstsq(np.stack([frames[:, 0], added], axis=1), heard)
    speech_power, noise_power = np.square(of_speech * spoken).mean(), np.square(of_noise * added).mean()
    assert db(float(speech_power / noise_power)) == pytest.approx(snr_db, abs=0.1)


def test_noise_too_loud_for_full_scale_is_turned_down_with_the_speech_and_clips_nothing() -> None:
    frames = mono(tone(1.0, 440.0, peak=0.9))
    heard = add_noise(frames, noise(1.0), everything(frames), 0.0)
    assert np.count_nonzero(np.abs(heard) >= 32_767 / 32_768) <= 1


def test_silence_around_speech_does_not_count_for_its_level_nor_does_an_offset() -> None:
    spoken = tone(0.5, 440.0)
    frames = mono(np.concatenate([np.zeros(8_000, np.float32), spoken])) + np.float32(0.25)
    # The mean of all of it is the offset, but for what half a second of a tone adds.
    assert active_power(frames, (Span(8_000, 16_000),)) == pytest.approx(0.5**2 / 2, rel=0.01)


def test_without_speech_there_is_no_level_to_set_noise_or_clipping_by() -> None:
    frames = mono(noise(0.5))
    with pytest.raises(CannotDistort, match="no speech is found"):
        add_noise(frames, noise(0.5), (), 10.0)
    with pytest.raises(CannotDistort, match="no speech is found"):
        overdrive(frames, (), 0.05)


def test_silent_noise_and_silent_rooms_are_refused() -> None:
    frames, silence = mono(tone(0.5, 440.0)), np.zeros(8_000, np.float32)
    with pytest.raises(ValueError, match="noise is silent"):
        add_noise(frames, silence, everything(frames), 10.0)
    with pytest.raises(ValueError, match="response is silent"):
        reverberate(frames, silence)


@given(st.integers(1, 3_000), st.integers(1, 500), st.integers(0, 99))
def test_a_stretch_of_noise_is_cut_out_and_goes_on_from_its_beginning(length: int, noise_samples: int, seed: int) -> None:
    sound = np.arange(1, noise_samples + 1, dtype=np.float32) + 1_000
    stretch = stretch_of(sound, length, chance(seed))
    assert len(stretch) == length
    steps = np.diff(stretch)
    assert set(steps.tolist()) <= {1.0, float(1 - noise_samples)}


def test_a_gap_in_a_noise_is_not_taken_for_noise() -> None:
    slam = np.concatenate([noise(0.01), np.zeros(RATE_HZ, np.float32)])
    with pytest.raises(CannotDistort, match="gap"):
        stretch_of(slam, 10, chance())


def test_the_direct_sound_of_a_room_stays_in_its_place_and_the_level_about_the_same() -> None:
    """So word times hold: a room of one reflection after 50 ms, its direct sound late by 20 ms."""
    response = np.zeros(4_000, np.float32)
    response[320], response[320 + 800] = 1.0, -0.5
    spoken = speech()
    heard = reverberate(mono(spoken * np.float32(0.3)), response)[:, 0]
    assert int(np.argmax(np.correlate(heard[:RATE_HZ], spoken[:RATE_HZ], mode="full"))) == RATE_HZ - 1
    white = mono(noise(2.0, rms=0.05))
    assert db(float(np.square(reverberate(white, response)).mean() / np.square(white).mean())) == pytest.approx(0.0, abs=0.2)


def test_a_room_without_reflections_changes_nothing() -> None:
    spoken = mono(speech())
    response = np.zeros(100, np.float32)
    response[40] = 0.3
    assert float(np.abs(reverberate(spoken, response) - spoken).max()) <= 1.0 / 32_768


@given(st.sampled_from([0.01, 0.05, 0.2, 0.5]), st.integers(0, 99))
def test_the_share_of_speech_at_full_scale_is_the_one_asked_for(share: float, seed: int) -> None:
    quiet, spoken = noise(0.3, rms=0.001, seed=seed + 1), noise(0.5, rms=0.1, seed=seed)
    frames = mono(np.concatenate([quiet, spoken]))
    clipped = np.abs(overdrive(frames, (Span(len(quiet), len(frames)),), share)) >= 32_767 / 32_768
    assert clipped[len(quiet) :].mean() == pytest.approx(share, abs=0.002)
    assert not clipped[: len(quiet)].any()


def test_speech_that_is_nearly_all_zeros_cannot_be_overdriven() -> None:
    frames = np.zeros((1_000, 1), np.float32)
    frames[7] = 0.5
    with pytest.raises(CannotDistort, match="digital silence"):
        overdrive(frames, everything(frames), 0.2)


@pytest.mark.parametrize("share", [0.01, 0.05, 0.1])
def test_packets_are_lost_in_the_share_and_the_bursts_of_the_model(share: float) -> None:
    lost = losses(200_000, share, chance())
    bursts = np.count_nonzero(np.diff(lost.astype(np.int8)) == 1) + int(lost[0])
    assert lost.mean() == pytest.approx(share, rel=0.05)
    assert np.count_nonzero(lost) / bursts == pytest.approx(MEAN_BURST_PACKETS, rel=0.05)


@given(RATES_HZ, st.integers(0, 99))
def test_whole_packets_of_20_ms_are_silent_and_the_others_are_as_they_were(rate_hz: int, seed: int) -> None:
    sent = mono(np.full(rate_hz // 2 + 7, 0.25, np.float32))
    received = lose_packets(sent, rate_hz, 0.3, chance(seed))[:, 0]
    packets = np.split(received, range(rate_hz // 50, len(received), rate_hz // 50))
    assert all(set(packet.tolist()) in ({0.0}, {0.25}) for packet in packets)


def test_the_same_chance_gives_the_same_frames() -> None:
    sent = mono(speech())
    assert np.array_equal(lose_packets(sent, RATE_HZ, 0.1, chance(3)), lose_packets(sent, RATE_HZ, 0.1, chance(3)))
    assert not np.array_equal(lose_packets(sent, RATE_HZ, 0.1, chance(3)), lose_packets(sent, RATE_HZ, 0.1, chance(4)))
