"""Workers whose engine the test holds."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from asr_server.engine.worker import Worker, WorkerOptions
from tests.engine.worker.jobs import engine_threads
from tests.fake_engine import HeldEngine


@pytest.fixture
async def engine() -> AsyncIterator[HeldEngine]:
    """Also sees to it that nothing the worker calls on the loop fails unheard."""
    failures: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: failures.append(context))
    yield HeldEngine()
    assert failures == []


@pytest.fixture
async def one_thread(engine: HeldEngine) -> AsyncIterator[Worker]:
    async with Worker(engine, WorkerOptions(threads=1, max_queued=3)) as worker:
        yield worker
    assert engine_threads() == []


@pytest.fixture
async def two_threads(engine: HeldEngine) -> AsyncIterator[Worker]:
    async with Worker(engine, WorkerOptions(threads=2)) as worker:
        yield worker
    assert engine_threads() == []
