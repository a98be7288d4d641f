import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from asr_server.accuracy.manifest import Clip, ManifestError, read_manifest
from audio_norm import Inspection, load_definition
from eval.labels.audio import Listened, audio_checks, declared_rates_hz, listen
from eval.labels.findings import Check
from tests.recordings import recording

DEFINITION = load_definition("v1")
GOOD = listen(Clip("it", recording("quick_brown_fox"), "The quick brown fox jumps over the lazy dog."), DEFINITION)


def with_audio(**changes: Any) -> Listened:
    return replace(GOOD, audio=replace(GOOD.audio, **changes))


def with_clip(**changes: Any) -> Listened:
    return replace(GOOD, clip=replace(GOOD.clip, **changes))


def found(one: Listened, rates_hz: dict[str, int] | None = None) -> dict[str, str]:
    """What was found, by check; silences left out, which most recordings have."""
    checks = audio_checks([one], DEFINITION, rates_hz or {})
    return {check.name: check.findings[0].detail for check in checks if check.findings and not check.name.startswith("silence")}


def test_nothing_is_found_about_a_good_recording() -> None:
    assert found(GOOD) == {}


@pytest.mark.parametrize(
    ("one", "check", "detail"),
    [
        (with_audio(speech_ratio=0.0), "text without speech", "without speech, text: The quick"),
        (with_clip(text=" "), "speech without text", "s of speech and no text"),
        (with_clip(duration_s=99.0), "declared duration wrong", "the manifest says 99.00 s, the file has"),
        (with_clip(text="yes sir"), "speech rate implausible", "letters a second of speech: 6 in"),
        (with_clip(text="the fox " * 40), "speech rate implausible", "letters a second of speech"),
        (with_clip(text="1234567890 " * 5), "speech rate implausible", "200 in"),
        (with_clip(text="\u4f60\u597d" * 40, language="zh-CN"), "speech rate implausible", "80 in"),
        (with_audio(clipped_ratio=0.01), "clipped", "1.00% of the samples at full scale"),
        (with_audio(rejected="too_short"), "rejected by the definition", "rejected: too_short"),
        (with_audio(duration_s=31.0, speech_ratio=0.1), "longer than 30 s", "31.0 s"),
        (with_audio(loudness_before_lufs=-40.0), "over 12 dB from the target loudness", "-40.0 LUFS, the target is -23"),
    ],
)
def test_what_is_wrong_is_found(one: Listened, check: str, detail: str) -> None:
    details = found(one)
    assert list(details) == [check]
    assert detail in details[check]


def test_a_declared_rate_that_is_not_the_files_is_found() -> None:
    rate_hz = GOOD.audio.rate_hz
    assert found(GOOD, {"it": rate_hz}) == {}
    assert found(GOOD, {"it": 8_001}) == {"declared sample rate wrong": f"the manifest says 8001 Hz, the file has {rate_hz} Hz"}


@pytest.mark.parametrize(
    "one",
    [
        with_clip(text="", duration_s=None),
        with_clip(duration_s=GOOD.audio.duration_s + 0.04),
        with_audio(speech_ratio=0.01),
        with_clip(text="x"),
        with_audio(loudness_before_lufs=None),
    ],
)
def test_what_says_nothing_is_not_held_against_a_clip(one: Listened) -> None:
    details = found(one)
    assert not {"declared duration wrong", "speech rate implausible", "over 12 dB from the target loudness"} & set(details)


def silence(audio: Inspection) -> list[Check]:
    return [check for check in audio_checks([replace(GOOD, audio=audio)], DEFINITION, {}) if check.name.startswith("silence")]


def test_silence_longer_than_the_definition_keeps_is_told() -> None:
    before, after = silence(replace(GOOD.audio, leading_silence_s=0.251, trailing_silence_s=0.25))
    assert [finding.detail for finding in before.findings] == ["0.25 s of silence, 0.25 s are kept"]
    assert (before.severity, after.findings) == ("note", ())


def test_what_a_manifest_declares_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    rows = [
        {"audio": "a.wav", "text": "", "sample_rate": 8_000},
        {"audio": "a.wav", "text": "", "id": "b", "sample_rate_hz": 16_000},
        {"audio_filepath": "a.wav", "text": "", "id": "c", "sample_rate": "8k"},
        {"audio": "a.wav", "text": "", "id": "d"},
    ]
    (tmp_path / "m.jsonl").write_text("\n\n".join(map(json.dumps, rows)))
    assert len(read_manifest(tmp_path / "m.jsonl")) == 4
    assert declared_rates_hz(tmp_path / "m.jsonl") == {"a.wav": 8_000, "b": 16_000}


def test_listening_measures_and_recognises(tmp_path: Path) -> None:
    assert GOOD.audio.definition == "v1"
    assert GOOD.sound.duration_s == GOOD.audio.duration_s
    assert 0 < GOOD.speech_s < GOOD.audio.duration_s
    (tmp_path / "no.wav").write_bytes(b"no audio")
    with pytest.raises(ManifestError, match=r"no\.wav"):
        listen(Clip("no", tmp_path / "no.wav", ""), DEFINITION)
