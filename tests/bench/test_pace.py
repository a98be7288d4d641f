import asyncio
from collections.abc import Sequence

import numpy as np
import pytest

from asr_server.api.clip import Clip
from bench.pace import CHUNK_MS, Lag, Microphone, dither
from tests.fake_clock import FakeClock


def clip(duration_ms: int, rate_hz: int = 8_000, channels: int = 1) -> Clip:
    """Every sample is 1000."""
    samples = np.full(duration_ms * rate_hz // 1000 * channels, 1000, "<i2")
    return Clip(samples.tobytes(), rate_hz, channels)


async def listen(microphone: Microphone, *, busy_ms: Sequence[float] = (), close_after: int | None = None) -> list[bytes]:
    """Takes every chunk; after the n-th is busy for `busy_ms[n]`."""
    taken: list[bytes] = []
    clock = microphone.now
    assert isinstance(clock, FakeClock)
    async for chunk in microphone.chunks():
        taken.append(chunk)
        if len(taken) <= len(busy_ms):
            clock.advance_ms(busy_ms[len(taken) - 1])
        if len(taken) == close_after:
            microphone.close()
    return taken


def make(audio: Clip, *, max_silence_s: float = 0.1, oversleeps_ms: Sequence[float] = ()) -> Microphone:
    """Of its n-th chunk it wakes `oversleeps_ms[n]` too late."""
    clock = FakeClock()
    too_late_ms = iter(oversleeps_ms)

    async def sleep(seconds: float) -> None:
        clock.advance_ms(seconds * 1000 + next(too_late_ms, 0.0))

    return Microphone(audio, max_silence_s, clock, sleep)


def test_chunks_leave_when_a_microphone_has_them_whole() -> None:
    microphone = make(clip(60))
    start_s = microphone.now()
    asyncio.run(listen(microphone, close_after=3))
    assert microphone.now() == pytest.approx(start_s + 0.080)  # of the fourth, which did not go
    assert microphone.sent_s == pytest.approx(0.060)
    assert max(lag.ms for lag in microphone.lags) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(("position_s", "due_ms"), [(0.0, 20), (0.020, 20), (0.0204, 20), (0.021, 40), (0.040, 40), (1.0, 1000)], ids=str)
def test_a_position_was_due_with_its_chunk_whenever_that_went(position_s: float, due_ms: float) -> None:
    microphone = make(clip(60))
    start_s = microphone.now()
    asyncio.run(listen(microphone, busy_ms=(50, 50, 50)))
    assert microphone.due_at_s(position_s) == pytest.approx(start_s + due_ms / 1000)


def test_positions_follow_the_chunks_where_these_are_no_whole_number_of_samples() -> None:
    """At 11.025 kHz 20 ms are 220.5 samples: a chunk of 220 lasts a little less than its turn."""
    microphone = make(clip(2000, rate_hz=11_025))
    assert microphone.due_at_s(90 * 220 / 11_025) == pytest.approx(microphone.start_s + 90 * 0.020)


def test_it_begins_when_it_is_made_and_what_is_not_asked_for_waits() -> None:
    microphone = make(clip(60))
    clock = microphone.now
    assert isinstance(clock, FakeClock)
    clock.advance_ms(50)
    asyncio.run(listen(microphone))
    assert lags(microphone)[:4] == [Lag(0, 30), Lag(0, 10), Lag(0, 0), Lag(0, 0)]


def test_being_late_once_does_not_make_the_rest_late() -> None:
    microphone = make(clip(100))
    asyncio.run(listen(microphone, busy_ms=(50,)))
    assert [lag.ms for lag in microphone.lags[:5]] == pytest.approx([0, 30, 10, 0, 0], abs=1e-6)


def lags(microphone: Microphone) -> list[Lag]:
    return [Lag(round(lag.own_ms, 6), round(lag.taken_late_ms, 6)) for lag in microphone.lags]


def test_a_chunk_that_was_asked_for_too_late_was_not_taken_in_time() -> None:
    microphone = make(clip(60))
    asyncio.run(listen(microphone, busy_ms=(50,)))
    assert lags(microphone)[:4] == [Lag(0, 0), Lag(0, 30), Lag(0, 10), Lag(0, 0)]


def test_waking_late_is_the_benchs_own_lag() -> None:
    microphone = make(clip(60), oversleeps_ms=(0, 7, 0, 0))
    asyncio.run(listen(microphone))
    assert lags(microphone)[:4] == [Lag(0, 0), Lag(7, 0), Lag(0, 0), Lag(0, 0)]


def test_a_chunk_may_be_late_for_both_reasons() -> None:
    microphone = make(clip(60), oversleeps_ms=(0, 7, 0, 0))
    asyncio.run(listen(microphone, busy_ms=(50,)))
    assert lags(microphone)[1] == Lag(7, 30)
    assert microphone.lags[1].ms == pytest.approx(37)


@pytest.mark.parametrize(("rate_hz", "channels"), [(8_000, 1), (16_000, 2), (44_100, 1), (48_000, 2)])
def test_the_clip_comes_whole_and_then_silence(rate_hz: int, channels: int) -> None:
    audio = clip(130, rate_hz, channels)
    sent = b"".join(asyncio.run(listen(make(audio))))
    assert sent.startswith(audio.pcm)
    assert np.abs(np.frombuffer(sent[len(audio.pcm) :], "<i2")).max() == 1
    assert len(sent) / audio.bytes_per_second == pytest.approx(0.140 + 0.1)


def test_nothing_comes_after_it_was_closed() -> None:
    assert len(asyncio.run(listen(make(clip(60)), close_after=4))) == 4


def test_left_alone_it_closes_after_the_longest_silence() -> None:
    assert len(asyncio.run(listen(make(clip(60), max_silence_s=1.0)))) == (60 + 1000) // CHUNK_MS


def test_silence_is_small_never_flat_and_always_the_same() -> None:
    samples = np.frombuffer(dither(640), "<i2")
    assert set(samples.tolist()) == {-1, 0, 1}
    assert dither(640) == dither(640)
