"""A thread beside the engine's for other work that would block the event loop, such as decoding a whole file. Part of `Worker`.

One piece of work at a time, in the order of asking: such work has no deadline, and must not take the engine's threads or more than its
share of the cores from those who have one.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")


class Aside:
    """For use from one event loop. The thread starts with the first work."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="engine-aside")
        self._open: set[Future[Any]] = set()
        self._stopped = False

    async def run(self, work: Callable[[], Result]) -> Result:
        """What `work` returns or raises. When the caller is cancelled, work that has not started is dropped; else its result is."""
        future = self._executor.submit(work)
        self._open.add(future)
        try:
            return await asyncio.wrap_future(future)
        finally:
            self._open.discard(future)

    async def stop(self) -> None:
        """Cancel what has not started, wait for what runs, end the thread. May be repeated; nothing may be run any more."""
        for future in tuple(self._open):
            future.cancel()
        if not self._stopped:
            # Runs after whatever still runs, also if nobody waits for that any more; then shutting down returns at once.
            await asyncio.wrap_future(self._executor.submit(lambda: None))
            self._stopped = True
            self._executor.shutdown()
