"""Real models, asked for what follows speech that was told already, and for the places of its words."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from asr_server.engine.engine import DecodeOptions, Decoding
from asr_server.engine.whisper import WhisperEngine
from asr_server.errors import EngineFailed
from asr_server.events import Said, WordPlaces
from asr_server.transcript import Hypothesis
from audio_norm import Normalized, Samples, Span
from tests.engine.conftest import RATE_HZ, normalized
from tests.engine.test_whisper import FOX, plain

Clip = Callable[[str], Samples]
START = 7 * RATE_HZ
WITH_WORDS = DecodeOptions(word_places=WordPlaces.WITH)


def told_until(whole: Hypothesis, words: int) -> Said:
    """The first words of a text, up to where the next begins."""
    return Said(tuple(word.text for word in whole.words[:words]), whole.words[words].start_sample)


def names(decoding: Decoding) -> list[str]:
    return [span.name for span in decoding.spans]


def fox(clip: Clip) -> Normalized:
    return normalized(clip("en/quick_brown_fox"), START)


@pytest.mark.parametrize("model", ["tiny_en", "base"])
@pytest.mark.parametrize("beam_size", [1, 5])
@pytest.mark.parametrize("words", [1, 4, 6])
def test_only_what_follows_what_was_told_is_heard(
    request: pytest.FixtureRequest, clip: Clip, model: str, beam_size: int, words: int
) -> None:
    engine: WhisperEngine = request.getfixturevalue(model)
    options = replace(WITH_WORDS, beam_size=beam_size)
    whole = engine.decode(fox(clip), options)
    said = told_until(whole.hypothesis, words)
    rest = engine.decode(fox(clip), replace(options, said=said))
    assert plain(rest.hypothesis.text) == " ".join(FOX.split()[words:])
    assert " ".join(word.text for word in rest.hypothesis.words) == rest.hypothesis.text
    assert [word.start_sample for word in rest.hypothesis.words] == pytest.approx(
        [word.start_sample for word in whole.hypothesis.words[words:]], abs=0.1 * RATE_HZ
    )
    assert (rest.guard, names(rest)) == ("", ["features", "encode", "decode", "align"])
    assert 0 < rest.tokens < whole.tokens
    assert -1 < rest.hypothesis.log_probability < 0


def test_what_was_told_in_another_part_of_the_stream_is_gone_on_from(tiny_en: WhisperEngine, clip: Clip) -> None:
    hello, fox_ = clip("en/hello_world"), clip("en/quick_brown_fox")
    fox_at = 20 * RATE_HZ
    audio = replace(normalized(np.concatenate([hello, fox_])), kept=(Span(0, len(hello)), Span(fox_at, fox_at + len(fox_))))
    rest = tiny_en.decode(audio, replace(WITH_WORDS, said=Said(("Hello", "world."), len(hello) + RATE_HZ))).hypothesis
    assert plain(rest.text) == FOX
    assert all(word.start_sample >= fox_at for word in rest.words[1:])


def test_told_words_that_are_not_in_the_audio_do_not_hide_what_is(tiny_en: WhisperEngine, clip: Clip) -> None:
    said = Said(tuple(FOX.split()), START + RATE_HZ // 100)
    decoding = tiny_en.decode(fox(clip), replace(WITH_WORDS, said=said))
    assert plain(decoding.hypothesis.text) == FOX
    assert all(word.start_sample >= START for word in decoding.hypothesis.words)


def test_hints_may_stand_before_what_was_told(tiny_en: WhisperEngine, clip: Clip) -> None:
    said = Said(("the", "quick"), told_until(tiny_en.decode(fox(clip), WITH_WORDS).hypothesis, 2).until_sample)
    decoding = tiny_en.decode(fox(clip), replace(WITH_WORDS, said=said, phrases=("Fox", "Kubernetes")))
    assert plain(decoding.hypothesis.text) == "brown fox jumps over the lazy dog"
    assert decoding.phrases_used == 2


def test_nothing_new_is_no_speech(tiny_en: WhisperEngine, clip: Clip) -> None:
    decoding = tiny_en.decode(fox(clip), replace(WITH_WORDS, said=Said(("The", "end."), START + 60 * RATE_HZ)))
    assert (decoding.hypothesis.rejected, decoding.hypothesis.text, decoding.spans) == ("no_speech", "", ())


def test_silence_after_what_was_told_is_no_speech(tiny_en: WhisperEngine, clip: Clip) -> None:
    samples = clip("en/quick_brown_fox")
    audio = normalized(np.concatenate([samples, np.zeros(RATE_HZ, np.float32)]), START)
    whole = tiny_en.decode(fox(clip), WITH_WORDS).hypothesis
    said = Said(tuple(word.text for word in whole.words), START + len(samples))
    hypothesis = tiny_en.decode(audio, replace(WITH_WORDS, said=said)).hypothesis
    assert (hypothesis.text, hypothesis.words) == ("", ())


def test_places_for_the_server_and_word_times_tell_the_same_words(tiny_en: WhisperEngine, clip: Clip) -> None:
    places = tiny_en.decode(fox(clip), WITH_WORDS)
    times = tiny_en.decode(fox(clip), DecodeOptions(word_times=True))
    assert places.hypothesis.words == times.hypothesis.words
    assert names(places) == names(times)


def unexpected(_number: int, decoding: Decoding) -> None:
    pytest.fail(f"{decoding.hypothesis.text!r} was told before the end")


AFTER = replace(WITH_WORDS, word_places=WordPlaces.AFTER)


def test_words_after_the_text_are_those_that_come_with_it(tiny_en: WhisperEngine, clip: Clip) -> None:
    told: list[Decoding] = []
    done: list[Decoding | EngineFailed] = []
    tiny_en.decode_together([(fox(clip), AFTER)], lambda _, outcome: done.append(outcome), lambda _, decoding: told.append(decoding))
    together = tiny_en.decode(fox(clip), WITH_WORDS)
    (text,), (whole,) = told, done
    assert isinstance(whole, Decoding)
    assert (text.hypothesis.text, text.hypothesis.words) == (together.hypothesis.text, ())
    assert (names(text), names(whole)) == (names(together)[:-1], names(together))
    assert whole.hypothesis == together.hypothesis


def test_a_decode_that_nobody_wants_any_more_is_broken_off(tiny_en: WhisperEngine, clip: Clip) -> None:
    done: list[Decoding | EngineFailed] = []
    tiny_en.decode_together([(fox(clip), AFTER)], lambda _, outcome: done.append(outcome), unexpected, lambda _: False)
    assert [str(one) for one in done] == ["broken off: nobody waits for it any more"]


@pytest.mark.parametrize("options", [DecodeOptions(word_times=True), WITH_WORDS, DecodeOptions()])
def test_nothing_is_told_before_the_end_where_words_come_with_the_text_or_not_at_all(
    tiny_en: WhisperEngine, clip: Clip, options: DecodeOptions
) -> None:
    tiny_en.decode_together([(fox(clip), options)], lambda _, __: None, unexpected)


def test_noise_has_no_words_to_wait_for(tiny_en: WhisperEngine) -> None:
    done: list[Decoding | EngineFailed] = []
    noise = normalized(np.random.default_rng(1).normal(0, 1e-3, 2 * RATE_HZ).astype(np.float32), START)
    tiny_en.decode_together([(noise, AFTER)], lambda _, outcome: done.append(outcome), unexpected)
    assert [one.hypothesis.text for one in done if isinstance(one, Decoding)] == [""]


def test_how_sure_the_model_is_of_a_text_is_always_told(tiny_en: WhisperEngine, clip: Clip) -> None:
    hypothesis = tiny_en.decode(fox(clip), DecodeOptions()).hypothesis
    assert hypothesis.confidence == pytest.approx(np.exp(hypothesis.log_probability))


def test_a_script_without_spaces_goes_on_without_them(base: WhisperEngine, clip: Clip) -> None:
    audio = normalized(clip("zh/nihao_shijie"), START)
    options = replace(WITH_WORDS, language="zh")
    whole = base.decode(audio, options).hypothesis
    rest = base.decode(audio, replace(options, said=told_until(whole, 1))).hypothesis
    assert whole.text.removesuffix("\u3002") == "\u4f60\u597d\u4e16\u754c"
    assert rest.text.startswith("\u4e16\u754c")
    assert "".join(word.text for word in rest.words) == rest.text


def test_the_language_may_be_found_in_the_whole_audio(base: WhisperEngine, clip: Clip) -> None:
    audio = normalized(clip("fr/pangrama"), START)
    whole = base.decode(audio, replace(WITH_WORDS, language="fr")).hypothesis
    rest = base.decode(audio, replace(WITH_WORDS, language="auto", said=told_until(whole, 3))).hypothesis
    assert rest.language == "fr"
    assert plain(rest.text) == plain(" ".join(word.text for word in whole.words[3:]))
