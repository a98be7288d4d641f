"""Which clips of a steady load count, and that the load is steady."""

import asyncio
import heapq
import itertools
from collections.abc import AsyncGenerator, AsyncIterator
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_server.accuracy.manifest import Clip
from asr_server.api.client import Control
from asr_server.api.clip import Clip as Audio
from asr_server.api.limits import Limits
from asr_server.api.options import StreamOptions
from asr_server.api.results import Heard
from bench.capacity import heard_of
from bench.commands.speaking import client_of, ready
from bench.load import Course, Load, Turn, expected_s, in_order, steady_load
from bench.speech_end import SpeechEnd
from bench.streams import Part
from tests.api.harness import speech_server
from tests.bench.fake_server import RATE_HZ, FakeServer, final, utterance_ended
from tests.recordings import recording


def part(name: str = "a", duration_s: float = 0.1) -> Part:
    return Part(Clip(name, Path("a.wav"), "hello"), Audio(bytes(int(duration_s * RATE_HZ) * 2), RATE_HZ, 1), SpeechEnd(duration_s, "words"))


def test_nothing_counts_before_every_stream_has_spoken_its_first_clip() -> None:
    course = Course(Load(streams=2, seconds=10))
    assert not course.begin(0.0)
    assert not course.begin(0.4)
    course.end(0, 5.0, counted=False)
    assert not course.begin(5.0)
    course.end(1, 6.0, counted=False)
    assert course.begin(6.0)


def test_it_is_over_when_time_is_up_and_the_last_clip_that_counts_has_ended() -> None:
    course = Course(Load(streams=2, seconds=10))
    for stream in (0, 1):
        course.begin(0.0)
        course.end(stream, 5.0, counted=False)
    assert course.begin(5.0)
    assert course.begin(14.9)
    course.end(0, 15.5, counted=True)
    assert not course.begin(15.5)
    assert not course.over
    course.end(1, 19.0, counted=True)
    assert course.over
    assert (course.span.begun_s, course.span.ended_s, course.span.seconds) == (5.0, 19.0, 14.0)


def test_the_time_is_prolonged_until_enough_clips_have_begun() -> None:
    course = Course(Load(streams=1, seconds=1, min_clips=3))
    course.begin(0.0)
    course.end(0, 5.0, counted=False)
    counted = []
    for number in range(1, 5):
        counted.append(course.begin(number * 5.0))
        if counted[-1]:
            course.end(0, number * 5.0 + 5.0, counted=True)
    assert counted == [True, True, True, False]
    assert course.over


def test_it_is_over_also_when_time_ran_out_while_no_clip_was_open() -> None:
    """Every call failed, and its stream was waiting to call again."""
    course = Course(Load(streams=1, seconds=10))
    course.begin(0.0)
    course.end(0, 0.0, counted=False)
    assert course.begin(9.0)
    course.end(0, 9.0, counted=True)
    assert not course.over
    assert not course.begin(10.0)
    assert course.over


@given(
    streams=st.integers(1, 5),
    seconds=st.floats(0, 30),
    min_clips=st.integers(0, 10),
    clips_s=st.lists(st.floats(0.1, 5), min_size=1, max_size=20),
)
def test_whatever_the_clips_take_it_ends_when_those_that_count_are_enough_and_have_all_ended(
    streams: int, seconds: float, min_clips: int, clips_s: list[float]
) -> None:
    course = Course(Load(streams, seconds, min_clips))
    took_s = itertools.cycle(clips_s)
    speaking = [(next(took_s), stream, course.begin(0.0)) for stream in range(streams)]
    begun_s: list[float] = []
    ended_s: list[float] = []
    now_s = 0.0
    while not course.over:
        heapq.heapify(speaking)
        now_s, stream, counted = heapq.heappop(speaking)
        course.end(stream, now_s, counted=counted)
        if counted:
            ended_s.append(now_s)
        if not course.over:
            counted = course.begin(now_s)
            if counted:
                begun_s.append(now_s)
            heapq.heappush(speaking, (now_s + next(took_s), stream, counted))
        assert now_s <= 5 + seconds + 5 * min_clips + 10, "it never ends"
    assert len(begun_s) == len(ended_s) >= min_clips
    assert course.span.ended_s == max(ended_s, default=course.span.begun_s)
    assert all(course.span.begun_s <= at_s for at_s in begun_s)
    assert len([at_s for at_s in begun_s if at_s - course.span.begun_s >= seconds]) <= min_clips
    assert now_s - course.span.begun_s >= seconds


def test_every_clip_comes_once_then_again_in_another_order_and_streams_differ() -> None:
    parts = [part(name) for name in "abcdef"]
    orders = [[one.clip.id for one in islice(in_order(parts, 1, stream), 12)] for stream in (0, 1)]
    assert all(sorted(order[:6]) == sorted(order[6:]) == list("abcdef") for order in orders)
    assert orders[0] != orders[1]
    assert orders[0][:6] != orders[0][6:]
    assert orders[0] == [one.clip.id for one in islice(in_order(parts, 1, 0), 12)]


async def no_sleep(_: float) -> None:
    await asyncio.sleep(0)


async def test_so_many_streams_speak_at_once_and_first_clips_are_left_out() -> None:
    server = FakeServer([(0.12, final("hello", 0.0, 0.1)), (0.12, utterance_ended(0.12))])
    turns: list[Turn] = []
    span = await steady_load(server, [part(name) for name in "ab"], Load(3, 0.3, min_clips=7), ended=turns.append, sleep=no_sleep)
    assert server.most_open == 3
    assert len(turns) >= 7
    assert {turn.stream for turn in turns} == {0, 1, 2}
    assert all(span.begun_s <= turn.begun_s <= span.ended_s for turn in turns)
    assert all(turn.spoken.text == "hello" for turn in turns)
    assert span.seconds >= 0.3


LONG_CALL, OTHERS_MEANWHILE = 4, 20


class OneLongCall:
    """Two streams: the fourth call, which counts, ends when twenty calls have begun; all others are short."""

    def __init__(self) -> None:
        self.calls = 0
        self.open = 0
        self.open_beside_the_long_one = 0
        self._others_called = asyncio.Event()

    async def stream(self, audio: AsyncIterator[bytes | Control], options: StreamOptions | None = None) -> AsyncGenerator[Heard, None]:
        self.calls += 1
        self.open += 1
        try:
            if self.calls == LONG_CALL:
                await self._others_called.wait()
                self.open_beside_the_long_one = self.open - 1
            else:
                if self.calls == OTHERS_MEANWHILE:
                    self._others_called.set()
                for _ in range(5):
                    await asyncio.sleep(0)
        finally:
            self.open -= 1
        answers: tuple[Heard, ...] = ()
        for answer in answers:
            yield answer


async def test_streams_go_on_uncounted_until_the_last_clip_that_counts_has_ended() -> None:
    """By a clock that moves on by 10 ms whenever it is read."""
    ticks = itertools.count()
    server = OneLongCall()
    turns: list[Turn] = []
    span = await steady_load(server, [part()], Load(2, 0.1), ended=turns.append, now=lambda: next(ticks) / 100, sleep=no_sleep)
    assert server.calls >= OTHERS_MEANWHILE > len(turns) + 5
    assert all(turn.begun_s - span.begun_s < 0.1 for turn in turns)
    assert max(turn.begun_s for turn in turns) < span.ended_s
    assert (server.open_beside_the_long_one, server.open) == (1, 0)


async def test_a_caller_whose_call_failed_waits_before_the_next() -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await asyncio.sleep(0)

    turns: list[Turn] = []
    await steady_load(FakeServer(fails=True), [part()], Load(1, 0.0, min_clips=3), ended=turns.append, sleep=sleep)
    assert [turn.spoken.error for turn in turns] == ["broken"] * 3
    assert waits.count(1.0) == 3


@pytest.mark.parametrize(("load", "seconds"), [(Load(1, 30), 30), (Load(1, 30, min_clips=20), 20 * 3.5), (Load(8, 30, min_clips=20), 30)])
def test_a_load_says_about_how_long_it_will_take(load: Load, seconds: float) -> None:
    assert seconds < expected_s(load, [part(duration_s=2.0)]) < seconds + 15


async def test_a_stream_that_the_server_has_no_room_for_counts_as_refused() -> None:
    """One session at a time, two streams: while one speaks, the other is refused, and is not let in later by trying again."""
    (ready_part,) = ready([Clip("hello", recording("hello_world"), "Hello world.")])
    turns: list[Turn] = []
    async with speech_server(limits=Limits(max_sessions=1)) as running, client_of(running.target, [ready_part]) as client:
        await steady_load(client, [ready_part], Load(2, 0.0, min_clips=2), ended=turns.append)
    heard = heard_of(turns)
    assert (heard.clips, heard.refused, heard.failed) == (2, 1, 0)
