"""Recognisers on real recordings: the engine's with a fake engine, the server's and faster-whisper's with real weights."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partialmethod
from pathlib import Path

import numpy as np
import pytest
import soundfile
from faster_whisper import WhisperModel

from asr_server.accuracy.manifest import Clip
from asr_server.api.reading import server_info
from asr_server.api.results import PresetView
from asr_server.engine.engine import DecodeOptions, Decoding
from asr_server.engine.weights import resolve
from asr_server.errors import EngineFailed, WrongCall
from asr_server.pb import asr_pb2 as pb
from audio_norm import Normalized
from eval.__main__ import main
from eval.audio import read_frames
from eval.by_engine import WINDOW_S, EngineRecogniser, preparation
from eval.by_faster_whisper import FasterWhisper
from eval.by_server import preset_of, server_system
from eval.commands.hearing import of_manifest, until_interrupted
from eval.console import Interrupted
from eval.journal import journal_path
from eval.opening import load_engine
from eval.recognisers import Failed, Heard, Skipped
from tests.fake_engine import FakeEngine, said
from tests.recordings import recording
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[2]
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
    (heard,) = result["hypotheses"]
    assert 0.3 < heard["given_s"] <= heard["audio"]["duration_s"] + 0.5
    assert heard["given_lufs"] is None
    assert [one["id"] for one in result["skipped"]] == ["hallo"]
    assert "skipped hallo: the server's model does not speak 'de'" in capsys.readouterr().err


@pytest.mark.parametrize(("asked", "told"), [([], "balanced"), (["--preset", "fast"], "fast")])
def test_the_preset_is_told_by_its_name_also_where_the_server_chose_it(
    asked: list[str], told: str, manifest: Path, server_address: str
) -> None:
    out = manifest.parent / "o.json"
    arguments = ["run", "--manifest", str(manifest), "--via", "server", "--server", server_address, "--json", str(out), *asked]
    assert main(arguments) == 0
    assert json.loads(out.read_text())["preset"] == told


def test_a_preset_that_the_server_does_not_have_is_a_wrong_call(
    manifest: Path, server_address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = manifest.parent / "o.json"
    arguments = ["run", "--manifest", str(manifest), "--via", "server", "--server", server_address, "--json", str(out), "--preset", "best"]
    assert main(arguments) == 2
    assert "--preset best: the server has balanced, fast, accurate" in capsys.readouterr().err
    assert not out.exists()


def test_a_server_without_presets_has_the_one_wait_that_it_tells() -> None:
    info = server_info(pb.GetServerInfoResponse(endpointing=pb.EndpointingConfig(vad_stop_ms=500)))
    assert preset_of(info, "") == PresetView("", 500, 500, beam_size=0, context_ms=0)
    with pytest.raises(WrongCall, match="--preset fast: the server has none"):
        preset_of(info, "fast")


def test_a_servers_results_are_by_the_model_of_their_preset_with_the_others_beside_it() -> None:
    info = server_info(
        pb.GetServerInfoResponse(
            version="1",
            models=[
                pb.ModelInfo(name="base", weights_sha256="b" * 64, is_default=True, options={"beam_size": "5"}),
                pb.ModelInfo(name="tiny.en", weights_sha256="c" * 64),
            ],
            presets=[pb.PresetInfo(name="balanced", model="base"), pb.PresetInfo(name="fast", model="tiny.en")],
        )
    )
    ours, fast = server_system(info), server_system(info, "fast")
    assert (ours.release.model, ours.release.options) == ("base", {"beam_size": "5", "beside": f"tiny.en {'c' * 12}"})
    assert (fast.release.model, fast.release.weights_sha256, fast.release.options["beside"]) == ("tiny.en", "c" * 64, f"base {'b' * 12}")
    assert "beside" not in server_system(server_info(pb.GetServerInfoResponse(models=[pb.ModelInfo(is_default=True)]))).release.options


def test_faster_whisper_is_the_baseline(manifest: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.json"
    arguments = ["run", "--manifest", str(manifest), "--via", "faster-whisper", "--model", "tiny.en", "--json", str(out)]
    assert main(arguments) == 0
    result = json.loads(out.read_text())
    assert (result["wer"], result["words"]) == (0.0, 2)
    assert result["system"]["code"].startswith("faster-whisper ")


def test_what_faster_whisper_draws_by_chance_it_draws_again_in_the_same_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """It draws where it does not believe a text; which those are depends on the processor, so here it draws of all."""
    drawing = {"temperature": 1.0, "best_of": 1, "no_speech_threshold": None, "log_prob_threshold": None}
    monkeypatch.setattr(WhisperModel, "transcribe", partialmethod(WhisperModel.transcribe, **drawing))
    files, noise = resolve("tiny.en"), np.random.default_rng(0).normal(0.0, 0.1, 2 * 16_000).astype(np.float32)

    def texts() -> list[str]:
        recogniser = FasterWhisper(files, threads=2)
        return [recogniser.transcribe(noise, "en").text for _ in range(4)]

    first = texts()
    assert len(set(first)) > 1
    assert texts() == first


def run_of(manifest: Path, *more: str) -> tuple[list[str], Path]:
    """Arguments of a run one clip after another, and where its result goes."""
    out = manifest.parent / "o.json"
    return ["run", "--manifest", str(manifest), "--model", "tiny.en", "--json", str(out), "--jobs", "1", *more], out


def test_what_failed_is_heard_again_by_the_same_command_and_nothing_else(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was heard is kept until nothing fails. Cut in the middle of a clip, as a kill leaves it, it gives the same result."""
    late = manifest.parent / "late.wav"
    late.write_bytes(b"not audio yet")
    rows = [{"id": name, "audio": str(recording(name)), "text": name.replace("_", " ")} for name in ("hello_world", "counting")]
    manifest.write_text("\n".join(json.dumps(row) for row in [*rows, {"id": "late", "audio": str(late), "text": "hello world"}]))
    arguments, out = run_of(manifest)
    assert main(arguments) == 1
    assert f"what was heard is kept in {journal_path(out)}: the same command hears only what failed" in capsys.readouterr().err
    whole, lines = out.read_bytes(), journal_path(out).read_text().splitlines(keepends=True)

    journal_path(out).write_text("".join(lines[:2]) + lines[2][:40])
    out.unlink()
    assert main(arguments) == 1
    assert out.read_bytes() == whole
    assert "1 clips were heard already" in capsys.readouterr().err

    late.write_bytes(HELLO.read_bytes())
    assert main(arguments) == 0
    assert "2 clips were heard already" in capsys.readouterr().err
    assert not journal_path(out).exists()

    journal_path(out).write_text("".join(lines))
    assert main([*arguments, "--beam-size", "1"]) == 0
    assert "another recogniser, other options or another manifest: starting anew" in capsys.readouterr().err


def test_a_run_that_somebody_interrupts_says_so_and_is_taken_up(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C, once the first clip was heard."""
    rows = [{"id": str(number), "audio": str(recording("counting")), "text": "one"} for number in range(40)]
    manifest.write_text("\n".join(json.dumps(row) for row in rows))
    arguments, out = run_of(manifest)
    kept = journal_path(out)
    command = [sys.executable, "-m", "eval", *arguments]
    with heeding_interrupts():
        running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    with running as process:
        asyncio.run(until(lambda: kept.exists() and kept.read_bytes().count(b"\n") > 1, timeout_s=120))
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, f"python -m eval: interrupted; the same command goes on from {kept}\n")
    assert not out.exists()
    assert main(arguments) == 0
    assert "clips were heard already" in capsys.readouterr().err


@contextmanager
def heeding_interrupts() -> Iterator[None]:
    """Processes begun here end by SIGINT also where the tests run in the background of a shell, which ignores it for them."""
    previous = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


async def interrupted() -> None:
    raise KeyboardInterrupt


def test_a_run_that_is_interrupted_before_anything_was_heard_names_nothing_kept(tmp_path: Path) -> None:
    with pytest.raises(Interrupted, match=r"^interrupted; nothing was written$"):
        until_interrupted(interrupted(), tmp_path / "o.json")


def test_a_beam_is_decoded_with_and_told(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    narrow, wide = (manifest.parent / name for name in ("narrow.json", "wide.json"))
    for out, beam_size in ((narrow, "1"), (wide, "8")):
        arguments = ["run", "--manifest", str(manifest), "--model", "tiny.en", "--json", str(out), "--beam-size", beam_size]
        assert main(arguments) == 0
        assert json.loads(out.read_text())["system"]["release"]["options"]["beam_size"] == beam_size
    capsys.readouterr()
    main(["compare", str(narrow), str(wide)])
    assert "beam_size: 1 -> 8" in capsys.readouterr().out


def test_an_engine_decodes_with_as_wide_a_beam_as_it_was_loaded_for() -> None:
    (window,) = preparation("v1").prepare(*read_frames(Clip("a", HELLO, "")))
    assert load_engine("tiny.en", 1, beam_size=8).decode(window, DecodeOptions(language="en", beam_size=8)).beam_size == 8


def test_the_manifest_is_named_as_seen_from_the_folder_of_the_result(manifest: Path) -> None:
    results = manifest.parent / "results"
    results.mkdir()
    assert of_manifest(manifest, results / "o.json")["manifest"] == "../m.jsonl"
    assert of_manifest(manifest, manifest.parent / "o.json")["manifest"] == "m.jsonl"
