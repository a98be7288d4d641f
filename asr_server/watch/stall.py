"""How long the event loop was kept from running. Anything that blocks it (a long computation, a lock) delays every stream at once."""

import asyncio
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self


class LoopStallMonitor:
    """Wakes at a short interval and keeps the longest time it woke too late.

        async with LoopStallMonitor() as monitor:
            ...
        monitor.longest_ms

    A stall is seen if it is going on when the next wake-up is due, that is, up to `interval_s` of it may be missed. To be used from one
    event loop; costs one timer.
    """

    def __init__(self, interval_s: float = 0.005, now: Callable[[], float] = time.monotonic) -> None:
        if interval_s <= 0:
            raise ValueError(f"interval_s is {interval_s:g}, must be positive")
        self._interval_s = interval_s
        self._now = now
        self._task: asyncio.Task[None] | None = None
        self._due_s = 0.0
        self._longest_s = 0.0
        self._longest_since_s = 0.0

    @property
    def longest_ms(self) -> float:
        """Longest delay of a wake-up since the start or the last `reset`, one in progress included."""
        overdue_s = self._now() - self._due_s if self._task is not None else 0.0
        return max(self._longest_s, overdue_s) * 1000

    def take_longest_s(self) -> float:
        """Longest since it was last taken, seconds; by one reader. `longest_ms` is left as it is. May be called from another thread."""
        taken_s, self._longest_since_s = self._longest_since_s, 0.0
        return taken_s

    def reset(self) -> None:
        """Forget what was seen, also a delay in progress."""
        self._longest_s = self._longest_since_s = 0.0
        self._due_s = max(self._due_s, self._now())

    def start(self) -> None:
        """Begin to watch the running loop. Starting again while watching changes nothing."""
        if self._task is None:
            self._due_s = self._now() + self._interval_s
            self._task = asyncio.create_task(self._watch(), name="loop-stall-monitor")

    async def stop(self) -> None:
        """Stop watching; what was seen stays."""
        task, self._longest_s = self._task, self.longest_ms / 1000
        self._task = None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.stop()

    async def _watch(self) -> None:
        while True:
            # Also the first run of this task is a wake-up that may come late.
            now_s = self._now()
            self._longest_s = max(self._longest_s, now_s - self._due_s)
            self._longest_since_s = max(self._longest_since_s, now_s - self._due_s)
            self._due_s = now_s + self._interval_s
            await asyncio.sleep(self._interval_s)
