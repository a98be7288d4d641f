"""Speech that only the gate hears: softer, or farther away, than the clock of silences takes for speech."""

from itertools import pairwise

import numpy as np

from tests.session.script import MS, Script, silence, soft_speech, speech

OPTIONS = {"vad_stop_ms": 300, "speculate_after_ms": 100}


def test_it_is_recognised_when_it_lasts() -> None:
    script = Script(**OPTIONS)
    lines = script.hear(soft_speech(1_000), silence(400))
    assert lines[0] == "speech from 0"
    assert lines[-2:] == ["speech to 1000", "promote 1 after 300 ms"]


def test_a_short_one_alone_is_not() -> None:
    assert Script(**OPTIONS).hear(soft_speech(200), silence(600)) == []


def test_after_loud_speech_it_is_a_segment_of_its_own() -> None:
    script = Script(**OPTIONS)
    lines = script.hear(speech(1_000), silence(320), soft_speech(1_000), silence(400))
    assert "speech from 1320" in lines
    assert "speech to 2320" in lines


def test_nothing_of_it_is_lost_when_it_goes_on_from_loud_speech() -> None:
    script = Script(**OPTIONS)
    script.hear(speech(1_000), soft_speech(2_000), silence(400))
    first, *_, last = [window for window in script.windows() if window.purpose.name != "PARTIAL"]
    assert first.window.start_sample == 0
    assert last.window.end_sample >= 3_000 * MS
    covered = sorted((wanted.window.start_sample, wanted.window.end_sample) for wanted in script.windows())
    assert all(after[0] <= before[1] for before, after in pairwise(covered))


def test_half_close_asks_for_it_however_short() -> None:
    script = Script(**OPTIONS)
    script.hear(soft_speech(200))
    assert script.close()[0] == "speech from 0"


def test_it_keeps_no_more_audio_than_its_segment() -> None:
    script = Script(**OPTIONS, max_segment_ms=2_000)
    script.hear(soft_speech(20_000))
    assert script.session._audio.end_sample - script.session._audio.start_sample < 3_000 * MS


def test_it_is_speech_before_the_start_timeout() -> None:
    script = Script(**OPTIONS, start_timeout_ms=500)
    assert not any(line.startswith("no speech") for line in script.hear(soft_speech(1_000)))


def test_finalize_hears_what_came_after_the_decode_was_begun() -> None:
    script = Script(**OPTIONS)
    script.hear(speech(1_000), silence(100), soft_speech(100))
    lines = script.finalize()
    assert any(line.startswith("want final") for line in lines)
    assert np.isclose(script.windows()[-1].window.end_sample / MS, 1_200, atol=1)
