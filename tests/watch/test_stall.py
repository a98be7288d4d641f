import asyncio
import time

import pytest

from asr_server.watch.stall import LoopStallMonitor
from tests.fake_clock import FakeClock


async def test_a_call_that_blocks_the_loop_is_seen() -> None:
    async with LoopStallMonitor(interval_s=0.01) as monitor:
        time.sleep(0.1)  # noqa: ASYNC251 - the fault that is to be seen
        await asyncio.sleep(0.02)

    assert monitor.longest_ms >= 89


async def test_a_stall_is_seen_before_the_loop_runs_again() -> None:
    async with LoopStallMonitor(interval_s=0.01) as monitor:
        time.sleep(0.1)  # noqa: ASYNC251 - the fault that is to be seen

        assert monitor.longest_ms >= 89


async def test_a_delay_counts_from_when_the_wake_up_was_due_and_the_longest_stays() -> None:
    clock = FakeClock()
    async with LoopStallMonitor(interval_s=0.001, now=clock) as monitor:
        for blocked_ms in (51, 21):
            clock.advance_ms(blocked_ms)
            await asyncio.sleep(0.01)

        assert monitor.longest_ms == pytest.approx(50)


async def test_reset_forgets_also_a_delay_in_progress() -> None:
    clock = FakeClock()
    async with LoopStallMonitor(interval_s=0.001, now=clock) as monitor:
        clock.advance_ms(51)
        monitor.reset()
        assert monitor.longest_ms == 0

        clock.advance_ms(7)
        assert monitor.longest_ms == pytest.approx(7)


async def test_what_was_seen_stays_after_stop_and_later_time_does_not_count() -> None:
    clock = FakeClock()
    async with LoopStallMonitor(interval_s=0.001, now=clock) as monitor:
        clock.advance_ms(11)
    clock.advance_ms(500)

    assert monitor.longest_ms == pytest.approx(10)


async def test_who_asks_from_time_to_time_hears_of_each_stall_once() -> None:
    clock = FakeClock()
    async with LoopStallMonitor(interval_s=0.001, now=clock) as monitor:
        clock.advance_ms(51)
        await asyncio.sleep(0.01)

        assert monitor.take_longest_s() == pytest.approx(0.05)
        assert monitor.take_longest_s() == 0
        assert monitor.longest_ms == pytest.approx(50)


async def test_nothing_is_left_running_after_stop() -> None:
    before = asyncio.all_tasks()
    async with LoopStallMonitor():
        await asyncio.sleep(0)

    assert asyncio.all_tasks() == before


@pytest.mark.parametrize("interval_s", [0.0, -1.0])
def test_an_interval_that_is_not_positive_is_refused(interval_s: float) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        LoopStallMonitor(interval_s=interval_s)
