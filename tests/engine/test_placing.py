import math
from dataclasses import replace

import numpy as np
import pytest

from asr_server.engine.placing import PlacedWord, cut_before, from_stream, place, to_word
from asr_server.engine.tokens import TokenWord
from audio_norm import Normalized, Span
from tests.engine.conftest import normalized

HELLO = TokenWord("Hello,", 0, 2)
WORLD = TokenWord("world.", 2, 3)


def audio(kept: tuple[Span, ...]) -> Normalized:
    length = sum(len(span) for span in kept)
    return replace(normalized(np.zeros(length, np.float32)), kept=kept)


def test_a_word_lasts_from_its_first_token_to_the_first_of_the_next() -> None:
    path = [(0, 0), (0, 1), (1, 5), (2, 10), (2, 11), (3, 30), (3, 31)]
    hello, world = place([HELLO, WORLD], path, [0.5, 0.5, 0.25])
    assert [hello.start_s, hello.end_s, world.start_s, world.end_s] == pytest.approx([0.0, 0.2, 0.2, 0.6])
    assert [hello.confidence, world.confidence] == pytest.approx([0.5, 0.25])
    assert (hello.tokens, world.tokens) == (2, 1)


def test_without_an_end_of_text_the_last_word_lasts_to_the_end_of_the_path() -> None:
    (hello,) = place([HELLO], [(0, 0), (1, 4), (1, 9)], [0.5, 0.5])
    assert hello.end_s == pytest.approx(0.18)


def test_impossible_tokens_have_a_confidence_all_the_same() -> None:
    (world,) = place([TokenWord("world", 0, 1)], [(0, 0), (1, 4)], [0.0])
    assert 0 < world.confidence < 1e-6


def placed(start_s: float, end_s: float) -> PlacedWord:
    return PlacedWord(WORLD, start_s, end_s, math.log(0.5))


def test_times_are_positions_in_the_stream() -> None:
    word = to_word(placed(0.5, 1.0), audio((Span(16_000, 48_000),)))
    assert (word.text, word.start_sample, word.end_sample) == ("world.", 24_000, 32_000)


def test_a_word_that_ends_where_a_pause_was_cut_out_ends_before_the_pause() -> None:
    word = to_word(placed(0.5, 1.0), audio((Span(0, 16_000), Span(80_000, 96_000))))
    assert (word.start_sample, word.end_sample) == (8_000, 16_000)


def test_times_in_the_margin_end_with_the_audio() -> None:
    word = to_word(placed(0.9, 1.7), audio((Span(0, 16_000),)))
    assert (word.start_sample, word.end_sample) == (14_400, 16_000)
    behind = to_word(placed(1.4, 1.7), audio((Span(0, 16_000),)))
    assert (behind.start_sample, behind.end_sample) == (15_999, 16_000)


def test_a_word_without_a_length_gets_one_sample() -> None:
    word = to_word(placed(0.5, 0.5), audio((Span(0, 16_000),)))
    assert word.end_sample == word.start_sample + 1


TWO_PARTS = (Span(1_000, 1_300), Span(5_000, 5_200))


@pytest.mark.parametrize(("position", "sample"), [(0, 0), (1_000, 0), (1_299, 299), (1_300, 300), (4_000, 300), (5_001, 301), (9_000, 500)])
def test_a_position_of_the_stream_is_found_in_the_samples(position: int, sample: int) -> None:
    assert from_stream(position, audio(TWO_PARTS)) == sample


@pytest.mark.parametrize(
    ("sample", "kept"),
    [(0, TWO_PARTS), (100, (Span(1_100, 1_300), TWO_PARTS[1])), (300, TWO_PARTS[1:]), (499, (Span(5_199, 5_200),)), (500, ())],
)
def test_what_is_left_of_cut_audio_keeps_its_places_in_the_stream(sample: int, kept: tuple[Span, ...]) -> None:
    rest = cut_before(sample, audio(TWO_PARTS))
    assert (len(rest.samples), rest.kept) == (500 - sample, kept)
