import asyncio

from asr_server.api.clip import Clip
from bench.pace import Microphone
from bench.validity import invalid_because
from tests.fake_clock import FakeClock


def test_a_bench_that_is_in_time_is_valid() -> None:
    assert invalid_because([0.5] * 99 + [10.0], 100.0) == []


def test_chunks_that_are_often_late_make_a_run_invalid() -> None:
    assert invalid_because([0.5] * 97 + [10.1] * 3, 0.0) == ["the bench woke late for its chunks: p99 10.1 ms, allowed 10"]


def test_one_chunk_that_is_very_late_makes_a_run_invalid() -> None:
    assert invalid_because([0.5] * 200 + [101.0], 0.0) == ["the bench woke 101 ms late for a chunk, allowed 100"]


def test_a_stall_of_the_loop_makes_a_run_invalid() -> None:
    assert invalid_because([0.5], 150.4) == ["the bench's event loop stalled for 150 ms, allowed 100"]


def test_every_reason_is_told() -> None:
    assert len(invalid_because([500.0], 500.0)) == 3


def test_nothing_sent_was_not_late() -> None:
    assert invalid_because([], 0.0) == []


def test_a_bench_without_processor_to_spare_makes_a_run_invalid() -> None:
    assert invalid_because([0.5], 0.0, cpu_percent=80.0) == []
    assert invalid_because([0.5], 0.0, cpu_percent=95.2) == ["the bench used 95 % of a core, allowed 80"]


LATE_MS = [0.0] * 90 + [400.0] * 10


def test_chunks_taken_late_are_the_servers_doing_where_the_bench_had_time() -> None:
    assert invalid_because([0.5] * 100, 3.0, taken_late_ms=LATE_MS, cpu_percent=12.0) == []


def test_chunks_taken_late_beside_a_bench_of_which_nothing_is_known_cannot_be_told() -> None:
    assert invalid_because([0.5] * 100, 3.0, taken_late_ms=LATE_MS) == [
        "chunks were taken late, p99 400 ms, and whether by server or bench cannot be told: the bench's processor time is not known"
    ]
    assert invalid_because([0.5] * 100, 3.0, taken_late_ms=[100.0]) == []


def test_a_loop_that_is_slow_at_every_turn_without_a_stall_is_seen() -> None:
    """6 ms a turn and three turns until a chunk is taken: 18 ms and the 6 of the wake-up are more than a chunk."""
    clock = FakeClock()

    async def sleep(seconds: float) -> None:
        clock.advance_ms(seconds * 1000 + 6)

    async def send(microphone: Microphone) -> None:
        async for _chunk in microphone.chunks():
            clock.advance_ms(3 * 6)

    microphone = Microphone(Clip(bytes(9 * 16_000), 8_000, 1), now=clock, sleep=sleep)
    asyncio.run(send(microphone))
    own_ms, late_ms = [lag.own_ms for lag in microphone.lags], [lag.taken_late_ms for lag in microphone.lags]
    assert invalid_because(own_ms, 12.0, cpu_percent=60.0) == []
    (reason,) = invalid_because(own_ms, 12.0, taken_late_ms=late_ms, cpu_percent=60.0)
    assert reason.endswith("cannot be told: half of its chunks the bench woke for 6.0 ms late or more, allowed 2.5")
