"""`asr-server watch` and `feedback` on a real server with a journal, golden clips and a reference: what a shift really does."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from asr_server.api.client import Client
from asr_server.api.options import ClientOptions, StreamOptions
from asr_server.api.results import Result
from asr_server.cli import app
from asr_server.errors import RequestRefused, ServerUnreachable, WrongCall
from asr_server.watch.drift.reference import Origin, Reference
from asr_server.watch.journal.reading import read_journal
from tests.recordings import recording
from tests.waiting import until, until_async

run = CliRunner().invoke


@dataclass(frozen=True)
class Shift:
    address: str
    journal: Path


@pytest.fixture(scope="module")
def shift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shift]:
    folder = tmp_path_factory.mktemp("shift")
    (folder / "golden.jsonl").write_text(json.dumps({"id": "hello", "audio": str(recording("hello_world")), "text": "Hello world."}))
    reference = Reference(Origin("v1", "tiny.en", "ab" * 32, "test"))
    for number in range(100):
        reference.add({"loudness_lufs": -26.0 + number % 7, "snr_db": 20.0 + number % 5})
    reference.write(folder / "reference.json")
    wished = {"JOURNAL": folder / "j.db", "PROBES": folder / "golden.jsonl", "PROBE_EVERY_S": 1, "REFERENCE": folder / "reference.json"}
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ASR_", "OTEL_"))}
    environment |= {f"ASR_TELEMETRY__{name}": str(value) for name, value in wished.items()}
    command = [sys.executable, "-m", "asr_server", "serve", "--port", "0", "--model", "tiny.en", "--log-level", "error"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as process:
        assert process.stdout is not None
        yield Shift(process.stdout.readline().removeprefix("ready ").strip(), folder / "j.db")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0


async def spoken(address: str, client: str) -> Result:
    async with Client(address, options=ClientOptions(metadata=(("x-asr-client", client),))) as caller:
        heard = caller.stream_file(recording("quick_brown_fox"), StreamOptions(preset="fast"))
        return [result async for result in heard if isinstance(result, Result) and result.is_final][-1]


async def test_what_is_spoken_and_said_of_it_is_in_the_journal_the_view_and_the_report(shift: Shift, tmp_path: Path) -> None:
    final = await spoken(shift.address, "kiosk")
    said = await asyncio.to_thread(
        run, app, ["feedback", final.segment_id, "--corrected", final.text + " Twice.", "--server", shift.address]
    )
    assert said.exit_code == 0, said.output
    assert "1 wrong" in said.stderr

    async with Client(shift.address) as client:

        async def has_probed() -> bool:
            return (await client.status()).probe_wer is not None

        await until_async(has_probed, 60)
        status, drift, objectives = await client.status(), await client.drift_status(), await client.objectives()
    assert (status.recent.segments, status.labelled_errors, status.probe_wer) == (1, 1, 0.0), "golden clips are no callers"
    assert (drift.is_watching, drift.reference_segments, drift.data, drift.concept) == (True, 100, False, False)
    assert {one.name for one in objectives} == {"response", "recognition", "calls"}

    seen = await asyncio.to_thread(run, app, ["watch", "--once", "--server", shift.address])
    assert "golden clips: WER 0.0 %" in seen.output
    told = json.loads((await asyncio.to_thread(run, app, ["watch", "--once", "--json", "--server", shift.address])).output)
    assert told["status"]["recent"]["segments"] == 1

    await until(lambda: bool(read_journal(shift.journal).probes))  # rows that nobody waits for are written together
    (row,) = read_journal(shift.journal).segments
    assert (row.id, row.client, row.encoding, row.language) == (final.segment_id, "kiosk", "LINEAR16", "en")
    assert {"loudness_lufs", "dc_offset", "gap_ratio", "log_probability", "rtf"} <= set(row.profile)
    made = await asyncio.to_thread(run, app, ["report", "--journal", str(shift.journal), "--html", str(tmp_path / "r.html"), "--json"])
    summary = json.loads(made.stdout)
    assert (summary["segments"], summary["rates"][0]["corrected"], summary["probes"][0]["wer"]) == (1, 1, 0.0)


async def test_a_verdict_on_a_segment_that_nobody_knows_is_refused(shift: Shift) -> None:
    failed = await asyncio.to_thread(run, app, ["feedback", "none", "--verdict", "rejected", "--server", shift.address])
    assert isinstance(failed.exception, RequestRefused)
    assert failed.exception.status == "NOT_FOUND"


async def test_a_server_without_a_journal_says_how_to_have_one(server_address: str) -> None:
    final = await spoken(server_address, "kiosk")
    async with Client(server_address) as client:
        with pytest.raises(RequestRefused, match=r"set telemetry\.journal"):
            await client.feedback(final.segment_id, verdict="accepted")
        assert not (await client.drift_status()).is_watching


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a-1-0"], "give --corrected TEXT or --verdict VERDICT, one of them"),
        (["a-1-0", "--corrected", "x", "--verdict", "accepted"], "one of them"),
        (["a-1-0", "--verdict", "fine"], "--verdict 'fine' is not accepted: accepted, rejected, repeated, switched_to_typing"),
    ],
)
def test_a_wrong_call_is_one_clear_line(arguments: list[str], message: str) -> None:
    failed = run(app, ["feedback", *arguments])
    assert isinstance(failed.exception, WrongCall)
    assert message in str(failed.exception)


def test_nobody_there_is_one_clear_line() -> None:
    failed = run(app, ["watch", "--once", "--server", "127.0.0.1:1"])
    assert isinstance(failed.exception, ServerUnreachable)
