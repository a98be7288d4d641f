from collections.abc import Sequence

import numpy as np
import pytest

from asr_server.engine.no_speech import NoSpeechRule
from asr_server.engine.placing import RATE_HZ
from asr_server.engine.reading import Read, Reader
from asr_server.engine.steps import Encoded, Reading, Task
from asr_server.engine.tokens import TokenWord
from audio_norm import Samples
from tests.engine.fake_decoder import FakeDecoder, reading

TASK = Task("en", beam_size=5, max_alternatives=3)


def sound(loud_s: float, quiet_s: float = 0.0) -> Samples:
    return np.concatenate([np.full(int(loud_s * RATE_HZ), 0.1), np.zeros(int(quiet_s * RATE_HZ))]).astype(np.float32)


def read(decoder: FakeDecoder, samples: Samples, task: Task = TASK) -> Read:
    return decoder.result(Reader(NoSpeechRule()).read(Encoded(None, 0, samples), task))


def text(read_: Read) -> str:
    return " ".join(word.text for word in read_.readings[0].words)


def evenly(count: int, start_s: float, end_s: float) -> Sequence[float]:
    return [float(at_s) for at_s in np.linspace(start_s, end_s, count, endpoint=False)]


def test_a_text_that_looks_said_is_taken_as_it_is_without_looking_where_it_lies() -> None:
    decoder = FakeDecoder([[reading("the quick brown fox jumps over the dog.")]], [], 0)
    result = read(decoder, sound(3))
    assert text(result) == "the quick brown fox jumps over the dog."
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


def test_a_last_word_that_was_left_out_of_a_sentence_is_read() -> None:
    """Half a second of sound is left, and the text does not end as a sentence does: eight words in three seconds are not few."""
    words = "the quick brown fox jumps over the lazy"
    starts_s = evenly(8, 0.0, 2.5)

    def decoder() -> FakeDecoder:
        return FakeDecoder([[reading(words)], [reading(f"{words} dog.")]], [*starts_s, 2.5], 2.9, word_log_probability=-0.2)

    result = read(decoder(), sound(3))
    assert (text(result), result.guard) == (f"{words} dog.", "continued")


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


def after(told: int, new_s: float) -> Task:
    """Of a text whose first words, `told` of them, were told already."""
    return Task("en", beam_size=5, begun=tuple(range(told)), begun_s=new_s)


def new_text(read_: Read) -> str:
    return " ".join(word.text for word in read_.readings[0].new_words)


def test_words_that_begin_with_what_was_told_are_not_new() -> None:
    words = (TokenWord("It", 0, 1), TokenWord("is,", 1, 3), TokenWord("so", 3, 4))
    told_in_part = Reading([5, 6, 7, 8], words, -0.1, told=2)
    assert (told_in_part.new_words, told_in_part.new_tokens) == (words[2:], [8])
    assert Reading([5, 6, 7], words[:2], -0.1, told=2).new_tokens == []


def test_what_follows_what_was_told_is_judged_by_itself() -> None:
    decoder = FakeDecoder([[reading("no no no no we saw the sea and went home.", told=4)]], [], 0)
    result = read(decoder, sound(5), after(4, new_s=3.0))
    assert (new_text(result), decoder.placings) == ("we saw the sea and went home.", 0)


def test_the_limit_is_that_of_the_new_audio_and_what_was_told() -> None:
    words = " ".join(f"word{i}" for i in range(200))
    result = read(FakeDecoder([[reading(words, told=50)]], evenly(200, 0, 22), 22.0), sound(22), after(50, new_s=20.0))
    assert result.runs_on
    assert len(result.readings[0].tokens) == 50 + 26


def test_told_words_said_again_without_audio_of_their_own_are_dropped() -> None:
    starts_s = [*evenly(5, 0, 2), *evenly(3, 1.7, 2.1), *evenly(4, 2.1, 4)]
    decoder = FakeDecoder([[reading("we saw the old man The old man. and the blue sea", told=5)]], starts_s, 4.0, word_log_probability=-0.4)
    result = read(decoder, sound(4), after(5, new_s=2.0))
    best = result.readings[0]
    assert (new_text(result), result.guard) == ("and the blue sea", "cut")
    assert (best.tokens, best.new_tokens) == ([0, 1, 2, 3, 4, 8, 9, 10, 11], [8, 9, 10, 11])
    assert best.log_probability == pytest.approx(-0.4)
    assert best.placed is not None
    assert [best.tokens[word.word.first_token] for word in best.placed] == best.tokens


def test_told_words_that_are_said_twice_are_new() -> None:
    decoder = FakeDecoder([[reading("we saw the old man the old man and the sea", told=5)]], evenly(11, 0, 4.4), 4.4)
    result = read(decoder, sound(4.4), after(5, new_s=2.0))
    assert (new_text(result), result.guard) == ("the old man and the sea", "")


def test_a_loop_is_cut_and_what_was_told_is_not() -> None:
    starts_s = [*evenly(5, 0, 0.1), *evenly(5, 0.1, 2.8), *evenly(5, 2.8, 2.9)]
    text_ = "on and on and on we saw the blue sea we saw the blue sea"
    decoder = FakeDecoder([[reading(text_, told=5)]], starts_s, 2.9)
    result = read(decoder, sound(3), after(5, new_s=0.1))
    assert (new_text(result), len(result.readings[0].words), result.guard) == ("we saw the blue sea", 10, "cut")


def test_reading_goes_on_after_an_early_stop_and_what_was_told_stays_told() -> None:
    longer = reading("September twelfth nineteen fourteen Dear Mrs Coney", told=4)
    decoder = FakeDecoder([[reading("September twelfth nineteen fourteen", told=2)], [longer]], [0, 0.5, 1, 1.5, 2.5, 3, 4], 2.1)
    result = read(decoder, sound(5), after(2, new_s=1.0))
    assert (new_text(result), result.guard) == ("nineteen fourteen Dear Mrs Coney", "continued")
    assert decoder.tasks[1].begun == (0, 1, 2, 3)


def test_alternatives_that_say_again_what_was_told_are_left_out() -> None:
    best, again = reading("to the man.", told=2), reading("to the the man.", told=2)
    assert len(read(FakeDecoder([[best, again]], [], 0), sound(1.5), after(2, new_s=1.0)).readings) == 1
