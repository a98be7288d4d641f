"""Many callers at a time who stay on the line: who was let in and who was not, and who was still there at the end."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum

from asr_server.api.client import Control
from asr_server.api.options import StreamOptions
from asr_server.errors import AsrError, ServerBusy
from bench.pace import Lag
from bench.quantiles import quantiles
from bench.quiet import Source
from bench.streams import Server

ENDED = "the server ended the stream"
"""Nothing that a caller who is on the line asked for."""


class State(Enum):
    CALLING = "calling"
    OPEN = "open"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(slots=True)
class Caller:
    """One of them."""

    source: Callable[[], Source]
    """Made when the caller calls: what it sends begins then."""
    options: StreamOptions
    patience_s: float = 0.0
    """How long one that is refused tries again, each time after what the server asked it to wait."""
    state: State = field(init=False, default=State.CALLING)
    sends: Source | None = field(init=False, default=None)
    accepted_ms: float | None = field(init=False, default=None)
    """From calling to being let in, of the call that was; None for one that was not."""
    in_after_s: float | None = field(init=False, default=None)
    """The same from the first call on."""
    refusals: list[float | None] = field(init=False, default_factory=list)
    """What the server asked to wait, each time that it refused; None where it did not say."""
    error: str = field(init=False, default="")
    """Why the call failed."""

    async def call(
        self, server: Server, answered: Callable[[], None], now: Callable[[], float], sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        """Until the server ends it, or refuses it for good, or it is cancelled. `answered`: called when it is let in."""
        first_s = now()
        while True:
            await self._try(server, answered, now, first_s)
            if self.state is not State.REFUSED:
                return
            wait_s = self.refusals[-1]
            if wait_s is None or now() + wait_s > first_s + self.patience_s:
                return
            await sleep(wait_s)

    async def _try(self, server: Server, answered: Callable[[], None], now: Callable[[], float], first_s: float) -> None:
        called_s = now()
        self.sends = self.source()
        audio = self.sends.chunks()

        async def sent() -> AsyncGenerator[bytes | Control, None]:
            self.state, self.accepted_ms, self.in_after_s = State.OPEN, (now() - called_s) * 1000, now() - first_s
            answered()
            async with aclosing(audio) as chunks:
                async for chunk in chunks:
                    yield chunk

        try:
            async with aclosing(server.stream(sent(), self.options)) as stream:
                async for _heard in stream:
                    pass
            self.state, self.error = State.FAILED, ENDED
        except ServerBusy as busy:
            self.state, self.accepted_ms, self.in_after_s = State.REFUSED, None, None
            self.refusals.append(busy.retry_after_s)
        except AsrError as failure:
            self.state, self.error = State.FAILED, str(failure)


class Callers:
    """All of them, as they fare."""

    def __init__(self, callers: Sequence[Caller]) -> None:
        self._callers = callers
        self._sent_before: list[int] = [0] * len(callers)

    def of(self, state: State) -> int:
        return sum(caller.state is state for caller in self._callers)

    def begin(self) -> None:
        """`lags` are of what is sent from now on."""
        self._sent_before = [len(caller.sends.lags) if caller.sends is not None else 0 for caller in self._callers]

    @property
    def lags(self) -> list[Lag]:
        pairs = zip(self._callers, self._sent_before, strict=True)
        return [lag for caller, before in pairs if caller.sends is not None for lag in caller.sends.lags[before:]]

    def as_json(self) -> dict[str, object]:
        """`opened`: let in, whatever came of it; on the line now: `open`. Who was never let in is `refused`; `refusals` are all there were,
        of those too who were let in later."""
        errors = Counter(caller.error for caller in self._callers if caller.state is State.FAILED)
        refusals = [wait_s for caller in self._callers for wait_s in caller.refusals]
        told = [wait_s for wait_s in refusals if wait_s is not None]
        return {
            "opened": sum(caller.accepted_ms is not None for caller in self._callers),
            "open": self.of(State.OPEN),
            "refused": self.of(State.REFUSED),
            "failed": self.of(State.FAILED),
            "errors": dict(errors),
            "refusals": len(refusals),
            "retry_after_s": {"told": len(told), "least": min(told, default=None), "most": max(told, default=None)},
            "in_after_s": quantiles(caller.in_after_s for caller in self._callers if caller.in_after_s is not None),
            "accepted_ms": quantiles(caller.accepted_ms for caller in self._callers if caller.accepted_ms is not None),
        }


@asynccontextmanager
async def on_the_line(
    server: Server,
    callers: Sequence[Caller],
    *,
    apart_s: float,
    answered: Callable[[], None] = lambda: None,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> AsyncIterator[Callers]:
    """They call one after another, `apart_s` between two, and hang up when this is left. Given when every one has been answered;
    `answered` is called for each."""
    everybody = Callers(callers)
    all_answered = asyncio.Event()
    still_calling = len(callers)

    def tell() -> None:
        nonlocal still_calling
        still_calling -= 1
        answered()
        if not still_calling:
            all_answered.set()

    async def one(number: int, caller: Caller) -> None:
        is_told = False

        def let_in() -> None:
            nonlocal is_told
            if not is_told:
                is_told = True
                tell()

        try:
            await sleep(number * apart_s)
            await caller.call(server, let_in, now, sleep)
        finally:
            if not is_told:
                tell()

    calls = [asyncio.create_task(one(number, caller), name="caller") for number, caller in enumerate(callers)]
    try:
        if callers:
            await all_answered.wait()
        yield everybody
    finally:
        for call in calls:
            call.cancel()
        for ended in await asyncio.gather(*calls, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended
