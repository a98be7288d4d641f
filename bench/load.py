"""A steady load: exactly so many streams at once, all the time, each speaking one clip after another. README.md says which clips count."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.streams import STAGGER_S, Ask, Part, Server, Spoken, speak

AFTER_FAILURE_S = 1.0
"""A caller that was refused, or whose call failed, does not call again at once."""

SILENCE_S = 1.5
"""About how long a stream is open after its clip: the pause that ends an utterance."""


@dataclass(frozen=True, slots=True)
class Load:
    streams: int
    seconds: float
    """Clips begun in this time count; it begins when every stream has spoken its first clip."""
    min_clips: int = 0
    """The time is prolonged until so many clips have begun in it."""
    ask: Ask = field(default_factory=Ask)
    seed: int = 0
    """Of the orders in which the clips are spoken."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One clip that counts."""

    stream: int
    begun_s: float
    """By the clock of the load."""
    spoken: Spoken


@dataclass(frozen=True, slots=True)
class Span:
    """When a load counted, by its clock."""

    begun_s: float
    ended_s: float
    """The last clip that counts has ended."""

    @property
    def seconds(self) -> float:
        return self.ended_s - self.begun_s


class Course:
    """Which clips count, and when it is over. Knows no clock: times come in, and never run backwards."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._cold = set(range(load.streams))
        self._begun = 0
        self._open = 0
        self._from_s: float | None = None
        self._ended_s = 0.0
        self.over = False
        """All clips that count have ended, and none will begin."""

    def begin(self, now_s: float) -> bool:
        """A clip begins: does it count?"""
        if self._from_s is None or self._is_enough(now_s):
            self._finish()
            return False
        self._begun += 1
        self._open += 1
        return True

    def end(self, stream: int, now_s: float, *, counted: bool) -> None:
        """A clip of `stream` has ended."""
        self._cold.discard(stream)
        if self._from_s is None and not self._cold:
            self._from_s = self._ended_s = now_s
        if counted:
            self._open -= 1
            self._ended_s = now_s
            if self._is_enough(now_s):
                self._finish()

    @property
    def span(self) -> Span:
        assert self._from_s is not None, "streams are still warming up"
        return Span(self._from_s, self._ended_s)

    def _is_enough(self, now_s: float) -> bool:
        return self._from_s is not None and now_s - self._from_s >= self._load.seconds and self._begun >= self._load.min_clips

    def _finish(self) -> None:
        self.over = self._from_s is not None and self._open == 0


def in_order(parts: Sequence[Part], seed: int, stream: int) -> Iterator[Part]:
    """Without end: all of the clips, each once, then again in another order. The same for the same `seed` and `stream`."""
    generator = np.random.default_rng([seed, stream])
    while True:
        for index in generator.permutation(len(parts)):
            yield parts[index]


def expected_s(load: Load, parts: Sequence[Part]) -> float:
    """About how long it will take, for a clock: warm-up, the measured time, and the last clips."""
    clip_s = sum(part.audio.duration_s for part in parts) / len(parts) + SILENCE_S
    return load.streams * STAGGER_S + 2 * clip_s + max(load.seconds, load.min_clips / load.streams * clip_s)


async def steady_load(
    server: Server,
    parts: Sequence[Part],
    load: Load,
    *,
    ended: Callable[[Turn], None],
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Span:
    """`ended` is told of each clip that counts, when it has ended.

    Streams go on speaking, uncounted, until the last clip that counts has ended, so that it too had all the others beside it; then what
    they are saying is cancelled.
    """
    course = Course(load)
    over = asyncio.Event()

    async def speaker(stream: int) -> None:
        await sleep(stream * STAGGER_S)
        for part in in_order(parts, load.seed, stream):
            begun_s = now()
            counted = course.begin(begun_s)
            if course.over:
                break
            spoken = await speak(server, part, load.ask)
            course.end(stream, now(), counted=counted)
            if counted:
                ended(Turn(stream, begun_s, spoken))
            if course.over:
                break
            if spoken.error:
                await sleep(AFTER_FAILURE_S)
        over.set()

    async with asyncio.TaskGroup() as group:
        speakers = [group.create_task(speaker(stream)) for stream in range(load.streams)]
        await over.wait()
        for one in speakers:
            one.cancel()
    return course.span
