"""Since when it has been quiet: what counts as speech for the end of a segment."""

import numpy as np
import pytest

from asr_server.session.quiet import LEVEL_FRAMES, MAX_BELOW_SPEECH_DB, MIN_PROBABILITY, QuietClock
from audio_norm import Samples

FRAME = 320


def frame(level_db: float) -> Samples:
    """Of so many dBFS on average."""
    return np.full(FRAME, 10 ** (level_db / 20), np.float32)


class Heard:
    """A clock that is given frames one after another."""

    def __init__(self) -> None:
        self.clock = QuietClock()

    def hear(self, probability: float, level_db: float, frames: int = 1) -> bool:
        """Whether the last of them counted as speech."""
        is_speech = False
        for _ in range(frames):
            is_speech = self.clock.push(probability, frame(level_db))
        return is_speech


@pytest.fixture
def heard() -> Heard:
    return Heard()


def test_what_the_detector_is_sure_of_is_speech_and_what_it_is_not_is_silence(heard: Heard) -> None:
    assert heard.hear(0.9, -20, frames=5)
    assert not heard.hear(0.1, -60, frames=3)


def test_a_breath_far_below_the_speech_does_not_count_however_sure_the_detector_is(heard: Heard) -> None:
    heard.hear(0.9, -20, frames=10)
    assert not heard.hear(0.99, -20 - MAX_BELOW_SPEECH_DB - 1)
    assert heard.hear(0.99, -20 - MAX_BELOW_SPEECH_DB + 1)


def test_something_loud_that_the_detector_takes_for_noise_does_not_count(heard: Heard) -> None:
    heard.hear(0.9, -20, frames=10)
    assert not heard.hear(MIN_PROBABILITY - 0.01, -5)
    assert heard.hear(MIN_PROBABILITY, -20)


def test_noise_does_not_raise_the_level_that_speech_is_held_against(heard: Heard) -> None:
    heard.hear(0.9, -40, frames=10)
    heard.hear(0.1, 0, frames=LEVEL_FRAMES)
    assert heard.hear(0.9, -40)


def test_the_level_of_the_speech_outlasts_a_long_pause(heard: Heard) -> None:
    heard.hear(0.9, -20, frames=10)
    heard.hear(0.0, -90, frames=10 * LEVEL_FRAMES)
    assert not heard.hear(0.9, -50)
    assert heard.hear(0.9, -25)


def test_the_level_follows_a_speaker_who_has_become_quieter(heard: Heard) -> None:
    heard.hear(0.9, -10, frames=10)
    assert not heard.hear(0.9, -40)
    assert heard.hear(0.9, -40, frames=LEVEL_FRAMES)


def test_quiet_speech_is_speech_where_nothing_louder_was_heard(heard: Heard) -> None:
    assert heard.hear(0.9, -70)


def test_an_empty_frame_is_silence(heard: Heard) -> None:
    heard.hear(0.9, -20)
    assert not heard.clock.push(0.9, np.empty(0, np.float32))
