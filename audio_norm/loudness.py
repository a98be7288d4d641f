"""Loudness by ITU-R BS.1770-4, true peak by its annex 2, and the gain a definition grants. Mono; equation numbers are the standard's."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.signal import sosfilt

from audio_norm.pcm import Samples

ABSOLUTE_GATE_LUFS = -70.0
RELATIVE_GATE_LU = -10.0
BLOCKS_OVERLAP = 4
"""Blocks of 400 ms every 100 ms (75 % overlap): each is four hops long."""

_TABLE_RATE_HZ = 48_000
_SHELF = ((1.53512485958697, -2.69169618940638, 1.19839281085285), (1.0, -1.69065929318241, 0.73248077421585))
"""Table 1: stage 1 of the weighting, the effect of the head; numerator and denominator at 48 kHz."""
_HIGH_PASS = ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621))
"""Table 2: stage 2, the RLB curve."""


@lru_cache
def k_weighting(rate_hz: int) -> NDArray[np.float64]:
    """Both stages as second-order sections, shape (2, 6), at any rate: the analog filters behind tables 1 and 2, transformed anew."""
    return np.array([_at_rate(*stage, rate_hz) for stage in (_SHELF, _HIGH_PASS)])


def _at_rate(numerator: tuple[float, float, float], denominator: tuple[float, float, float], rate_hz: int) -> list[float]:
    # The bilinear transform is t = (1 - z^-1) / (1 + z^-1). Undone, the section is a quotient of polynomials in t, whose corner
    # frequency f0 sits at t = tan(pi f0 / 48 kHz), the square root of the denominator's constant over its leading term.
    top, bottom = _to_analog(numerator), _to_analog(denominator)
    corner = math.sqrt(bottom[2] / bottom[0])
    corner_hz = math.atan(corner) * _TABLE_RATE_HZ / math.pi
    # Transformed again at the new rate, pre-warped so that the same corner frequency f0 stays where it is.
    stretch = corner / math.tan(math.pi * corner_hz / rate_hz)
    b, a = _to_digital(top, stretch), _to_digital(bottom, stretch)
    return [value / a[0] for value in (*b, *a)]


def _to_analog(digital: tuple[float, float, float]) -> tuple[float, float, float]:
    """Coefficients of t^2, t and 1 after z^-1 = (1 - t) / (1 + t), multiplied by (1 + t)^2."""
    c0, c1, c2 = digital
    return (c0 - c1 + c2, 2.0 * (c0 - c2), c0 + c1 + c2)


def _to_digital(analog: tuple[float, float, float], stretch: float) -> tuple[float, float, float]:
    """Coefficients of 1, z^-1 and z^-2 after t -> stretch (1 - z^-1) / (1 + z^-1), multiplied by (1 + z^-1)^2."""
    square, linear, constant = analog[0] * stretch**2, analog[1] * stretch, analog[2]
    return (square + linear + constant, 2.0 * (constant - square), square - linear + constant)


class LoudnessMeter:
    """Integrated loudness of one stream. The chunking of `feed` does not change a bit of the result.

    Shorter than 400 ms the standard knows no loudness: then it is that of one block over what there is, without gates.
    """

    def __init__(self, rate_hz: int) -> None:
        if rate_hz < 8_000:
            raise ValueError(f"LoudnessMeter wants at least 8000 Hz, got {rate_hz} Hz")
        self._sos = k_weighting(rate_hz)
        self._state = np.zeros((len(self._sos), 2))
        self._hop_samples = rate_hz // 10
        self._rest = np.empty(0)
        self._hop_energies: list[float] = []

    def feed(self, samples: Samples) -> None:
        if not len(samples):
            return
        weighted, self._state = sosfilt(self._sos, samples, zi=self._state)
        weighted = np.concatenate([self._rest, weighted])
        hops = len(weighted) // self._hop_samples
        whole = weighted[: hops * self._hop_samples].reshape(hops, self._hop_samples)
        self._hop_energies.extend(np.square(whole).sum(axis=1).tolist())
        self._rest = weighted[hops * self._hop_samples :]

    def integrated_lufs(self) -> float | None:
        """Loudness of all that was fed; None when nothing is above the absolute gate, or for digital silence."""
        hops = len(self._hop_energies)
        if hops < BLOCKS_OVERLAP:
            length = hops * self._hop_samples + len(self._rest)
            energy = sum(self._hop_energies) + float(np.square(self._rest).sum())
            return _lufs(energy / length) if energy > 0.0 else None
        edges = np.concatenate([[0.0], np.array(self._hop_energies)])
        running = np.lib.stride_tricks.sliding_window_view(edges[1:], BLOCKS_OVERLAP).sum(axis=1)
        blocks = running / (BLOCKS_OVERLAP * self._hop_samples)  # (1), (3): mean square of each gating block
        loud = blocks[blocks > _mean_square(ABSOLUTE_GATE_LUFS)]
        if not len(loud):
            return None
        relative_gate_lufs = _lufs(float(loud.mean())) + RELATIVE_GATE_LU  # (6)
        gated = loud[loud > _mean_square(relative_gate_lufs)]
        return _lufs(float(gated.mean()))  # (7)


def integrated_lufs(samples: Samples, rate_hz: int) -> float | None:
    """Loudness of a whole recording; see LoudnessMeter."""
    meter = LoudnessMeter(rate_hz)
    meter.feed(samples)
    return meter.integrated_lufs()


def _lufs(mean_square: float) -> float:
    return -0.691 + 10.0 * math.log10(mean_square)  # (2), (4), one channel of weight 1


def _mean_square(lufs: float) -> float:
    return float(10.0 ** ((lufs + 0.691) / 10.0))


_PHASE_0 = np.array([14, 90, -161, 272, -487, 1125, 7964, -838, 390, -218, 122, -68]) / 8_192
_PHASE_1 = np.array([-239, 240, -424, 730, -1364, 3810, 6388, -1641, 832, -477, 271, -155]) / 8_192
_PHASES = np.stack([_PHASE_0, _PHASE_1, _PHASE_1[::-1], _PHASE_0[::-1]])
"""Annex 2: the four phases of the interpolating filter, each 12 taps long."""
_TAPS = _PHASES.shape[1]
_MOST_OVERSHOOT = float(np.abs(_PHASES).sum(axis=1).max())
_SLAB_SAMPLES = 65_536


def true_peak_dbtp(samples: Samples) -> float | None:
    """Peak of the waveform between the samples (4 times oversampled), in dB of full scale; None for digital silence.

    Never below the highest sample, which the standard's filter can miss by a little.
    """
    magnitude = np.abs(samples)
    peak = float(magnitude.max(initial=0.0))
    if peak == 0.0:
        return None
    # An interpolated value is at most _MOST_OVERSHOOT times the largest of the 12 samples it is made of, so only places with a sample
    # within that factor of the highest one need the filter: exact, and on speech that is one place in fifty.
    loud = np.flatnonzero(magnitude * np.float32(_MOST_OVERSHOOT) >= peak)
    near = np.zeros(len(samples) + _TAPS - 1, np.bool_)
    for tap in range(_TAPS):
        near[loud + tap] = True
    places = np.flatnonzero(near)
    padded = np.concatenate([np.zeros(_TAPS - 1), samples, np.zeros(_TAPS - 1)])
    for slab in range(0, len(places), _SLAB_SAMPLES):
        inputs = padded[places[slab : slab + _SLAB_SAMPLES, np.newaxis] + np.arange(_TAPS)]
        # einsum and not a matrix product: BLAS would wake its threads for this in a server that has none to spare
        peak = max(peak, float(np.abs(np.einsum("nt,pt->np", inputs, _PHASES[:, ::-1])).max()))
    return 20.0 * math.log10(peak)


@dataclass(frozen=True, slots=True)
class LoudnessRule:
    """How a segment is levelled: one linear gain, so nothing is distorted and the peak limit is real."""

    target_lufs: float = -23.0
    max_gain_db: float = 30.0
    min_gain_db: float = -30.0
    """The strongest attenuation towards the target; the peak limit may ask for more."""
    peak_limit_dbtp: float = -1.0
    boost_above_lufs: float = -70.0
    """Anything quieter is not made louder: it is silence or noise."""

    def __post_init__(self) -> None:
        for name, low, high in (
            ("target_lufs", -60.0, 0.0),
            ("max_gain_db", 0.0, 60.0),
            ("min_gain_db", -60.0, 0.0),
            ("peak_limit_dbtp", -20.0, 0.0),
            ("boost_above_lufs", -90.0, 0.0),
        ):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"LoudnessRule wants {name} from {low:g} to {high:g}, got {getattr(self, name)}")

    def gain_db(self, loudness_lufs: float | None, peak_dbtp: float | None) -> float:
        """The gain for audio of this loudness and true peak; 0 for silence."""
        if loudness_lufs is None or peak_dbtp is None:
            return 0.0
        wanted = self.target_lufs - loudness_lufs
        most = self.max_gain_db if loudness_lufs > self.boost_above_lufs else 0.0
        return min(max(min(wanted, most), self.min_gain_db), self.peak_limit_dbtp - peak_dbtp)


def amplify(samples: Samples, gain_db: float) -> Samples:
    """A new array, each sample times the same factor."""
    return samples * np.float32(10.0 ** (gain_db / 20.0))
