"""A rush of callers: a steady load, then for a while a multiple of it, then the steady load again. Who is refused tries again."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from bench.load import AFTER_FAILURE_S, SILENCE_S, in_order
from bench.streams import STAGGER_S, Ask, Part, Server, Spoken, speak

PHASES = ("steady", "overload", "recovery")
MOST_TRIES = 10
"""Of one clip, the first included; then the caller gives it up and goes on with the next."""
RUSH_IN_S = 3.0
"""All callers of the rush are there after so long, at the latest."""


@dataclass(frozen=True, slots=True)
class Rush:
    streams: int
    callers: int
    """During the rush, those of the steady load among them."""
    seconds: float
    """Of each of the three phases."""
    ask: Ask = field(default_factory=Ask)
    seed: int = 0
    """Of the orders in which the clips are spoken."""

    @property
    def extra(self) -> int:
        return self.callers - self.streams

    @property
    def apart_s(self) -> float:
        """Between the starts of two callers of the rush."""
        return min(STAGGER_S, RUSH_IN_S / self.extra) if self.extra else 0.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call."""

    caller: int
    """Those of the rush come after those of the steady load."""
    begun_s: float
    ended_s: float
    number: int
    """Of the calls for this clip, from 1."""
    waited_s: float
    """Since the first of them began."""
    was_told: bool
    """It was made after the time that the server had asked the caller to wait; False for a first call."""
    spoken: Spoken


@dataclass(frozen=True, slots=True)
class Borders:
    """When the phases began, by the clock of the load."""

    steady_s: float
    rush_s: float
    recovery_s: float
    ended_s: float
    """Clips begun later do not count."""

    @property
    def spans(self) -> list[tuple[float, float]]:
        """Of each of PHASES, from when to when."""
        return list(pairwise((self.steady_s, self.rush_s, self.recovery_s, self.ended_s)))


async def rush(
    server: Server,
    parts: Sequence[Part],
    wish: Rush,
    *,
    attempted: Callable[[Attempt], None],
    entered: Callable[[str], None] = lambda _: None,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Borders:
    """`attempted` is told of each call when it has ended, `entered` of each phase by its name.

    The first phase begins when every caller of the steady load has made its first call. Callers of the rush finish what they are saying
    when it is over, and do not call again. At the end callers go on, uncounted, until the last call that counts has ended; then what they
    are saying is cancelled.
    """
    cold = set(range(wish.streams))
    warm, is_over, all_counted = asyncio.Event(), asyncio.Event(), asyncio.Event()
    open_calls: dict[int, float] = {}
    ended_s: float | None = None

    def check_counted() -> None:
        if ended_s is not None and not any(begun_s < ended_s for begun_s in open_calls.values()):
            all_counted.set()

    async def say(caller: int, part: Part, goes_on: Callable[[], bool]) -> None:
        first_s, was_told = now(), False
        for number in range(1, MOST_TRIES + 1):
            begun_s = open_calls[caller] = now()
            spoken = await speak(server, part, wish.ask, now=now, sleep=sleep)
            del open_calls[caller]
            attempted(Attempt(caller, begun_s, now(), number, begun_s - first_s, was_told, spoken))
            cold.discard(caller)
            if not cold:
                warm.set()
            check_counted()
            if not spoken.error:
                return
            was_told = spoken.refused and spoken.retry_after_s is not None
            await sleep(spoken.retry_after_s if was_told and spoken.retry_after_s is not None else AFTER_FAILURE_S)
            if not spoken.refused or not goes_on():
                return

    async def talk(caller: int, after_s: float, goes_on: Callable[[], bool]) -> None:
        await sleep(after_s)
        for part in in_order(parts, wish.seed, caller):
            if not goes_on():
                return
            await say(caller, part, goes_on)

    async with asyncio.TaskGroup() as group:
        callers = [group.create_task(talk(number, number * STAGGER_S, lambda: True)) for number in range(wish.streams)]
        await warm.wait()
        steady_s = now()
        entered("steady")
        await sleep(wish.seconds)
        rush_s = now()
        entered("overload")
        callers += [
            group.create_task(talk(wish.streams + number, number * wish.apart_s, lambda: not is_over.is_set()))
            for number in range(wish.extra)
        ]
        await sleep(wish.seconds)
        is_over.set()
        recovery_s = now()
        entered("recovery")
        await sleep(wish.seconds)
        ended_s = now()
        check_counted()
        await all_counted.wait()
        for one in callers:
            one.cancel()
    return Borders(steady_s, rush_s, recovery_s, ended_s)


def expected_s(wish: Rush, parts: Sequence[Part]) -> float:
    """About how long it will take, for a clock: warm-up, the phases, and the last clips."""
    clip_s = sum(part.audio.duration_s for part in parts) / len(parts) + SILENCE_S
    return wish.streams * STAGGER_S + 3 * wish.seconds + 2 * clip_s
