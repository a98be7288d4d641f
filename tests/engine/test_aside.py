import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from asr_server.engine.aside import Aside
from asr_server.engine.worker import Worker
from asr_server.errors import NotServing
from tests.fake_engine import PATIENCE_S, FakeEngine


def aside_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("engine-aside")]


class Held:
    """Work that runs until the test lets it go."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._started = asyncio.Event()
        self._let_go = threading.Event()

    def __call__(self) -> str:
        self._loop.call_soon_threadsafe(self._started.set)
        assert self._let_go.wait(PATIENCE_S)
        return "held"

    async def started(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await self._started.wait()

    def let_go(self) -> None:
        self._let_go.set()


@pytest.fixture
async def aside() -> AsyncIterator[Aside]:
    aside = Aside()
    yield aside
    await aside.stop()
    assert aside_threads() == []


async def test_work_is_done_on_another_thread_and_its_result_returned(aside: Aside) -> None:
    assert await aside.run(threading.current_thread) is not threading.current_thread()


async def test_what_the_work_raises_is_raised_as_it_is(aside: Aside) -> None:
    error = ValueError("not a sound file")

    def broken() -> None:
        raise error

    with pytest.raises(ValueError, match="not a sound file") as raised:
        await aside.run(broken)
    assert raised.value is error


async def test_the_loop_goes_on_while_work_is_done_and_the_next_waits_for_it(aside: Aside) -> None:
    held, order = Held(), list[str]()
    first = asyncio.create_task(aside.run(held))
    await held.started()
    second = asyncio.create_task(aside.run(lambda: order.append("second")))
    await asyncio.sleep(0)
    order.append("first")
    held.let_go()
    await asyncio.gather(first, second)

    assert order == ["first", "second"]


async def test_work_whose_caller_was_cancelled_before_it_started_is_not_done(aside: Aside) -> None:
    held, done = Held(), list[str]()
    first = asyncio.create_task(aside.run(held))
    await held.started()
    unwanted = asyncio.create_task(aside.run(lambda: done.append("unwanted")))
    await asyncio.sleep(0)
    unwanted.cancel()
    await asyncio.wait([unwanted])
    held.let_go()
    await first
    await aside.run(lambda: None)

    assert done == []


async def test_stop_drops_what_waits_and_lets_end_what_runs_also_when_nobody_waits_for_it() -> None:
    aside, held = Aside(), Held()
    running = asyncio.create_task(aside.run(held))
    await held.started()
    waiting = asyncio.create_task(aside.run(lambda: None))
    await asyncio.sleep(0)
    running.cancel()
    stopping = asyncio.create_task(aside.stop())
    await asyncio.wait([waiting])

    assert waiting.cancelled()
    assert not stopping.done()
    held.let_go()
    async with asyncio.timeout(PATIENCE_S):
        await stopping
    assert aside_threads() == []
    await aside.stop()


async def test_a_worker_runs_work_aside_only_while_it_serves() -> None:
    worker = Worker(FakeEngine())
    with pytest.raises(NotServing):
        await worker.run(lambda: 1)
    async with worker:
        assert await worker.run(lambda: 1) == 1
    with pytest.raises(NotServing):
        await worker.run(lambda: 1)

    assert aside_threads() == []
