"""v1 on the larger collection of real speech and noise: what the README says of it holds."""

from pathlib import Path

import pytest

from asr_server.accuracy.manifest import Clip, read_manifest
from audio_norm import decode_file, load_definition
from eval.vad import SPEECH_IN_NOISE

V1 = load_definition("v1")

pytestmark = pytest.mark.shared_data


def speech_s(clip: Clip) -> float:
    frames, rate_hz = decode_file(clip.audio.read_bytes())
    return sum(map(len, V1.whole_window(frames, rate_hz).speech)) / V1.audio.rate_hz


def seconds(clip: Clip) -> float:
    frames, rate_hz = decode_file(clip.audio.read_bytes())
    return len(frames) / rate_hz


def test_noise_is_speech_for_less_than_a_second_a_minute(shared_data: Path) -> None:
    clips = [clip for clip in read_manifest(shared_data / "noise" / "manifest.jsonl") if clip.id not in SPEECH_IN_NOISE]
    assert sum(map(speech_s, clips)) / (sum(map(seconds, clips)) / 60) < 1.0


@pytest.mark.parametrize("name", ["telephony_asterisk_en", "librispeech_aligned", "vctk_demand_noisy"])
def test_running_speech_is_heard_in_every_clip(name: str, shared_data: Path) -> None:
    clips = read_manifest(shared_data / "dev" / name / "manifest.jsonl")
    assert [clip.id for clip in clips if speech_s(clip) < 0.3 * seconds(clip)] == []
