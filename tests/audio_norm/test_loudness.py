import math

import numpy as np
import pyloudnorm
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.signal import resample_poly, sosfreqz

from audio_norm import LoudnessMeter, LoudnessRule, Samples, integrated_lufs, true_peak_dbtp
from audio_norm.loudness import amplify, k_weighting
from tests.audio_norm.samples import RATE_HZ, chunks, noise, speech, tone

ORACLE_TOLERANCE_LU = 0.1
"""pyloudnorm designs its filters from rounded corner frequencies; measured on speech, tones and noise the two differ by up to 0.08 LU."""


def test_at_48_khz_the_weighting_is_the_table_of_the_standard() -> None:
    assert k_weighting(48_000) == pytest.approx(
        np.array(
            [
                [1.53512485958697, -2.69169618940638, 1.19839281085285, 1.0, -1.69065929318241, 0.73248077421585],
                [1.0, -2.0, 1.0, 1.0, -1.99004745483398, 0.99007225036621],
            ]
        ),
        abs=1e-9,
    )


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100])
def test_at_other_rates_the_weighting_has_the_same_response(rate_hz: int) -> None:
    """Within 0.25 dB up to an eighth of the rate; above, the bilinear transform bends the frequency axis."""
    frequencies_hz = np.geomspace(20.0, rate_hz / 8, 50)
    _, ours = sosfreqz(k_weighting(rate_hz), frequencies_hz, fs=rate_hz)
    _, table = sosfreqz(k_weighting(48_000), frequencies_hz, fs=48_000)
    assert 20 * np.log10(np.abs(ours) / np.abs(table)) == pytest.approx(np.zeros(50), abs=0.25)


def test_the_standards_sine_reads_as_it_says() -> None:
    """A full-scale 997 Hz sine in one channel reads -3.01 LKFS; at 16 kHz the bent frequency axis takes 0.05 dB off."""
    assert integrated_lufs(tone(5.0, 997.0, peak=1.0, rate_hz=48_000), 48_000) == pytest.approx(-3.01, abs=0.01)
    assert integrated_lufs(tone(5.0, 997.0, peak=1.0), RATE_HZ) == pytest.approx(-3.01, abs=0.06)


@pytest.mark.parametrize(
    "samples",
    [
        speech("counting"),
        speech("quick_brown_fox"),
        0.01 * speech("counting"),
        noise(3.0),
        tone(2.0, 440.0),
        tone(2.0, 3_000.0),
        np.concatenate([speech("counting"), np.zeros(80_000, np.float32), 0.1 * speech("counting")]),
    ],
    ids=["counting", "fox", "quiet", "noise", "440 Hz", "3 kHz", "gated"],
)
def test_loudness_agrees_with_pyloudnorm(samples: Samples) -> None:
    oracle = pyloudnorm.Meter(RATE_HZ).integrated_loudness(samples.astype(np.float64))
    assert integrated_lufs(samples, RATE_HZ) == pytest.approx(oracle, abs=ORACLE_TOLERANCE_LU)


@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(st.integers(50, 5_000), min_size=1, max_size=20))
@example(sizes=[1])
def test_chunks_do_not_change_a_bit_of_the_loudness(sizes: list[int]) -> None:
    samples = speech("hello_world")[:12_000]
    meter = LoudnessMeter(RATE_HZ)
    for cut in chunks(len(samples), sizes):
        meter.feed(samples[cut])
    assert meter.integrated_lufs() == integrated_lufs(samples, RATE_HZ)


def test_loudness_follows_the_gain() -> None:
    before, after = integrated_lufs(speech(), RATE_HZ), integrated_lufs(amplify(speech(), -12.0), RATE_HZ)
    assert before is not None
    assert after == pytest.approx(before - 12.0, abs=0.001)


def test_silence_has_no_loudness() -> None:
    assert integrated_lufs(np.zeros(32_000, np.float32), RATE_HZ) is None
    assert integrated_lufs(np.zeros(100, np.float32), RATE_HZ) is None
    assert integrated_lufs(np.empty(0, np.float32), RATE_HZ) is None


def test_what_is_below_the_absolute_gate_has_no_loudness() -> None:
    assert integrated_lufs(noise(2.0, rms=1e-5), RATE_HZ) is None


def test_shorter_than_a_block_is_measured_as_one_block() -> None:
    """The measure is continuous there: 399 ms of steady noise read like 401 ms."""
    hiss = noise(0.401)
    short, block = integrated_lufs(hiss[: round(0.399 * RATE_HZ)], RATE_HZ), integrated_lufs(hiss, RATE_HZ)
    assert block is not None
    assert short == pytest.approx(block, abs=0.1)


def test_a_meter_refuses_a_rate_it_is_not_made_for() -> None:
    with pytest.raises(ValueError, match="at least 8000 Hz, got 4000 Hz"):
        LoudnessMeter(4_000)


def test_true_peak_finds_the_peak_between_the_samples() -> None:
    """A sine at a quarter of the rate, sampled 45 degrees off its peaks: its samples read -3 dBFS, its waveform 0."""
    sine = np.sin(2 * np.pi * np.arange(4_000) / 4 + np.pi / 4).astype(np.float32) * np.hanning(4_000).astype(np.float32)
    assert 20 * math.log10(np.abs(sine).max()) == pytest.approx(-3.01, abs=0.01)
    assert true_peak_dbtp(sine) == pytest.approx(0.0, abs=0.3)


@pytest.mark.parametrize("samples", [speech("counting"), speech("quick_brown_fox"), noise(1.0), tone(1.0, 5_000.0)])
def test_true_peak_agrees_with_fine_oversampling(samples: Samples) -> None:
    """16 times oversampled by another filter; the standard allows its meter to read up to 0.7 dB low and its filter ripples by 0.5 dB."""
    fine = 20 * math.log10(np.abs(resample_poly(samples.astype(np.float64), 16, 1)).max())
    assert true_peak_dbtp(samples) == pytest.approx(fine, abs=0.7)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 400), st.floats(0.1, 4.0))
def test_leaving_out_the_quiet_places_does_not_change_the_true_peak(seed: int, length: int, spread: float) -> None:
    samples = (np.random.default_rng(seed).standard_normal(length) ** 3 * spread / 30).astype(np.float32)
    taps = np.array([14, 90, -161, 272, -487, 1125, 7964, -838, 390, -218, 122, -68, -239, 240, -424, 730, -1364, 3810, 6388, -1641])
    taps = np.concatenate([taps, [832, -477, 271, -155]]) / 8_192
    phases = [taps[:12], taps[12:], taps[:11:-1], taps[11::-1]]
    everywhere = max(np.abs(np.convolve(samples.astype(np.float64), phase)).max() for phase in phases)
    expected = max(everywhere, float(np.abs(samples).max()))
    assert true_peak_dbtp(samples) == pytest.approx(20 * math.log10(expected), abs=1e-9)


def test_digital_silence_has_no_peak() -> None:
    assert true_peak_dbtp(np.zeros(100, np.float32)) is None
    assert true_peak_dbtp(np.empty(0, np.float32)) is None


RULE = LoudnessRule(target_lufs=-23.0, max_gain_db=30.0, min_gain_db=-20.0, peak_limit_dbtp=-1.0, boost_above_lufs=-60.0)


@pytest.mark.parametrize(
    ("lufs", "peak", "gain_db", "why"),
    [
        (-33.0, -20.0, 10.0, "to the target"),
        (-13.0, -3.0, -10.0, "down to the target"),
        (-58.0, -45.0, 30.0, "no more than the largest gain"),
        (-33.0, -6.0, 5.0, "no nearer than the peak limit"),
        (-61.0, -45.0, 0.0, "silence and noise are not blown up"),
        (2.0, 4.0, -20.0, "no lower than the strongest attenuation"),
        (2.0, 25.0, -26.0, "but the peak limit holds all the same"),
        (None, -80.0, 0.0, "no loudness, no gain"),
        (None, None, 0.0, "silence"),
    ],
)
def test_the_gain_goes(lufs: float | None, peak: float | None, gain_db: float, why: str) -> None:
    assert RULE.gain_db(lufs, peak) == pytest.approx(gain_db), why


@pytest.mark.parametrize(
    ("name", "value"), [("target_lufs", 3.0), ("max_gain_db", -1.0), ("min_gain_db", 1.0), ("peak_limit_dbtp", math.nan)]
)
def test_a_rule_out_of_range_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"LoudnessRule wants {name} from"):
        LoudnessRule(**{name: value})
