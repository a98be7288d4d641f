import json
import sys
from pathlib import Path
from subprocess import run

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner, Result

from audio_norm import integrated_lufs, load_definition
from audio_norm.cli import app
from tests.audio_norm.samples import RATE_HZ, noise, speech


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.wav"
    soundfile.write(path, np.concatenate([np.zeros(32_000), speech(), np.zeros(32_000)]), RATE_HZ)
    return path


@pytest.fixture
def hiss(tmp_path: Path) -> Path:
    path = tmp_path / "hiss.wav"
    soundfile.write(path, noise(2.0), RATE_HZ)
    return path


@pytest.mark.parametrize("suffix", ["flac", "wav", "WAV"])
def test_apply_writes_16_bit_16_khz_mono(clip: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"out.{suffix}"
    result = call("apply", clip, out)
    assert result.exit_code == 0, result.output
    info = soundfile.info(out)
    assert (info.samplerate, info.channels, info.subtype, info.format) == (RATE_HZ, 1, "PCM_16", suffix.upper())
    samples, _ = soundfile.read(out, dtype="float32")
    assert integrated_lufs(samples, RATE_HZ) == pytest.approx(load_definition("v1").loudness.target_lufs, abs=0.05)
    assert "definition v1" in result.stdout


def test_apply_as_json_says_what_was_done(clip: Path, tmp_path: Path) -> None:
    result = call("apply", clip, tmp_path / "out.flac", "--json")
    said = json.loads(result.stdout)
    assert said["definition"] == "v1"
    assert said["digest"] == load_definition("v1").digest
    assert said["duration_s"] == pytest.approx(sum(end - start for start, end in said["kept_s"]), abs=0.001)


def test_apply_of_a_rejected_file_writes_nothing_and_fails(hiss: Path, tmp_path: Path) -> None:
    result = call("apply", hiss, tmp_path / "out.wav")
    assert result.exit_code == 1
    assert result.stderr == f"{hiss}: rejected by v1: no_speech; nothing was written\n"
    assert not (tmp_path / "out.wav").exists()


def test_apply_refuses_an_output_it_cannot_write(clip: Path, tmp_path: Path) -> None:
    assert call("apply", clip, tmp_path / "out.mp3").exit_code == 2
    result = call("apply", clip, tmp_path / "nowhere" / "out.wav")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"{clip}: cannot write {tmp_path / 'nowhere' / 'out.wav'}")


def test_inspect_prints_one_line_a_file(clip: Path, hiss: Path) -> None:
    result = call("inspect", clip, hiss)
    assert result.exit_code == 0, result.output
    header, first, second = result.stdout.splitlines()
    assert header.split()[0] == "file"
    assert first.split()[0] == str(clip)
    assert first.split()[-1] == "-"
    assert second.split()[-1] == "no_speech"
    assert first.index(first.split()[1]) + len(first.split()[1]) == header.index("dur s") + len("dur s")


def test_inspect_as_json_prints_one_object_a_line(clip: Path, hiss: Path) -> None:
    lines = [json.loads(line) for line in call("inspect", clip, hiss, "--json").stdout.splitlines()]
    assert [line["file"] for line in lines] == [str(clip), str(hiss)]
    assert [line["rejected"] for line in lines] == [None, "no_speech"]
    assert lines[0]["loudness_after_lufs"] == pytest.approx(-23.0, abs=0.05)


def test_a_bad_file_is_one_line_on_stderr_and_the_others_are_still_measured(clip: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.flac"
    broken.write_bytes(b"fLaC nothing of the kind")
    missing = tmp_path / "missing.wav"
    result = call("inspect", broken, missing, clip, "--json")
    assert result.exit_code == 1
    assert [json.loads(line)["file"] for line in result.stdout.splitlines()] == [str(clip)]
    complaints = result.stderr.splitlines()
    assert [line.split(":")[0] for line in complaints] == [str(broken), str(missing)]
    assert complaints[1] == f"{missing}: No such file or directory"


def test_a_channel_that_a_file_does_not_have_is_that_files_error(clip: Path) -> None:
    result = call("inspect", clip, "--channel", 2)
    assert result.exit_code == 1
    assert "no channel 2" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [("inspect",), ("apply", "only-one"), ("shrink", "x"), ("inspect", "x", "--definition", "v9"), ("inspect", "x", "--channel", "0")],
)
def test_a_wrong_call_is_exit_code_2(arguments: tuple[str, ...]) -> None:
    result = call(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""


def test_it_runs_as_a_module(clip: Path) -> None:
    result = run([sys.executable, "-m", "audio_norm", "inspect", str(clip), "--json"], capture_output=True, text=True, check=True)
    assert json.loads(result.stdout)["rejected"] is None
    assert result.stderr == ""
