"""Golden clips on a server whose recogniser is a fake: when they are spoken, with what priority, and what is told of them."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from asr_server.accuracy.manifest import Clip
from asr_server.accuracy.wer import ErrorCounts
from asr_server.api.probing import Probed, Prober
from asr_server.engine.worker import Decoded, DecodeJob
from asr_server.errors import EngineFailed
from asr_server.events import Purpose
from audio_norm import load_definition
from tests.api.harness import speech_server
from tests.fake_engine import FakeEngine, said
from tests.recordings import recording
from tests.waiting import until

CLIP = Clip("hello", recording("hello_world"), "Hello world.")


async def test_a_clip_is_heard_as_a_caller_is_and_waits_for_everybody() -> None:
    async with speech_server(FakeEngine(lambda *_: said("Hello word.")), definition=load_definition("v1")) as running:
        purposes = list[Purpose]()
        submit = running.worker.submit

        def noted(job: DecodeJob) -> asyncio.Future[Decoded]:
            purposes.append(job.purpose)
            return submit(job)

        running.worker.submit = noted  # type: ignore[method-assign]
        prober = Prober([CLIP], 1.0, running.service._host, running.admission.number, lambda _: None)
        probed = await prober.probe(CLIP)
        assert running.admission.active == 0
    assert set(purposes) == {Purpose.OFFLINE}
    assert (probed.clip, probed.errors, probed.late) == ("hello", ErrorCounts(1, 0, 0, 2), False)
    assert probed.ttfs_ms is not None


async def test_clips_come_one_after_the_other_and_one_that_fails_stops_nothing(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    broken = replace(CLIP, id="broken", audio=tmp_path / "none.wav")
    told: list[Probed] = []
    async with speech_server(FakeEngine(lambda *_: said("Hello world.")), definition=load_definition("v1")) as running:
        prober = Prober([CLIP, broken], 0.01, running.service._host, running.admission.number, told.append)
        task = asyncio.create_task(prober.run())
        await until(lambda: len(told) >= 2, 60)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert [one.clip for one in told] == ["hello", "hello"]
    assert prober.failed >= 1
    assert caplog.text.count("the golden clip broken could not be heard") == 1


async def test_a_recogniser_that_fails_is_no_end_of_the_server() -> None:
    def fail(*_: object) -> None:
        raise EngineFailed("broken")

    async with speech_server(FakeEngine(fail), definition=load_definition("v1")) as running:  # type: ignore[arg-type]
        prober = Prober([CLIP], 0.0, running.service._host, running.admission.number, lambda _: None)
        task = asyncio.create_task(prober.run())
        await until(lambda: prober.failed > 0, 60)
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_while_the_recogniser_is_busy_no_clip_is_begun() -> None:
    async with speech_server(FakeEngine(lambda *_: said("Hello world.")), definition=load_definition("v1")) as running:
        host = running.service._host

        class Busy:
            running, threads, queue_depth = 2, 2, 0

        waits = 0

        async def sleep(_: float) -> None:
            nonlocal waits
            waits += 1
            if waits > 5:
                await asyncio.Event().wait()

        prober = Prober([CLIP], 1.0, replace(host, worker=Busy()), running.admission.number, lambda _: None, sleep=sleep)  # type: ignore[arg-type]
        task = asyncio.create_task(prober.run())
        while waits <= 5:  # noqa: ASYNC110 - it gives way each time
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert prober.skipped == 5
    assert prober.failed == 0
