import base64
import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from asr_server.accuracy.manifest import Clip
from audio_norm import decode_file, to_int16, to_mono
from eval.page.audio import NoSound, Sound, embed, sound_of, total_bytes
from tests.recordings import recording


def decoded(sound: Sound) -> tuple[np.ndarray, int]:
    kind, data = sound.uri.split(",")
    assert kind == "data:audio/flac;base64"
    return decode_file(base64.b64decode(data))


@given(
    rate_hz=st.sampled_from([8_000, 16_000, 22_050, 44_100, 48_000]),
    channels=st.integers(1, 3),
    samples=st.integers(1, 5_000),
    seed=st.integers(0, 100),
)
def test_a_recording_comes_out_mono_at_its_own_rate_to_16_bits(rate_hz: int, channels: int, samples: int, seed: int) -> None:
    frames = np.random.default_rng(seed).uniform(-1.2, 1.2, (samples, channels)).astype(np.float32)
    sound = embed(frames, rate_hz)
    found, found_hz = decoded(sound)
    assert (found_hz, found.shape) == (rate_hz, (samples, 1))
    assert np.array_equal(to_int16(found[:, 0]), to_int16(to_mono(frames, None)))
    assert not sound.is_cut


def test_a_long_recording_is_cut_and_says_so() -> None:
    sound = embed(np.zeros((5 * 8_000, 1), np.float32), 8_000, longest_s=2.0)
    assert (sound.duration_s, sound.embedded_s, sound.is_cut) == (5.0, 2.0, True)
    assert len(decoded(sound)[0]) == 16_000


def test_the_size_is_what_the_page_grows_by() -> None:
    sound = embed(np.zeros((8_000, 1), np.float32), 8_000)
    assert total_bytes([sound, NoSound("none"), sound]) == 2 * len(sound.uri)


def test_a_file_is_read_by_whatever_reads_recordings() -> None:
    sound = sound_of(Clip("a", recording("counting"), "one two"), "one two")
    assert isinstance(sound, Sound)
    assert sound.duration_s == pytest.approx(soundfile.info(recording("counting")).duration)


def test_a_recording_that_cannot_be_had_is_a_reason(tmp_path: Path) -> None:
    noise = tmp_path / "noise.wav"
    noise.write_bytes(io.BytesIO(b"not audio at all").getvalue())
    reasons = [
        sound_of(None, "one"),
        sound_of(Clip("a", recording("counting"), "two"), "one"),
        sound_of(Clip("a", tmp_path / "none.wav", "one"), "one"),
        sound_of(Clip("a", noise, "one"), "one"),
    ]
    assert reasons[:3] == [
        NoSound("the manifest has no such clip any more"),
        NoSound("the manifest has another text for this clip than the run had"),
        NoSound("no such file: none.wav"),
    ]
    assert isinstance(reasons[3], NoSound)
    assert reasons[3].reason.startswith("noise.wav: ")
