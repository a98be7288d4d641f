"""What callers send who have nothing to say, and those who go on and on."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from asr_server.accuracy.manifest import Clip
from asr_server.api.client import Control
from asr_server.api.clip import Clip as Audio
from bench.pace import Microphone
from bench.quiet import KEEP_ALIVE_EVERY_S, RATE_HZ, KeepAlives, Quiet, in_mid_speech, waiting
from bench.speech_end import SpeechEnd
from bench.streams import Part
from tests.fake_clock import FakeClock


async def taken(source: KeepAlives, busy_s: Sequence[float]) -> list[object]:
    """As many messages as there are `busy_s`: after each, nothing is taken for so long."""
    clock = source.now
    assert isinstance(clock, FakeClock)
    messages: list[object] = []
    async for message in source.chunks():
        messages.append(message)
        clock.advance_ms(busy_s[len(messages) - 1] * 1000)
        if len(messages) == len(busy_s):
            break
    return messages


def keep_alives(clock: FakeClock) -> KeepAlives:
    async def sleep(seconds: float) -> None:
        clock.advance_ms(seconds * 1000)

    return KeepAlives(clock, sleep)


def test_keep_alive_goes_every_five_seconds_however_long_one_takes() -> None:
    clock = FakeClock(100.0)
    source = keep_alives(clock)
    assert asyncio.run(taken(source, (0.0, 7.0, 0.0))) == [Control.KEEP_ALIVE] * 3
    assert clock() == pytest.approx(100.0 + 2 * KEEP_ALIVE_EVERY_S + 7.0)
    assert [lag.taken_late_ms for lag in source.lags] == pytest.approx([0.0, 0.0, 2000.0])


async def test_silence_comes_in_messages_of_the_length_that_is_asked_for() -> None:
    source = waiting(Quiet.SILENCE, 10)
    async for chunk in source.chunks():
        assert isinstance(chunk, bytes)
        assert len(chunk) == 2 * RATE_HZ // 100
        assert set(np.frombuffer(chunk, "<i2").tolist()) == {-1, 0, 1}
        break
    assert isinstance(source, Microphone)
    assert source.due_at_s(1.0) - source.start_s == pytest.approx(1.0)
    assert isinstance(waiting(Quiet.KEEP_ALIVE, 100), KeepAlives)


@pytest.mark.parametrize("channels", [1, 2])
def test_mid_speech_is_the_clips_speech_over_and_over_without_its_silence(channels: int) -> None:
    samples = np.zeros((8_000, channels), "<i2")
    samples[2_000:6_000] = 1000
    part = Part(Clip("a", Path("a.wav"), "hello"), Audio(samples.tobytes(), 8_000, channels), SpeechEnd(0.75, "words"), 0.25)
    said = in_mid_speech(part, 3.2)
    assert (said.rate_hz, said.channels) == (8_000, channels)
    assert said.duration_s == pytest.approx(3.5)
    assert set(np.frombuffer(said.pcm, "<i2").tolist()) == {1000}


def test_a_clip_in_which_no_speech_was_found_is_said_whole() -> None:
    part = Part(Clip("a", Path("a.wav"), "hello"), Audio(bytes(16_000), 8_000, 1), SpeechEnd(0.0, "words"), 0.0)
    assert in_mid_speech(part, 1.5).duration_s == pytest.approx(2.0)
