"""Which conditions there are, what is around speech in them, and that chance repeats itself."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.signal import fftconvolve

from asr_server.errors import WrongCall
from audio_norm import Pcm, Samples, Span
from eval.robustness.conditions import (
    CONDITIONS,
    FAMILIES,
    Condition,
    LeftOut,
    Recording,
    Sound,
    Surroundings,
    conditions_of,
    distorted,
    read_surroundings,
    sound_around,
)
from eval.robustness.distort import CannotDistort
from tests.audio_norm.samples import RATE_HZ, noise, speech

FAN, HUM = Sound("fan", Pcm(noise(2.0), RATE_HZ)), Sound("hum", Pcm(noise(0.7, seed=5)[:5_000], 8_000))
ROOM = Sound("room", Pcm(np.concatenate([[1.0], noise(0.1, rms=0.05)]).astype(np.float32), RATE_HZ))
SURROUNDINGS = Surroundings((FAN, HUM), (ROOM,))
REVERBERATION = Condition("reverberation")


def recording(name: str = "counting") -> Recording:
    spoken = speech(name)
    return Recording(name, spoken[:, np.newaxis] * np.float32(0.1), RATE_HZ, (Span(0, len(spoken)),))


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda condition: condition.name)
def test_every_condition_changes_speech_and_does_it_again_the_same_way(condition: Condition) -> None:
    spoken = recording()
    heard = distorted(spoken, condition, SURROUNDINGS)
    assert heard.shape == spoken.frames.shape
    assert np.isfinite(heard).all()
    assert float(np.abs(heard - spoken.frames).max()) > 0.001
    assert np.array_equal(heard, distorted(spoken, condition, SURROUNDINGS))


def test_every_condition_has_a_name_of_its_own_and_every_family_has_conditions() -> None:
    assert len({condition.name for condition in CONDITIONS}) == len(CONDITIONS)
    assert {condition.family for condition in CONDITIONS} == set(FAMILIES)
    assert [Condition("level", -30).name, Condition("level", 10).name, Condition("noise", 5).name, Condition("telephone").name] == [
        "level -30 dB",
        "level +10 dB",
        "noise 5 dB SNR",
        "telephone",
    ]


def test_more_noise_is_the_same_noise_only_louder() -> None:
    spoken = recording()
    quiet, loud = (distorted(spoken, Condition("noise", snr_db), SURROUNDINGS) - spoken.frames for snr_db in (20, 10))
    assert float(np.corrcoef(quiet[:, 0], loud[:, 0])[0, 1]) > 0.99
    assert float(np.square(loud).mean() / np.square(quiet).mean()) == pytest.approx(10.0, rel=0.02)


def test_another_recording_or_another_seed_draws_other_chances() -> None:
    one = recording()
    other = Recording("another", one.frames, one.rate_hz, one.speech)
    for condition in (Condition("noise", 0), Condition("packet-loss", 10)):
        heard = distorted(one, condition, SURROUNDINGS)
        assert not np.array_equal(heard, distorted(other, condition, SURROUNDINGS))
        assert not np.array_equal(heard, distorted(one, condition, SURROUNDINGS, seed=1))


def test_all_noises_are_drawn() -> None:
    up, down = (Sound(name, Pcm(np.full(99, value, np.float32), RATE_HZ)) for name, value in (("up", 0.5), ("down", -0.5)))
    spoken = np.resize(np.array([0.1, -0.1], np.float32), (400, 1))
    around = Surroundings((up, down))
    heard = [distorted(Recording(str(one), spoken, RATE_HZ, (Span(0, 400),)), Condition("noise", 0), around) for one in range(20)]
    assert {bool(frames.mean() > 0) for frames in heard} == {True, False}


def test_the_noise_or_room_that_is_told_is_the_one_that_is_heard() -> None:
    """With that one alone around them, recordings are heard the same way."""
    noises, rooms = (FAN, Sound("drill", Pcm(noise(2.0, seed=9), RATE_HZ))), (ROOM, Sound("hall", Pcm(noise(0.2, seed=4), RATE_HZ)))
    around = Surroundings(noises, rooms)
    told = set[str]()
    for number in range(8):
        one = Recording(str(number), recording().frames, RATE_HZ, recording().speech)
        room = sound_around(one, "reverberation", around)
        alone = Surroundings((), tuple(sound for sound in rooms if sound.id == room))
        assert np.array_equal(distorted(one, REVERBERATION, around), distorted(one, REVERBERATION, alone))
        added = distorted(one, Condition("noise", 0), around) - one.frames
        (loudest,) = (sound.id for sound in noises if sound.id == sound_around(one, "noise", around))
        assert likest(added[:, 0], noises) == loudest
        told |= {str(room), loudest}
    assert told == {"fan", "drill", "room", "hall"}
    assert sound_around(recording(), "telephone", around) is None


def likest(samples: Samples, sounds: Sequence[Sound]) -> str:
    """Id of the sound that the samples correlate with most, at any shift."""
    return max(sounds, key=lambda sound: float(np.abs(fftconvolve(samples, sound.audio.samples[::-1])).max())).id


def test_a_noise_with_a_gap_is_not_told_as_the_one_that_is_heard() -> None:
    slam = np.zeros(RATE_HZ * 60, np.float32)
    slam[:200] = 0.5
    around = Surroundings((Sound("slam", Pcm(slam, RATE_HZ)), FAN))
    assert {sound_around(Recording(str(number), recording().frames, RATE_HZ, ()), "noise", around) for number in range(8)} == {"fan"}


def test_a_sound_comes_at_the_rate_of_the_recording() -> None:
    assert len(HUM.at(16_000)) == 2 * len(HUM.audio)


def test_a_noise_that_has_a_gap_where_it_would_be_cut_out_gives_way_to_another() -> None:
    slam = np.zeros(RATE_HZ * 60, np.float32)
    slam[:200] = 0.5
    spoken = recording()
    around = Surroundings((Sound("slam", Pcm(slam, RATE_HZ)), FAN))
    assert float(np.abs(distorted(spoken, Condition("noise", 0), around) - spoken.frames).mean()) > 0.001
    with pytest.raises(CannotDistort, match="no noise is without a gap"):
        distorted(spoken, Condition("noise", 0), Surroundings(around.noises[:1]))


def test_an_empty_recording_cannot_be_distorted() -> None:
    with pytest.raises(CannotDistort, match="empty"):
        distorted(Recording("a", np.zeros((0, 1), np.float32), RATE_HZ, ()), Condition("noise", 0), SURROUNDINGS)


def test_all_possible_conditions_are_taken_unless_some_are_named() -> None:
    assert conditions_of([], SURROUNDINGS) == list(CONDITIONS)
    assert {condition.family for condition in conditions_of([], None)} == {"level", "telephone", "clipping", "packet-loss"}
    assert conditions_of(["telephone", "level"], None) == [*CONDITIONS[:4], Condition("telephone")]
    assert [condition.name for condition in conditions_of(["reverberation"], Surroundings((), (ROOM,)))] == ["reverberation"]


@pytest.mark.parametrize(
    ("families", "around", "message"),
    [
        (["rain"], SURROUNDINGS, "no such conditions: rain; there are level, telephone"),
        (["noise", "level"], None, "noise cannot be without --noise"),
        (["reverberation", "noise"], None, "noise and reverberation cannot be without --noise"),
        (["level"], SURROUNDINGS, "--noise goes with --conditions noise or reverberation"),
        ([], Surroundings((), (ROOM,)), "there is no noise in it"),
        (["noise", "reverberation"], Surroundings((FAN,), ()), "there is no room impulse response in it"),
    ],
)
def test_conditions_that_cannot_be_are_wrong_calls(families: list[str], around: Surroundings | None, message: str) -> None:
    with pytest.raises(WrongCall, match=message):
        conditions_of(families, around)


@pytest.fixture
def noises(tmp_path: Path) -> Path:
    """A manifest with some of everything."""
    two_channels = np.stack([noise(0.1), noise(0.1, rms=0.1, seed=2)], axis=1)
    rows: list[tuple[str, list[str], str]] = [
        ("fan", ["noise-machine"], ""),
        ("speech_commands_tap", ["noise-kitchen"], ""),
        ("flat", ["noise"], ""),
        ("room", ["room-impulse-response"], ""),
        ("crowd", ["noise-babble"], ""),
        ("gate", ["noise-speech-like-pa"], ""),
        ("quiet", ["silence-or-room-tone"], ""),
        ("talk", [], "hello"),
        ("radio", ["music"], ""),
    ]
    for name, _, _ in rows:
        sound = np.zeros(800) if name == "flat" else two_channels
        soundfile.write(tmp_path / f"{name}.wav", sound, RATE_HZ, subtype="FLOAT")
    lines = [json.dumps({"id": name, "audio": f"{name}.wav", "text": text, "conditions": told}) for name, told, text in rows]
    manifest = tmp_path / "noise.jsonl"
    manifest.write_text("\n".join(lines))
    return manifest


def test_noises_and_rooms_are_told_apart_and_what_is_left_out_says_why(noises: Path) -> None:
    around = read_surroundings(noises, ["radio"])
    assert [sound.id for sound in around.noises] == ["fan", "speech_commands_tap"]
    assert [sound.id for sound in around.responses] == ["room"]
    assert around.left_out == (
        LeftOut("flat", "digital silence"),
        LeftOut("crowd", "its conditions say 'noise-babble'"),
        LeftOut("gate", "its conditions say 'noise-speech-like-pa'"),
        LeftOut("quiet", "its conditions say 'silence-or-room-tone'"),
        LeftOut("talk", "has a text"),
        LeftOut("radio", "excluded"),
    )


def test_of_several_channels_a_noise_is_the_mean_and_a_room_the_first(noises: Path) -> None:
    around = read_surroundings(noises)
    assert np.array_equal(around.responses[0].audio.samples, noise(0.1))
    assert np.allclose(around.noises[0].audio.samples, (noise(0.1) + noise(0.1, rms=0.1, seed=2)) / 2, atol=1e-7)


def test_an_id_that_is_not_there_cannot_be_excluded(noises: Path) -> None:
    with pytest.raises(WrongCall, match="--exclude: no such id: rain"):
        read_surroundings(noises, ["rain"])
