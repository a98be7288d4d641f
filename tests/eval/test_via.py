"""Recognisers on real recordings: the engine's with a fake engine, the server's and faster-whisper's with real weights."""

import asyncio
import json
from pathlib import Path
from typing import Self

import numpy as np
import pytest
import soundfile

from asr_server.engine.engine import DecodeOptions, Decoding
from asr_server.errors import EngineFailed
from audio_norm import Normalized
from eval.__main__ import main
from eval.by_engine import WINDOW_S, EngineRecogniser, preparation
from eval.journal import journal_path
from eval.manifest import Clip
from eval.recognisers import Failed, Heard, Skipped
from tests.fake_engine import FakeEngine, said
from tests.recordings import recording

HELLO = recording("hello_world")


def hear(engine: FakeEngine, clip: Clip, definition: str = "v1") -> Heard:
    return asyncio.run(EngineRecogniser(engine, preparation(definition)).hear(clip))


class Asked:
    """An engine's answer that keeps what it was asked."""

    def __init__(self) -> None:
        self.audio: list[Normalized] = []
        self.options: list[DecodeOptions] = []

    def __call__(self, audio: Normalized, options: DecodeOptions) -> Decoding:
        self.audio.append(audio)
        self.options.append(options)
        return said(f"part {len(self.audio)}")


def test_the_engine_gets_the_clip_through_the_data_definition_and_in_its_language() -> None:
    asked = Asked()
    heard = hear(FakeEngine(asked), Clip("a", HELLO, "", language="en-GB"))
    assert heard.text == "part 1"
    assert (asked.audio[0].rate_hz, asked.audio[0].definition, asked.options[0].language) == (16_000, "v1", "en")
    assert heard.given_lufs == pytest.approx(-23.0, abs=0.1)
    assert heard.given_s == pytest.approx(asked.audio[0].duration_s)


def test_without_a_data_definition_the_engine_gets_all_of_it_as_loud_as_it_is() -> None:
    asked = Asked()
    heard = hear(FakeEngine(asked), Clip("a", HELLO, ""), "none")
    samples, rate_hz = soundfile.read(HELLO)
    assert heard.given_s == pytest.approx(len(samples) / rate_hz, abs=0.001)
    assert (asked.audio[0].definition, asked.audio[0].gain_db) == ("none", 0.0)
    assert float(np.abs(asked.audio[0].samples).max()) == pytest.approx(float(np.abs(samples).max()), rel=0.05)


def test_silence_is_heard_as_nothing_without_asking_the_engine(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros(16_000), 16_000)
    asked = Asked()
    assert hear(FakeEngine(asked), Clip("a", tmp_path / "silence.wav", "")) == Heard((), 0.0, None)
    assert not asked.audio


@pytest.mark.parametrize("definition", ["v1", "none"])
def test_a_clip_longer_than_a_window_is_heard_in_parts_in_order(definition: str, tmp_path: Path) -> None:
    samples, rate_hz = soundfile.read(HELLO)
    again = np.tile(np.concatenate([samples, np.zeros(rate_hz)]), 20)
    soundfile.write(tmp_path / "long.wav", again, rate_hz)
    asked = Asked()
    heard = hear(FakeEngine(asked), Clip("a", tmp_path / "long.wav", ""), definition)
    assert len(asked.audio) > 1
    assert all(audio.duration_s <= WINDOW_S for audio in asked.audio)
    assert heard.text == " ".join(f"part {number}" for number in range(1, len(asked.audio) + 1))
    assert all(one.end_s <= two.start_s for one, two in zip(heard.segments, heard.segments[1:], strict=False))


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


def test_an_interrupted_run_goes_on_where_it_stopped_and_gives_the_same_result(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The journal of a whole run, cut in the middle of its second clip, as a kill at that moment leaves it."""
    rows = [{"id": name, "audio": str(recording(name)), "text": name.replace("_", " ")} for name in ("hello_world", "counting")]
    manifest.write_text("\n".join(json.dumps(row) for row in rows))
    out = manifest.parent / "o.json"
    arguments = ["run", "--manifest", str(manifest), "--model", "tiny.en", "--json", str(out), "--jobs", "1"]
    with Spy(journal_path(out)) as kept:
        assert main(arguments) == 0
    whole = out.read_bytes()
    assert not journal_path(out).exists()

    lines = kept.text.splitlines(keepends=True)
    journal_path(out).write_text("".join(lines[:2]) + lines[2][:40])
    out.unlink()
    capsys.readouterr()
    assert main(arguments) == 0
    assert out.read_bytes() == whole
    assert "1 clips were heard already" in capsys.readouterr().err

    journal_path(out).write_text("".join(lines))
    assert main([*arguments, "--beam-size", "1"]) == 0
    assert "another recogniser, other options or another manifest: starting anew" in capsys.readouterr().err


class Spy:
    """A second name for a file, so that its text is still there when it has been removed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept = path.with_suffix(".kept")
        self.text = ""

    def __enter__(self) -> Self:
        self._path.touch()
        self._kept.hardlink_to(self._path)
        return self

    def __exit__(self, *_: object) -> None:
        self.text = self._kept.read_text()
