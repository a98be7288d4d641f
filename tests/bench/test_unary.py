import asyncio
from collections.abc import Mapping

import pytest

from asr_server.api.options import StreamOptions
from asr_server.api.results import Result
from asr_server.errors import CallFailed, ServerBusy, SpeechError
from bench.unary import Answered, File, Throughput, best, climb, closed_loop, throughput

FILES = [File(b"one", 2.0, "en"), File(b"two", 4.0, "de")]


class FakeServer:
    """Takes a hundredth of a second for a file; the n-th call may fail."""

    def __init__(self, failures: Mapping[int, SpeechError] | None = None) -> None:
        self.asked: list[tuple[bytes, str]] = []
        self.most_open = 0
        self._open = 0
        self._failures = failures or {}

    async def recognize(self, data: bytes, options: StreamOptions | None = None) -> list[Result]:
        assert options is not None
        self.asked.append((data, options.language_code))
        number = len(self.asked)
        self._open += 1
        self.most_open = max(self.most_open, self._open)
        await asyncio.sleep(0.01)
        self._open -= 1
        if number in self._failures:
            raise self._failures[number]
        return []


async def test_so_many_callers_send_their_next_file_when_they_have_the_answer_to_the_last() -> None:
    server = FakeServer()
    measured = await closed_loop(server, FILES, concurrency=3, seconds=0.3)
    assert server.most_open == 3
    assert set(server.asked) == {(b"one", "en"), (b"two", "de")}
    assert 0 < measured.requests <= len(server.asked) - 3  # first answers, and those after the time, are left out
    assert measured.requests_per_s == pytest.approx(measured.requests / 0.3, abs=0.01)
    assert 2.0 <= measured.audio_s_per_s / measured.requests_per_s <= 4.0
    assert measured.latency_ms["p50"] is not None


async def test_a_caller_that_was_refused_or_failed_waits_before_it_calls_again() -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    server = FakeServer({2: ServerBusy("RESOURCE_EXHAUSTED", "full"), 3: CallFailed("INTERNAL", "broken")})
    measured = await closed_loop(server, FILES, concurrency=1, seconds=0.1, sleep=sleep)
    assert (measured.refused, measured.failed) == (1, 1)
    assert waits == [1.0, 1.0]


def test_only_answers_are_timed_and_counted() -> None:
    failed = Answered(3.0, 5.0, 8.0, CallFailed("INTERNAL", "broken"))
    calls = [Answered(1.0, 100.0, 2.0), Answered(2.0, 300.0, 4.0), failed]
    assert throughput(calls, concurrency=2, seconds=4.0) == Throughput(
        concurrency=2,
        requests=2,
        requests_per_s=0.5,
        audio_s_per_s=1.5,
        latency_ms={"p50": 100.0, "p95": 300.0, "p99": 300.0, "max": 300.0},
        failed=1,
        refused=0,
    )


def reached(concurrency: int, requests_per_s: float, *, refused: int = 0, failed: int = 0) -> Throughput:
    return Throughput(concurrency, 10, requests_per_s, 0.0, {}, failed, refused)


class FakeMachine:
    """Has been told what it reaches at which concurrency."""

    def __init__(self, *levels: Throughput) -> None:
        self._levels = {level.concurrency: level for level in levels}

    async def measure(self, concurrency: int) -> Throughput:
        return self._levels[concurrency]


async def test_more_callers_are_tried_as_long_as_they_bring_more() -> None:
    machine = FakeMachine(reached(1, 5.0), reached(2, 9.0), reached(4, 9.2))
    tried = await climb(machine.measure)
    assert [one.concurrency for one in tried] == [1, 2, 4]
    assert best(tried).concurrency == 4


async def test_no_more_are_tried_than_the_most_nor_after_a_refusal() -> None:
    machine = FakeMachine(reached(1, 5.0), reached(2, 9.0), reached(4, 90.0, refused=1))
    assert [one.concurrency for one in await climb(machine.measure, most=2)] == [1, 2]
    tried = await climb(machine.measure)
    assert [one.concurrency for one in tried] == [1, 2, 4]
    assert best(tried).concurrency == 2


@pytest.mark.parametrize("trouble", [{"refused": 1}, {"failed": 1}])
async def test_where_one_caller_is_refused_or_fails_no_more_are_sent(trouble: Mapping[str, int]) -> None:
    machine = FakeMachine(reached(1, 5.0, **trouble))
    assert [one.concurrency for one in await climb(machine.measure)] == [1]


def test_where_every_level_had_failures_the_fastest_is_told_with_them() -> None:
    assert best([reached(2, 1.0, failed=3), reached(4, 2.0, failed=1)]).concurrency == 4
