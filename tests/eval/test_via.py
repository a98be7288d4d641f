"""Recognisers on real recordings: the engine's with a fake engine, the server's and faster-whisper's with real weights."""

import asyncio
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr_server.engine.engine import DecodeOptions, Decoding
from asr_server.errors import EngineFailed
from audio_norm import Normalized, load_definition
from eval.__main__ import main
from eval.manifest import Clip
from eval.recognisers import Failed, Skipped
from eval.via import ENGINE_MAX_S, EngineRecogniser
from tests.fake_engine import FakeEngine, said
from tests.recordings import recording

HELLO = recording("hello_world")


def hear(engine: FakeEngine, clip: Clip) -> str:
    return asyncio.run(EngineRecogniser(engine, load_definition("v1")).hear(clip))


def test_the_engine_gets_the_clip_through_the_data_definition_and_in_its_language() -> None:
    asked: list[tuple[Normalized, DecodeOptions]] = []

    def answer(audio: Normalized, options: DecodeOptions) -> Decoding:
        asked.append((audio, options))
        return said("Hello world.")

    assert hear(FakeEngine(answer), Clip("a", HELLO, "", language="en-GB")) == "Hello world."
    ((audio, options),) = asked
    assert (audio.rate_hz, audio.definition, options.language) == (16_000, "v1", "en")


def test_silence_is_heard_as_nothing_without_asking_the_engine(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros(16_000), 16_000)
    assert hear(FakeEngine(), Clip("a", tmp_path / "silence.wav", "")) == ""


def test_a_clip_longer_than_a_window_is_skipped_and_says_how_to_hear_it(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "long.wav", np.zeros(int((ENGINE_MAX_S + 1) * 8_000)), 8_000)
    with pytest.raises(Skipped, match=r"29\.0 s long, .* use --via server"):
        hear(FakeEngine(), Clip("a", tmp_path / "long.wav", ""))


def test_a_clip_in_a_language_the_model_does_not_speak_is_skipped() -> None:
    with pytest.raises(Skipped, match="does not speak 'de'"):
        hear(FakeEngine(), Clip("a", HELLO, "", language="de-AT"))


def test_a_clip_that_is_not_audio_and_an_engine_that_breaks_are_failures(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"not audio")
    with pytest.raises(Failed):
        hear(FakeEngine(), Clip("a", tmp_path / "a.wav", ""))

    def broken(_audio: Normalized, _options: DecodeOptions) -> Decoding:
        raise EngineFailed("out of memory")

    with pytest.raises(Failed, match="out of memory"):
        hear(FakeEngine(broken), Clip("a", HELLO, ""))


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    rows = [
        {"id": "hello", "audio": str(HELLO), "text": "Hello world."},
        {"id": "hallo", "audio": str(HELLO), "text": "", "language": "de"},
    ]
    path = tmp_path / "m.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def test_a_server_is_heard_from_beginning_to_end(manifest: Path, server_address: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = manifest.parent / "o.json"
    arguments = ["run", "--manifest", str(manifest), "--via", "server", "--server", server_address, "--json", str(out)]
    assert main(arguments) == 0
    result = json.loads(out.read_text())
    assert (result["wer"], result["words"], result["system"]["release"]["model"]) == (0.0, 2, "tiny.en")
    assert result["system"]["data_definition"].startswith("v1 ")
    assert [one["id"] for one in result["skipped"]] == ["hallo"]
    assert "skipped hallo: the server's model does not speak 'de'" in capsys.readouterr().err


def test_faster_whisper_is_the_baseline(manifest: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.json"
    arguments = ["run", "--manifest", str(manifest), "--via", "faster-whisper", "--model", "tiny.en", "--json", str(out)]
    assert main(arguments) == 0
    result = json.loads(out.read_text())
    assert (result["wer"], result["words"]) == (0.0, 2)
    assert result["system"]["code"].startswith("faster-whisper ")
