"""An event loop whose time passes as soon as everybody waits: what takes minutes is over at once, in the same order.

run_in_virtual_time(lambda now: rush(..., now=now))
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")


class _Jump(selectors.SelectSelector):
    """Instead of waiting for a time it lets it pass."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "everybody waits for somebody else"
            self.now_s += max(timeout, 0.0)
        return ready


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        # A timer is due at its time, and not a rounding before it.
        return self._jump.now_s + 1e-9


def run_in_virtual_time(main: Callable[[Callable[[], float]], Coroutine[Any, Any, _T]]) -> _T:
    """`main` is given the clock. Nothing in it may use another one, nor sockets nor threads."""
    with asyncio.Runner(loop_factory=_VirtualLoop) as runner:

        async def run() -> _T:
            return await main(asyncio.get_running_loop().time)

        return runner.run(run())
