"""Clips are cut into chunks that lose nothing, and paced against fixed times."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_server.api.clip import Clip, SentTimes, play


@given(
    frames=st.integers(0, 3000),
    channels=st.integers(1, 3),
    rate_hz=st.sampled_from([8_000, 11_025, 16_000, 44_100]),
    chunk_ms=st.integers(1, 100),
)
def test_chunks_add_up_to_the_clip_and_hold_whole_frames(frames: int, channels: int, rate_hz: int, chunk_ms: int) -> None:
    clip = Clip(np.arange(frames * channels, dtype="<i2").tobytes(), rate_hz, channels)
    chunks = list(clip.chunks(chunk_ms))
    assert b"".join(chunks) == clip.pcm
    assert all(chunk and len(chunk) % (2 * channels) == 0 for chunk in chunks)


def test_chunk_borders_do_not_drift_where_a_chunk_is_no_whole_number_of_samples() -> None:
    clip = Clip(bytes(2 * 11_025), 11_025, 1)
    assert len(list(clip.chunks(20))) == 50  # 220.5 samples each


class Clock:
    """Time that passes only while somebody sleeps, or is set."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.sleeps_s: list[float] = []

    def now(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.sleeps_s.append(seconds)
        self.now_s += seconds


async def test_in_real_time_a_chunk_comes_when_a_microphone_would_have_it_whole() -> None:
    clock, sent = Clock(), SentTimes(32_000)
    clip = Clip(bytes(1600), 16_000, 1)
    times = [clock.now_s async for _ in play(clip.chunks(20), 32_000, realtime=True, sent=sent, now=clock.now, sleep=clock.sleep)]
    assert times == pytest.approx([100.02, 100.04, 100.05])
    assert sent.audio_s == 0.05


async def test_being_late_once_does_not_make_the_rest_late() -> None:
    clock = Clock()
    times = []
    async for _ in play([bytes(640)] * 4, 32_000, realtime=True, now=clock.now, sleep=clock.sleep):
        times.append(clock.now_s)
        if len(times) == 1:
            clock.now_s += 0.05  # a slow transport
    assert times == pytest.approx([100.02, 100.07, 100.07, 100.08])


async def test_without_pace_nobody_waits() -> None:
    clock = Clock()
    assert [chunk async for chunk in play([b"ab", b"cd"], 32_000, now=clock.now, sleep=clock.sleep)] == [b"ab", b"cd"]
    assert clock.sleeps_s == []


def test_a_position_was_sent_with_the_chunk_that_holds_the_sample_before_it() -> None:
    sent = SentTimes(32_000)
    assert sent.sent_at_s(0.0) is None
    for at_s in (1.0, 2.0, 3.0):
        sent.note(640, at_s)
    assert [sent.sent_at_s(position) for position in (0.0, 0.01, 0.02, 0.0204, 0.03, 0.06, 9.0)] == [1.0, 1.0, 1.0, 1.0, 2.0, 3.0, 3.0]
