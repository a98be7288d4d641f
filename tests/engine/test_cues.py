import math

import numpy as np
import pytest

from asr_server.engine.cues import Cues, find_cues
from asr_server.engine.placing import PlacedWord
from asr_server.engine.steps import Encoded, Reading
from asr_server.engine.tokens import TokenWord
from tests.engine.fake_decoder import FakeDecoder, reading

FULL_STOP, QUESTION_MARK = 90, 91
STARTS_S = (0.0, 0.5, 1.0, 1.5)
SILENCE = np.zeros(32_000, np.float32)


def cues(decoder: FakeDecoder, text: Reading, closed: list[int]) -> Cues:
    return decoder.result(find_cues(Encoded(None, 0, SILENCE), text, closed, "en"))


def fake() -> FakeDecoder:
    return FakeDecoder([], STARTS_S, 1.9, word_log_probability=math.log(0.25))


def asks(end: int) -> Reading:
    """Two words, the second with a token of punctuation."""
    return Reading([0, 1, end], (TokenWord("who", 0, 1), TokenWord("is?", 1, 3)), -0.1)


def test_a_full_stop_is_tried_after_a_text_without_one_and_is_no_word() -> None:
    decoder = fake()
    found = cues(decoder, reading("it is so"), [0, 1, 2, FULL_STOP])
    assert decoder.placed[0].tokens == [0, 1, 2, FULL_STOP]
    assert [(word.word.text, word.start_s, word.end_s) for word in found.words] == [("it", 0, 0.5), ("is", 0.5, 1.0), ("so", 1.0, 1.5)]
    assert found.end_probability == pytest.approx(0.25)


def test_punctuation_stays_in_the_text_and_has_its_time_but_the_full_stop_is_tried_in_its_place() -> None:
    decoder = fake()
    found = cues(decoder, asks(QUESTION_MARK), [0, 1, FULL_STOP])
    assert decoder.placed[0].tokens == [0, 1, FULL_STOP]
    assert [(word.word.text, word.start_s, word.end_s) for word in found.words] == [("who", 0, 0.5), ("is?", 0.5, 1.5)]
    assert [word.confidence for word in found.words] == pytest.approx([0.25, 0.25])


def test_words_that_were_told_are_not_among_them() -> None:
    found = cues(fake(), reading("it is so", told=2), [0, 1, 2, FULL_STOP])
    assert [word.word.text for word in found.words] == ["so"]


def test_a_text_with_a_full_stop_is_aligned_as_it_is() -> None:
    decoder = fake()
    found = cues(decoder, asks(FULL_STOP), [0, 1, FULL_STOP])
    assert decoder.placed == [asks(FULL_STOP)]
    assert found.end_probability == pytest.approx(0.25)


def test_words_that_the_guard_has_placed_are_not_placed_again_when_they_end_with_a_full_stop() -> None:
    decoder = fake()
    text = asks(FULL_STOP)
    words = tuple(PlacedWord(word, 0.0, 1.0, -2.0, math.log(0.75)) for word in text.words)
    found = cues(decoder, Reading(text.tokens, text.words, -0.1, words), [0, 1, FULL_STOP])
    assert (found.words, decoder.placings) == (words, 0)
    assert found.end_probability == pytest.approx(0.75)
