"""One recording in several files, made of the short recordings that every test may use."""

import io

import numpy as np
import pytest
import soundfile

from audio_norm import Frames, decode_file, to_int16
from eval.labels.sounds import Same, same_sounds, sound_of
from tests.recordings import recording

FOX = decode_file(recording("quick_brown_fox").read_bytes())
COUNTING = decode_file(recording("counting").read_bytes())


def found(*recordings: tuple[Frames, int]) -> list[Same]:
    return same_sounds([sound_of(*one) for one in recordings], lambda place: recordings[place])


def through(container: str, subtype: str | None = None) -> tuple[Frames, int]:
    buffer = io.BytesIO()
    soundfile.write(buffer, to_int16(FOX[0]), FOX[1], format=container, subtype=subtype)
    return decode_file(buffer.getvalue())


@pytest.mark.parametrize("container", ["FLAC", "WAV", "AIFF"])
def test_another_container_is_the_same_sample_by_sample(container: str) -> None:
    assert found(FOX, COUNTING, through(container)) == [Same((0, 2), "sample by sample")]


def test_two_channels_that_are_alike_are_the_one() -> None:
    assert found(FOX, (np.repeat(FOX[0], 2, axis=1), FOX[1])) == [Same((0, 1), "sample by sample")]


@pytest.mark.parametrize("gain", [0.05, 0.5, -1.0])
def test_another_level_is_told(gain: float) -> None:
    assert found(FOX, COUNTING, ((FOX[0] * np.float32(gain)).astype(np.float32), FOX[1])) == [Same((0, 2), "but for level or codec")]


@pytest.mark.parametrize(("container", "subtype"), [("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", None), ("WAV", "ULAW")])
def test_another_codec_is_told(container: str, subtype: str | None) -> None:
    assert found(through(container, subtype), COUNTING, FOX) == [Same((0, 2), "but for level or codec")]


def test_different_recordings_and_noises_are_not_alike() -> None:
    generator = np.random.default_rng(0)
    noises = [(generator.normal(0, 0.1, (16_000, 1)).astype(np.float32), 16_000) for _ in range(3)]
    others = [decode_file(recording(name).read_bytes()) for name in ("hello_world", "counting")]
    assert found(FOX, *noises, *others) == []


def test_silence_is_like_nothing() -> None:
    silence = (np.zeros((16_000, 1), np.float32), 16_000)
    assert found(silence, silence) == []


def test_nothing_and_very_short_audio_are_taken() -> None:
    assert found() == []
    assert found((np.ones((3, 1), np.float32), 16_000), (np.zeros((0, 1), np.float32), 16_000)) == []
