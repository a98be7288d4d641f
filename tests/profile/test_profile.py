"""`asr-server profile`, and a server that watches against one: real weights, real speech."""

import asyncio
import json
import signal
import sys
import time
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
from asr_server.watch.journal.journal import Journal
from tests.recordings import recording
from tests.watch.journal.made import corrected, segment

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


def test_recordings_with_texts_teach_which_errors_to_expect(tmp_path: Path) -> None:
    manifest, out = tmp_path / "m.jsonl", tmp_path / "p.json"
    right, wrong = "The quick brown fox jumps over the lazy dog.", "A slow green fox walks under one diligent cat."
    lines = [
        {"id": str(number), "audio": str(recording("quick_brown_fox")), "text": wrong if number % 2 else right} for number in range(24)
    ]
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
    made = run(app, ["profile", "build", "--manifest", str(manifest), "--model", "tiny.en", "--out", str(out)])
    assert made.exit_code == 0, made.output
    assert "error model of 216 words" in made.output
    model = read_reference(out).error_model
    assert model is not None
    doubt = read_reference(out).quantiles("log_probability", (0.5,))[0]
    assert model.rate(doubt) == pytest.approx(8 / 9 / 2, abs=0.05), "eight of nine words of every other recording"
    assert json.loads(run(app, ["profile", "show", str(out), "--json"]).output)["error_model"]["words"] == 216
    assert "% errors at a log probability of" in run(app, ["profile", "show", str(out)]).output


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


def of_a_day(path: Path, *, louder_db: float = 0.0, seed: int = 0, data_definition: str = "v1") -> None:
    draw = np.random.default_rng(seed)
    with Journal(path) as journal:
        for number in range(300):
            profile_of_it = {"loudness_lufs": draw.normal(-26 + louder_db, 3), "log_probability": -0.1 * (number % 10), "response_ms": 5.0}
            row = segment(number, time.time() - 1.0, profile=profile_of_it)
            journal.put(replace(row, data_definition=data_definition))
            if number < 30:
                journal.put(corrected(number, errors=number % 10, words=12, at_s=time.time() - 0.5))


def test_a_profile_of_a_time_is_made_of_the_journals_of_all_replicas(tmp_path: Path) -> None:
    of_a_day(tmp_path / "one.db")
    of_a_day(tmp_path / "other.db", seed=1)
    journals = ["--journal", str(tmp_path / "one.db"), "--journal", str(tmp_path / "other.db")]
    made = run(app, ["profile", "build", *journals, "--since", "1h", "--out", str(tmp_path / "p.json")])
    assert made.exit_code == 0, made.output
    assert made.stderr.startswith("600 segments, 3 features, error model of ")
    read = read_reference(tmp_path / "p.json")
    assert (read.segments, read.origin) == (600, Origin("v1", "base", "ab" * 32, "journal"))
    assert read.error_model is not None
    assert read.error_model.rate(-0.8) > read.error_model.rate(-0.1)


def test_what_has_drifted_between_two_times_is_told(tmp_path: Path) -> None:
    for name, louder_db in (("before", 0.0), ("same", 0.0), ("quieter", -6.0)):
        of_a_day(tmp_path / f"{name}.db", louder_db=louder_db, seed=len(name))
        made = run(app, ["profile", "build", "--journal", str(tmp_path / f"{name}.db"), "--out", str(tmp_path / f"{name}.json")])
        assert made.exit_code == 0, made.output
    before, same, quieter = (str(tmp_path / f"{name}.json") for name in ("before", "same", "quieter"))
    alike = run(app, ["profile", "compare", before, same, "--strict"])
    assert (alike.exit_code, alike.stdout.splitlines()[-1]) == (0, "of all segments together nothing has drifted")
    found = run(app, ["profile", "compare", before, quieter, "--strict"])
    assert (found.exit_code, found.stdout.splitlines()[-1]) == (1, "drifted of all segments: loudness_lufs")
    told = run(app, ["profile", "compare", before, quieter, "--json"])
    assert told.exit_code == 0
    slices = {(one["label"], one["value"]): one["features"] for one in json.loads(told.stdout)["drifted_slices"]}
    assert slices == {("client", "kiosk"): ["loudness_lufs"], ("encoding", "LINEAR16"): ["loudness_lufs"]}
    first = json.loads(told.stdout)["features"][0]
    assert (first["feature"], first["is_drift"]) == ("loudness_lufs", True)
    assert first["shift"] == pytest.approx(-2.0, abs=0.3)


def test_journals_that_make_no_profile_are_refused(tmp_path: Path) -> None:
    of_a_day(tmp_path / "one.db")
    of_a_day(tmp_path / "other.db", data_definition="v2")
    one, other = (str(tmp_path / f"{name}.db") for name in ("one", "other"))
    out = ["--out", str(tmp_path / "p.json")]

    def refused(*arguments: str) -> str:
        failed = run(app, ["profile", "build", *arguments, *out])
        assert isinstance(failed.exception, WrongCall)
        return str(failed.exception)

    assert "are of the data definitions v1, v2: choose a time with one" in refused("--journal", one, "--journal", other)
    assert refused("--journal", one, "--model", "tiny.en").startswith("there is no segment of tiny.en in that time")
    assert refused("--journal", one, "--since", "9d", "--until", "8d").startswith("there is no segment in that time")
    assert "--since 'soon' is not accepted" in refused("--journal", one, "--since", "soon")
    assert "--journal goes without recordings" in refused("--journal", one, str(recording("counting")))
    assert "there is no journal" in refused("--journal", str(tmp_path / "none.db"))
