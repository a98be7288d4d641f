"""Waiting for something that another process or task will do, without guessing how long it takes."""

import asyncio
from collections.abc import Awaitable, Callable


async def until(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    """Raises TimeoutError when it never comes true."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - the other side cannot set an event
            await asyncio.sleep(0.01)


async def until_async(condition: Callable[[], Awaitable[bool]], timeout_s: float = 30.0) -> None:
    """The same for a question that has to be asked over the network."""
    async with asyncio.timeout(timeout_s):
        while not await condition():  # noqa: ASYNC110 - the other side cannot set an event
            await asyncio.sleep(0.01)
