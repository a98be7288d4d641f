"""`asr-server profile`, and a server that watches against one: real weights, real speech."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from asr_server.api.client import Client
from asr_server.cli import app
from asr_server.errors import BadSettings, WrongCall
from asr_server.profile.build import recordings_of
from asr_server.watch.drift.reference import Origin, Reference, read_reference
from tests.recordings import recording

run = CliRunner().invoke


ORIGIN = Origin("v1", "tiny.en", "ab" * 32, "test")


def profile(seed: int, origin: Origin = ORIGIN) -> Reference:
    made, draw = Reference(origin), np.random.default_rng(seed)
    for _ in range(100):
        made.add({"snr_db": draw.normal(20, 3)})
    return made


def test_a_profile_of_recordings_tells_what_they_are_like(tmp_path: Path) -> None:
    manifest = tmp_path / "m.jsonl"
    manifest.write_text("".join(json.dumps({"audio": str(recording(name))}) + "\n" for name in ("quick_brown_fox", "hello_world")))
    out = ["--model", "tiny.en", "--out", str(tmp_path / "p.json")]
    made = run(app, ["profile", "build", str(recording("counting")), "--manifest", str(manifest), *out])
    assert made.exit_code == 0, made.output
    read = read_reference(tmp_path / "p.json")
    assert (read.origin.model, read.origin.data_definition) == ("tiny.en", "v1")
    assert read.segments >= 3
    assert {"loudness_lufs", "snr_db", "bandwidth_hz", "words_per_s", "log_probability", "empty"} <= set(read.features)
    shown = run(app, ["profile", "show", str(tmp_path / "p.json"), "--json"])
    told = json.loads(shown.output)
    assert told["segments"] == read.segments
    assert -60 < told["features"]["loudness_lufs"]["p50"] < 0
    assert "loudness_lufs" in run(app, ["profile", "show", str(tmp_path / "p.json")]).output


def test_profiles_of_replicas_are_merged_and_those_of_other_systems_refused(tmp_path: Path) -> None:
    one, other, foreign = (tmp_path / name for name in ("one.json", "other.json", "foreign.json"))
    profile(1).write(one)
    profile(2).write(other)
    profile(3, replace(ORIGIN, data_definition="v2")).write(foreign)
    assert run(app, ["profile", "merge", str(one), str(other), "--out", str(tmp_path / "all.json")]).exit_code == 0
    assert read_reference(tmp_path / "all.json").segments == 200
    failed = run(app, ["profile", "merge", str(one), str(foreign), "--out", str(tmp_path / "all.json")])
    assert isinstance(failed.exception, WrongCall)
    assert str(failed.exception).startswith(f"{foreign}: a profile of tiny.en (abababababab) with data definition v2 cannot be merged")


@pytest.mark.parametrize("line", ["{", "[]", '{"text": "no audio"}', '"a string"'])
def test_a_line_that_names_no_audio_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.wav").touch()
    (tmp_path / "m.jsonl").write_text(f'{{"audio_filepath": "a.wav"}}\n\n{line}\n')
    with pytest.raises(WrongCall, match=r"m\.jsonl:3: "):
        recordings_of(tmp_path / "m.jsonl")


@pytest.mark.parametrize(("arguments", "message"), [((), "no recording was named"), (("nowhere.wav",), "there is no nowhere.wav")])
def test_without_recordings_nothing_is_started(tmp_path: Path, arguments: Sequence[str], message: str) -> None:
    failed = run(app, ["profile", "build", *arguments, "--out", str(tmp_path / "p.json")])
    assert isinstance(failed.exception, WrongCall)
    assert str(failed.exception) == message


def test_a_profile_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    profile(1).write(tmp_path / "one.json")
    failed = run(app, ["profile", "merge", str(tmp_path / "one.json"), "--out", str(tmp_path / "no" / "p.json")])
    assert isinstance(failed.exception, BadSettings)
    assert str(failed.exception) == f"cannot write {tmp_path / 'no' / 'p.json'}: No such file or directory"


@asynccontextmanager
async def serving(config: Path) -> AsyncIterator[tuple[str, asyncio.Future[str]]]:
    """Its address, and what it logged, once it has been stopped."""
    command = [sys.executable, "-m", "asr_server", "serve", "--port", "0", "--model", "tiny.en", "--config", str(config)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    logged: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    assert process.stdout is not None
    address = (await process.stdout.readline()).decode().removeprefix("ready ").strip()
    try:
        yield address, logged
    finally:
        process.send_signal(signal.SIGTERM)
        _, err = await process.communicate()
        logged.set_result(err.decode())
        assert process.returncode == 0


async def heard(address: str, clips: Sequence[Path], times: int) -> None:
    async with Client(address) as client:
        for _ in range(times):
            for clip in clips:
                async for _ in client.stream_file(clip):
                    pass


async def test_a_server_gathers_what_is_normal_and_tells_when_callers_have_become_20_db_softer(tmp_path: Path) -> None:
    clips = [recording(name) for name in ("quick_brown_fox", "hello_world")]
    softer = []
    for clip in clips:
        samples, rate_hz = soundfile.read(clip)
        softer.append(tmp_path / f"soft_{clip.stem}.wav")
        soundfile.write(softer[-1], samples * 0.1, rate_hz)
    gathering, watching = tmp_path / "gather.yaml", tmp_path / "watch.yaml"
    gathering.write_text(f"telemetry: {{gather: {tmp_path / 'normal.json'}}}")
    watching.write_text(f"telemetry: {{reference: {tmp_path / 'normal.json'}}}")

    async with serving(gathering) as (address, _):
        await heard(address, clips, times=10)
    assert read_reference(tmp_path / "normal.json").segments >= 20
    async with serving(watching) as (address, logged):
        await heard(address, clips, times=6)
        await heard(address, softer, times=8)
    lines = [line for line in (await logged).splitlines() if "has changed" in line]
    assert any("loudness_lufs of all segments has changed" in line for line in lines)
    assert not any("words_per_s" in line for line in lines), "what was said is the same"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("reference: nowhere.json", "cannot read the reference profile nowhere.json: No such file or directory"),
        ("gather: nowhere/p.json", "telemetry.gather: there is no folder nowhere"),
    ],
)
async def test_what_cannot_be_read_or_written_is_told_before_anything_is_loaded(tmp_path: Path, settings: str, message: str) -> None:
    (tmp_path / "c.yaml").write_text(f"telemetry: {{{settings}}}")
    command = [sys.executable, "-m", "asr_server", "serve", "--port", "0", "--config", str(tmp_path / "c.yaml")]
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE, cwd=tmp_path)
    _, err = await process.communicate()
    assert (process.returncode, err.decode().splitlines()[-1]) == (2, f"asr-server: {message}")
