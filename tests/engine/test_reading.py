from collections.abc import Sequence

import numpy as np
import pytest

from asr_server.engine.no_speech import NoSpeechRule
from asr_server.engine.placing import RATE_HZ
from asr_server.engine.reading import Encoded, Read, Reader, Reading, Task
from asr_server.engine.spans import SpanClock
from audio_norm import Samples
from tests.engine.fake_decoder import FakeDecoder, reading

TASK = Task("en", beam_size=5, max_alternatives=3)


def sound(loud_s: float, quiet_s: float = 0.0) -> Samples:
    return np.concatenate([np.full(int(loud_s * RATE_HZ), 0.1), np.zeros(int(quiet_s * RATE_HZ))]).astype(np.float32)


def read(decoder: FakeDecoder, samples: Samples) -> Read:
    return Reader(decoder, NoSpeechRule()).read(Encoded(None, 0, samples), TASK, SpanClock())


def text(read_: Read) -> str:
    return " ".join(word.text for word in read_.readings[0].words)


def evenly(count: int, start_s: float, end_s: float) -> Sequence[float]:
    return [float(at_s) for at_s in np.linspace(start_s, end_s, count, endpoint=False)]


def test_a_text_that_looks_said_is_taken_as_it_is_without_looking_where_it_lies() -> None:
    decoder = FakeDecoder([[reading("the quick brown fox jumps over the dog")]], [], 0)
    result = read(decoder, sound(3))
    assert text(result) == "the quick brown fox jumps over the dog"
    assert (result.guard, result.runs_on, decoder.placings) == ("", False, 0)


def test_a_loop_behind_the_speech_is_cut_and_confidence_is_that_of_the_rest() -> None:
    starts_s = [*evenly(5, 0, 2.8), *evenly(5, 2.8, 2.9)]
    decoder = FakeDecoder([[reading("we saw the blue sea We saw the blue sea.")]], starts_s, 2.9, word_log_probability=-0.4)
    result = read(decoder, sound(3))
    assert (text(result), result.guard) == ("we saw the blue sea", "cut")
    assert result.readings[0].tokens == [0, 1, 2, 3, 4]
    assert result.readings[0].log_probability == pytest.approx(-0.4)


def test_a_sentence_that_was_said_twice_stays() -> None:
    decoder = FakeDecoder([[reading("we saw the blue sea we saw the blue sea")]], evenly(10, 0, 3), 3.0)
    result = read(decoder, sound(3))
    assert (len(result.readings[0].words), result.guard, result.runs_on) == (10, "", False)
    assert result.readings[0].placed is not None


def test_a_text_that_does_not_end_and_does_not_repeat_runs_on() -> None:
    words = " ".join(f"word{i}" for i in range(200))
    result = read(FakeDecoder([[reading(words)]], evenly(200, 0, 2), 2.0), sound(2))
    assert result.runs_on
    assert len(result.readings[0].tokens) == 26


def test_alternatives_that_look_run_away_are_left_out() -> None:
    best, good, bad = reading("bye"), reading("by"), reading("bye bye bye bye")
    result = read(FakeDecoder([[best, bad, good]], [], 0), sound(0.5))
    assert [one.words[0].text for one in result.readings] == ["bye", "by"]
    assert len(result.readings) == 2


def early(added: Reading, word_log_probability: float = -0.2) -> FakeDecoder:
    """Four words in the first two seconds, then `added` in the next three."""
    return FakeDecoder(
        [[reading("September twelfth nineteen fourteen")], [added]],
        [0, 0.5, 1, 1.5, 2.5, 3, 4],
        2.1,
        word_log_probability=word_log_probability,
    )


WHOLE = reading("September twelfth nineteen fourteen Dear Mrs Coney")


def test_reading_goes_on_where_speech_follows_the_last_word() -> None:
    decoder = early(WHOLE)
    result = read(decoder, sound(5))
    assert (text(result), result.guard) == ("September twelfth nineteen fourteen Dear Mrs Coney", "continued")
    assert decoder.tasks[1].begun == (0, 1, 2, 3)


def test_reading_does_not_go_on_into_silence() -> None:
    decoder = early(WHOLE)
    assert text(read(decoder, sound(2.1, quiet_s=3))) == "September twelfth nineteen fourteen"
    assert len(decoder.tasks) == 1


def test_what_the_model_is_not_sure_of_is_not_added() -> None:
    result = read(early(WHOLE, word_log_probability=-1.5), sound(5))
    assert (text(result), result.guard) == ("September twelfth nineteen fourteen", "")


def test_a_repeat_is_no_continuation() -> None:
    loop = reading("September twelfth nineteen fourteen September twelfth nineteen fourteen")
    decoder = FakeDecoder([[reading("September twelfth nineteen fourteen")], [loop]], [0, 0.5, 1, 1.5, 4.7, 4.7, 4.8, 4.8], 2.1)
    result = read(decoder, sound(5))
    assert (text(result), result.guard) == ("September twelfth nineteen fourteen", "")


def test_sparse_text_that_is_no_speech_is_not_read_on() -> None:
    decoder = FakeDecoder([[reading("you", log_probability=-2.0)]], [0.0], 0.2)
    read(decoder, sound(10))
    assert len(decoder.tasks) == 1
