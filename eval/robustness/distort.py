"""What happens to speech on its way to a recogniser: another level, a telephone, noise, a room, clipping, lost packets.

Pure: frames of shape (n, channels) in, as many frames out, rounded to 16 bits as a converter would give them. Chance comes in as a
generator, so the same generator gives the same frames. Knows no files, no recogniser and no detector of speech.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve, firwin

from audio_norm import Frames, Pcm, Samples, Span, from_int16, resample, to_int16
from audio_norm.pcm import INT16_SCALE
from audio_norm.raw import mulaw_table

TELEPHONE_HZ = 8_000
TELEPHONE_BAND_HZ = (300, 3_400)
"""The nominal band of a telephone channel (ITU-T G.712)."""
_BAND_TAPS = 257
"""32 ms: the band's edges are about 100 Hz wide."""
PACKET_MS = 20
MEAN_BURST_PACKETS = 2.0
"""How many packets are lost in a row, on average."""
_QUIETEST_STRETCH = 0.01
"""A stretch of noise more than 20 dB below its recording is a gap in it, not noise."""


class CannotDistort(ValueError):
    """The recording lacks what the distortion is measured by. The message says what."""


def change_level(frames: Frames, gain_db: float) -> Frames:
    """Louder or quieter by `gain_db`: rounded to 16 bits and clipped at full scale, as by the converter of a microphone that is set so."""
    return _converted(frames * np.float32(10.0 ** (gain_db / 20.0)))


def telephone(frames: Frames, rate_hz: int) -> Frames:
    """As a telephone carries it: 8 kHz, 300 to 3400 Hz (6 dB down at both), G.711 mu-law. Back at `rate_hz`, without delay."""
    if not len(frames):
        return frames
    return np.stack([_telephone(np.ascontiguousarray(channel), rate_hz) for channel in frames.T], axis=1)


def _telephone(samples: Samples, rate_hz: int) -> Samples:
    narrow = fftconvolve(resample(Pcm(samples, rate_hz), TELEPHONE_HZ).samples, _band(), mode="same").astype(np.float32)
    received = mulaw_table()[encode_mulaw(to_int16(narrow))]
    return _converted(resample(Pcm(received, TELEPHONE_HZ), rate_hz).samples[: len(samples)])


@cache
def _band() -> Samples:
    """Of linear phase: all frequencies are late by half of its taps, which centring takes back."""
    return firwin(_BAND_TAPS, TELEPHONE_BAND_HZ, pass_zero=False, fs=TELEPHONE_HZ).astype(np.float32)


def encode_mulaw(samples: NDArray[np.int16]) -> NDArray[np.uint8]:
    """G.711 mu-law codes; `audio_norm.raw.mulaw_table` is the way back."""
    # With the bias of 33 (132 in 16 bits) every segment starts at a power of two; 32635 is the largest that does not overflow by it.
    magnitude = np.minimum(np.abs(samples.astype(np.int32)), 32_635) + 132
    segment = np.frexp(magnitude)[1] - 8
    code = segment << 4 | magnitude >> segment + 3 & 0x0F
    codes: NDArray[np.uint8] = (~np.where(samples < 0, code | 0x80, code) & 0xFF).astype(np.uint8)
    return codes


def active_power(frames: Frames, speech: Sequence[Span]) -> float:
    """Mean square over the spans of speech and all channels, each channel's mean left out: the active speech level of ITU-T P.56, with a
    detector's spans in place of its threshold. `speech` in samples of `frames`. Raises CannotDistort where nobody speaks."""
    spoken = frames[_inside(speech, len(frames))]
    power = float(np.square(spoken - frames.mean(axis=0, dtype=np.float64)).mean()) if len(spoken) else 0.0
    if not power:
        raise CannotDistort("no speech is found in it, so there is no speech level to go by")
    return power


def add_noise(frames: Frames, noise: Samples, speech: Sequence[Span], snr_db: float) -> Frames:
    """With `noise`, as long as the frames and the same in every channel, so loud that the ratio of active speech power (see
    `active_power`) to its mean power is `snr_db`. Turned down as a whole where the sum would not fit into full scale.

    Raises CannotDistort for no speech and ValueError for silent noise.
    """
    speech_power, noise_power = active_power(frames, speech), float(np.square(noise, dtype=np.float64).mean())
    if not noise_power:
        raise ValueError("the noise is silent")
    gain = np.sqrt(speech_power / noise_power * 10.0 ** (-snr_db / 10.0))
    return _converted(_fitting(frames + (noise * np.float32(gain))[:, np.newaxis]))


def stretch_of(noise: Samples, length: int, generator: np.random.Generator) -> Samples:
    """`length` samples of `noise` from a place drawn, from its beginning again where it ends. Raises CannotDistort for a gap in the noise:
    a stretch more than 20 dB quieter than all of it."""
    start = int(generator.integers(len(noise)))
    stretch = np.resize(np.roll(noise, -start), length)
    if np.square(stretch, dtype=np.float64).mean() <= _QUIETEST_STRETCH * np.square(noise, dtype=np.float64).mean():
        raise CannotDistort("a gap in the noise")
    return stretch


def reverberate(frames: Frames, response: Samples) -> Frames:
    """As heard in a room of this impulse response, of the same rate.

    The direct sound (its largest sample) stays where it was, so word times hold; the response is brought to unit energy, so the level stays
    about the same; the tail after the last frame is cut off. Turned down as a whole where it would not fit into full scale. Raises
    ValueError for a silent response.
    """
    energy = float(np.square(response, dtype=np.float64).sum())
    if not energy:
        raise ValueError("the impulse response is silent")
    if not len(frames):
        return frames
    direct = int(np.argmax(np.abs(response)))
    unit = (response / np.sqrt(energy)).astype(np.float32)
    heard = fftconvolve(frames, unit[:, np.newaxis], axes=0)[direct : direct + len(frames)]
    return _converted(_fitting(heard.astype(np.float32)))


def overdrive(frames: Frames, speech: Sequence[Span], share: float) -> Frames:
    """So loud that `share` of the samples of speech (0 to 1) are at full scale, as in front of a microphone that is set too loud. Raises
    CannotDistort where nobody speaks, or in samples too quiet for 16 bits."""
    active_power(frames, speech)
    loudest = float(np.quantile(np.abs(frames[_inside(speech, len(frames))]), 1.0 - share))
    if loudest * INT16_SCALE < 1.0:
        raise CannotDistort("its speech is mostly digital silence")
    return _converted(frames / np.float32(loudest))


def lose_packets(frames: Frames, rate_hz: int, share: float, generator: np.random.Generator) -> Frames:
    """Packets of 20 ms are lost, `share` of them in the long run, and silence is in their place: a receiver that conceals nothing."""
    packet_samples = max(rate_hz * PACKET_MS // 1_000, 1)
    lost = losses(-(-len(frames) // packet_samples), share, generator)
    received = frames.copy()
    received[np.repeat(lost, packet_samples)[: len(frames)]] = 0.0
    return _converted(received)


def losses(packets: int, share: float, generator: np.random.Generator) -> NDArray[np.bool_]:
    """Which packets are lost, by Gilbert's model of a line that is good or bad (Bell System Technical Journal 39, 1960), every packet of a
    bad one lost: bursts of MEAN_BURST_PACKETS on average, `share` (0 to below 1) of all packets."""
    bad_to_good = 1.0 / MEAN_BURST_PACKETS
    good_to_bad = bad_to_good * share / (1.0 - share)
    lost = np.zeros(packets, np.bool_)
    bad = bool(generator.random() < share)
    for index, drawn in enumerate(generator.random(packets)):
        lost[index] = bad
        bad = bool(drawn >= bad_to_good if bad else drawn < good_to_bad)
    return lost


def _converted(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    return from_int16(to_int16(frames))


def _fitting(frames: Frames) -> Frames:
    """Turned down to full scale where it is louder."""
    return frames / max(float(np.abs(frames).max(initial=0.0)), 1.0)


def _inside(speech: Sequence[Span], length: int) -> NDArray[np.bool_]:
    inside = np.zeros(length, np.bool_)
    for span in speech:
        inside[span.start_sample : span.end_sample] = True
    return inside
