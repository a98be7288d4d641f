"""The `transcribe` command from its arguments to its lines and exit code, against a scripted service over real gRPC."""

import asyncio
import io
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import soundfile
import typer
from typer.testing import CliRunner

from asr_server.errors import WrongCall
from asr_server.pb import asr_pb2 as pb
from asr_server.transcribe import TranscribeOptions, run_transcribe, transcribe
from asr_server.transcribe import run as run_module
from asr_server.transcribe.options import parse_encoding
from tests.fake_serve import __file__ as fake_serve_file
from tests.fake_sounddevice import FakeSoundDevice
from tests.fake_speech_service import FakeSpeechService, Refusal, Response, event, final, partial, serving
from tests.waiting import until

SAMPLES = np.random.default_rng(3).integers(-(2**15), 2**15, 8000, dtype=np.int16)
"""Half a second at 16 kHz."""

HELLO = [partial("", "hello"), final("hello there", end_s=0.4), event(Response.END_OF_UTTERANCE, 0.5)]


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    path = tmp_path / "speech.wav"
    soundfile.write(path, SAMPLES, 16_000, subtype="PCM_16")
    return path


async def run(service: FakeSpeechService, **options: Any) -> tuple[int, str, str]:
    """Exit code, stdout, stderr of a transcription through `service`."""
    out, err = io.StringIO(), io.StringIO()
    async with serving(service) as target:
        code = await run_transcribe(TranscribeOptions(server=target, **options), out, err)
    return code, out.getvalue(), err.getvalue()


async def run_json(service: FakeSpeechService, **options: Any) -> list[dict[str, Any]]:
    code, out, err = await run(service, json_lines=True, **options)
    assert (code, err) == (0, "")
    return [json.loads(line) for line in out.splitlines()]


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The writing end of a pipe that is stdin."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", closefd=True) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield writing


def feed(writing: int, data: bytes) -> None:
    """Write `data` into a pipe from a thread and close it."""

    def write() -> None:
        with os.fdopen(writing, "wb") as end:
            end.write(data)

    threading.Thread(target=write, daemon=True).start()


# --------------------------------------------------------------------------------------------------------------------- files


async def test_a_file_is_streamed_in_chunks_of_20_ms_and_half_closed(wav: Path) -> None:
    service = FakeSpeechService(HELLO)
    await run(service, file=str(wav))
    (call,) = service.calls
    config = call.config.config
    assert (config.encoding, config.sample_rate_hertz, config.audio_channel_count) == (pb.RecognitionConfig.LINEAR16, 16_000, 1)
    assert {len(chunk) for chunk in call.chunks} == {640}
    assert call.audio == SAMPLES.tobytes()
    assert call.half_closed


async def test_options_reach_the_server(wav: Path) -> None:
    service = FakeSpeechService(HELLO)
    await run(service, file=str(wav), language="de", model="tiny.en", words=True, vad_stop_ms=300, budget_ms=400, partials=False)
    await run(service, file=str(wav), preset="fast", eager=True)
    config = service.calls[0].config
    assert (config.config.language_code, config.config.model, config.config.enable_word_time_offsets) == ("de", "tiny.en", True)
    assert (config.endpointing.vad_stop_ms, config.latency_budget_ms, config.interim_results) == (300, 400, False)
    assert (config.preset, config.eager_results) == ("", False)
    config = service.calls[1].config
    assert (config.preset, config.eager_results, config.interim_results) == ("fast", True, True)


async def test_json_lines_are_what_was_heard_and_a_summary(wav: Path) -> None:
    lines = await run_json(FakeSpeechService(HELLO), file=str(wav))
    assert [line["type"] for line in lines] == ["partial", "final", "event", "summary"]
    assert (lines[1]["text"], lines[1]["end_s"], lines[1]["ledger"]["response_ms"]) == ("hello there", 0.4, 142)
    assert "ttfs_ms" not in lines[1]
    assert (lines[2]["event"], lines[2]["start_s"]) == ("end_of_utterance", 0.5)
    summary = lines[3]
    assert (summary["text"], summary["audio_s"], summary["segments"], summary["late"]) == ("hello there", 0.5, 1, 0)
    assert summary["response_ms"] == {"p50": 142, "max": 142}
    assert summary["system"]["release"]["model"] == "base"


async def test_eager_results_are_told_as_they_come_and_how_they_ended(wav: Path) -> None:
    eager = partial("hello there", "")
    eager.results[0].stability = 1.0
    service = FakeSpeechService([eager, final("hello there"), event(Response.EAGER_STOOD, 0.4)])
    lines = await run_json(service, file=str(wav), eager=True)
    assert [line["type"] for line in lines] == ["eager", "final", "event", "summary"]
    assert (lines[0]["text"], lines[0]["stability"], lines[2]["event"]) == ("hello there", 1.0, "eager_stood")


async def test_in_real_time_finals_tell_how_long_after_speech_they_came(wav: Path) -> None:
    lines = await run_json(FakeSpeechService(HELLO), file=str(wav), realtime=True)
    assert lines[1]["ttfs_ms"] > 0


async def test_without_a_terminal_there_are_plain_lines(wav: Path) -> None:
    code, out, _ = await run(FakeSpeechService(HELLO), file=str(wav))
    assert code == 0
    assert out.splitlines()[0] == "[0:00.00-0:00.40] hello there"
    assert out.splitlines()[-1] == "0.5 s of audio, 2 words, 1 final, response 142 ms median, 142 ms at most, 0 late"
    assert "\x1b" not in out


async def test_nothing_recognised_is_no_failure_and_the_server_says_what_it_is(wav: Path) -> None:
    info = pb.GetServerInfoResponse(version="0.1.0", models=[pb.ModelInfo(name="base", is_default=True)])
    (summary,) = await run_json(FakeSpeechService(info=info), file=str(wav))
    assert (summary["text"], summary["segments"], summary["system"]["release"]["model"]) == ("", 0, "base")


async def test_a_stream_that_fails_keeps_what_was_heard_and_exits_1(wav: Path) -> None:
    service = FakeSpeechService([final("hello")], failure=Refusal(grpc.StatusCode.INTERNAL, "the engine\nfailed"))
    code, out, err = await run(service, file=str(wav), json_lines=True)
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 1
    assert [line["type"] for line in lines] == ["final", "summary"]
    assert lines[-1]["error"] == "the engine\nfailed"
    assert err == "asr-server transcribe: the engine failed\n"


async def test_a_value_the_server_refuses_is_a_wrong_call(wav: Path) -> None:
    service = FakeSpeechService(refusals=[Refusal(grpc.StatusCode.INVALID_ARGUMENT, "config.language_code: xx is not accepted")])
    code, _, err = await run(service, file=str(wav), language="xx")
    assert (code, err) == (2, "asr-server transcribe: config.language_code: xx is not accepted\n")


async def test_no_server_at_the_address_exits_1(wav: Path) -> None:
    out, err = io.StringIO(), io.StringIO()
    assert await run_transcribe(TranscribeOptions(file=str(wav), server="127.0.0.1:9"), out, err) == 1
    assert err.getvalue().startswith("asr-server transcribe: server 127.0.0.1:9: ")
    assert len(err.getvalue().splitlines()) == 1


async def test_raw_files_need_their_format_named(tmp_path: Path) -> None:
    path = tmp_path / "speech.raw"
    path.write_bytes(np.stack([SAMPLES, SAMPLES], axis=1).tobytes())
    service = FakeSpeechService(HELLO)
    code, _, _ = await run(service, file=str(path), encoding="LINEAR16", rate_hz=8_000, channels=2)
    assert code == 0
    config = service.calls[0].config.config
    assert (config.sample_rate_hertz, config.audio_channel_count) == (8_000, 2)
    assert service.calls[0].audio == path.read_bytes()


@pytest.mark.parametrize("content", [b"", b"not audio at all, only words", b"RIFF\0\0\0\0WAVEfmt "])
async def test_what_is_not_audio_is_refused_in_one_line_that_names_what_is_accepted(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    code, out, err = await run(FakeSpeechService(), file=str(path))
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert str(path) in err
    assert "accepted: WAV, FLAC" in err


async def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    code, _, err = await run(FakeSpeechService(), file=str(tmp_path / "none.wav"))
    assert (code, err) == (2, f"asr-server transcribe: {tmp_path}/none.wav: there is no such file\n")
    code, _, err = await run(FakeSpeechService(), file=str(tmp_path))
    assert (code, err) == (2, f"asr-server transcribe: {tmp_path}: Is a directory\n")


# --------------------------------------------------------------------------------------------------------------------- stdin


def encoded(file_format: str, subtype: str | None = None) -> bytes:
    data = io.BytesIO()
    soundfile.write(data, SAMPLES, 16_000, format=file_format, subtype=subtype)
    return data.getvalue()


@pytest.mark.parametrize(("file_format", "subtype"), [("WAV", "PCM_16"), ("FLAC", None)])
async def test_stdin_with_a_header_is_decoded_here_and_sent_as_it_is(pipe: int, file_format: str, subtype: str | None) -> None:
    feed(pipe, encoded(file_format, subtype))
    service = FakeSpeechService(HELLO)
    lines = await run_json(service, file="-")
    assert service.calls[0].config.config.sample_rate_hertz == 16_000
    assert service.calls[0].audio == SAMPLES.tobytes()
    assert lines[-1]["audio_s"] == 0.5


async def test_stdin_in_a_format_that_does_not_stream_is_read_to_its_end(pipe: int) -> None:
    feed(pipe, encoded("MP3"))
    service = FakeSpeechService(HELLO)
    lines = await run_json(service, file="-")
    assert lines[-1]["audio_s"] == pytest.approx(0.5, abs=0.1)


async def test_raw_stdin_is_sent_before_it_has_ended(pipe: int) -> None:
    os.write(pipe, SAMPLES.tobytes())
    service = FakeSpeechService(HELLO, answer_after_chunks=20)
    out = io.StringIO()
    async with serving(service) as target:
        options = TranscribeOptions(file="-", server=target, encoding="LINEAR16", rate_hz=16_000)
        running = asyncio.create_task(run_transcribe(options, out, io.StringIO()))
        await until(lambda: "hello there" in out.getvalue())
        os.close(pipe)
        assert await running == 0
    assert service.calls[0].audio == SAMPLES.tobytes()


@pytest.mark.parametrize("content", [b"", b"only words, no audio"])
async def test_stdin_without_audio_is_a_wrong_call(pipe: int, content: bytes) -> None:
    feed(pipe, content)
    code, _, err = await run(FakeSpeechService(), file="-")
    assert code == 2
    assert "stdin" in err
    assert "accepted: WAV, FLAC" in err
    assert len(err.splitlines()) == 1


# ---------------------------------------------------------------------------------------------------------------- microphone


async def test_ctrl_c_finalizes_what_was_said_into_the_microphone(monkeypatch: pytest.MonkeyPatch) -> None:
    device = FakeSoundDevice([SAMPLES[:4000].tobytes(), SAMPLES[4000:].tobytes()])
    monkeypatch.setitem(sys.modules, "sounddevice", device)
    service = FakeSpeechService(HELLO)
    out, err = io.StringIO(), io.StringIO()
    async with serving(service) as target:
        running = asyncio.create_task(run_transcribe(TranscribeOptions(mic=True, server=target, json_lines=True), out, err))
        await until(lambda: bool(service.calls) and len(service.calls[0].chunks) == 2)
        os.kill(os.getpid(), signal.SIGINT)
        assert await running == 0
    assert service.calls[0].half_closed
    assert service.calls[0].audio == SAMPLES.tobytes()
    assert service.calls[0].config.config.sample_rate_hertz == 44_100
    final_line = json.loads(out.getvalue().splitlines()[1])
    assert (final_line["type"], "ttfs_ms" in final_line) == ("final", True)
    assert "listening" in err.getvalue()
    assert device.opened == [{"samplerate": 44_100, "channels": 1, "dtype": "int16", "blocksize": 882}]
    assert device.closed == 1


async def test_a_missing_sounddevice_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    code, _, err = await run(FakeSpeechService(), mic=True)
    assert (code, err) == (2, "asr-server transcribe: --mic needs the sounddevice package: pip install 'asr-server[mic]'\n")


async def test_a_machine_without_a_microphone_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", FakeSoundDevice(works=False))
    code, _, err = await run(FakeSpeechService(), mic=True)
    assert code == 2
    assert "no microphone can be used: Error querying device" in err


# ------------------------------------------------------------------------------------------------------------------- signals


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_a_signal_ends_a_file_at_once_and_cancels_its_call(wav: Path, number: signal.Signals, code: int) -> None:
    service = FakeSpeechService(ends_only_cancelled=True)
    out, err = io.StringIO(), io.StringIO()
    async with serving(service) as target:
        running = asyncio.create_task(run_transcribe(TranscribeOptions(file=str(wav), server=target), out, err))
        await until(lambda: bool(service.calls) and bool(service.calls[0].chunks))
        os.kill(os.getpid(), number)
        assert await running == code
        await until(service.calls[0].over.is_set)
    assert service.calls[0].cancelled
    assert (out.getvalue(), err.getvalue()) == ("", "")


# ----------------------------------------------------------------------------------------------------------- a server of one's own


async def test_without_a_server_one_is_started_for_the_call_and_ended(wav: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notes = tmp_path / "notes"
    service = FakeSpeechService(HELLO)
    out, err = io.StringIO(), io.StringIO()
    async with serving(service) as target:
        models: list[str] = []

        def command(model: str) -> tuple[str, ...]:
            models.append(model)
            return (sys.executable, fake_serve_file, str(notes), "ready", target)

        monkeypatch.setattr(run_module, "serve_command", command)
        assert await run_transcribe(TranscribeOptions(file=str(wav), model="tiny.en"), out, err) == 0
    assert models == ["tiny.en"]
    assert service.calls[0].config.config.model == ""
    assert notes.read_text() == "ended by SIGTERM"
    assert err.getvalue() == "loading model tiny.en ...\n"
    assert "hello there" in out.getvalue()


async def test_a_server_that_cannot_start_is_quoted_and_exits_2(wav: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = (sys.executable, fake_serve_file, str(tmp_path / "notes"), "fail", "2", "asr-server: no weights named x")
    monkeypatch.setattr(run_module, "serve_command", lambda _: command)
    err = io.StringIO()
    assert await run_transcribe(TranscribeOptions(file=str(wav)), io.StringIO(), err) == 2
    assert err.getvalue().splitlines()[-1] == "asr-server transcribe: asr-server: no weights named x"


# ----------------------------------------------------------------------------------------------------------------- arguments


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "give one of FILE"),
        ({"file": "a.wav", "mic": True}, "give one of FILE"),
        ({"file": "a.wav", "server": "localhost"}, "accepted is host:port"),
        ({"file": "a.raw", "encoding": "MULAW"}, "give --rate"),
        ({"file": "a.raw", "rate_hz": 8000}, "name its --encoding too"),
        ({"file": "a.raw", "channels": -1}, "--channels -1: must be positive"),
        ({"mic": True, "encoding": "MULAW"}, "a microphone is recorded as LINEAR16"),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(WrongCall, match=message):
        TranscribeOptions(**options)


def test_encodings_are_named_in_any_case() -> None:
    assert parse_encoding("linear16") == "LINEAR16"
    assert parse_encoding("") == ""
    with pytest.raises(WrongCall, match="accepted are LINEAR16, FLOAT32, MULAW, ALAW"):
        parse_encoding("FLAC")


def test_the_command_line_ends_wrong_calls_with_one_line_and_exit_code_2() -> None:
    app = typer.Typer()
    app.command()(transcribe)
    result = CliRunner().invoke(app, [])
    assert result.exit_code == 2
    assert result.stderr == "asr-server transcribe: give one of FILE (a path, or - for stdin) and --mic\n"
    assert CliRunner().invoke(app, ["speech.wav", "--encoding", "FLAC"]).exit_code == 2
    assert "--realtime" in CliRunner().invoke(app, ["--help"]).stdout
