import asyncio
import os
from dataclasses import replace

import pytest

from bench.process import ProcessWatch, Usage
from bench.usage import BeforeAndMost, Reading, readings_of, used
from tests.waiting import until

AT_FIRST = Usage(cpu_s=10.0, resident_bytes=200_000_000, threads=8, open_files=20)


def test_before_is_the_first_reading_and_most_is_of_all() -> None:
    readings = [
        Reading(100.0, AT_FIRST),
        Reading(100.5, replace(AT_FIRST, cpu_s=10.9, resident_bytes=260_000_000, threads=12)),
        Reading(102.0, replace(AT_FIRST, cpu_s=13.0, resident_bytes=210_000_000, open_files=21)),
    ]
    found = used(readings)
    assert found is not None
    assert (found.cpu_percent, found.cpu_s) == (150.0, 3.0)
    assert found.resident_mb == BeforeAndMost(200.0, 260.0)
    assert (found.threads, found.open_files) == (BeforeAndMost(8, 12), BeforeAndMost(20, 21))


def test_only_what_was_read_in_the_time_asked_for_counts() -> None:
    readings = [Reading(float(second), replace(AT_FIRST, cpu_s=second**2)) for second in range(10)]
    found = used(readings, 2.0, 4.0)
    assert found is not None
    assert (found.cpu_s, found.cpu_percent) == (12.0, 600.0)


@pytest.mark.parametrize("readings", [[], [Reading(1.0, AT_FIRST)], [Reading(1.0, AT_FIRST)] * 2])
def test_without_two_readings_nothing_is_told(readings: list[Reading]) -> None:
    assert used(readings) is None


async def test_a_process_is_read_at_the_beginning_now_and_then_and_at_the_end() -> None:
    async with readings_of(ProcessWatch(os.getpid()), interval_s=0.001) as readings:
        await until(lambda: len(readings) >= 3)
        before_the_end = len(readings)
    assert len(readings) == before_the_end + 1
    assert readings == sorted(readings, key=lambda reading: reading.at_s)
    assert used(readings) is not None


class Ended:
    has_ended = True

    def usage(self) -> None:
        return None


@pytest.mark.parametrize("process", [None, Ended()])
async def test_a_process_that_is_not_known_or_has_ended_gives_no_readings(process: Ended | None) -> None:
    async with readings_of(process, interval_s=0.001) as readings:
        await asyncio.sleep(0.01)
    assert readings == []
