"""Real models, asked for what follows speech that was told already, and for cues."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from asr_server.engine.engine import DecodeOptions, Decoding
from asr_server.engine.whisper import WhisperEngine
from asr_server.events import Said
from asr_server.transcript import Hypothesis
from audio_norm import Normalized, Samples, Span
from tests.engine.conftest import RATE_HZ, normalized
from tests.engine.test_whisper import FOX, plain

Clip = Callable[[str], Samples]
START = 7 * RATE_HZ
CUES = DecodeOptions(cues=True)


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
    options = replace(CUES, beam_size=beam_size)
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
    rest = tiny_en.decode(audio, replace(CUES, said=Said(("Hello", "world."), len(hello) + RATE_HZ))).hypothesis
    assert plain(rest.text) == FOX
    assert all(word.start_sample >= fox_at for word in rest.words[1:])


def test_told_words_that_are_not_in_the_audio_do_not_hide_what_is(tiny_en: WhisperEngine, clip: Clip) -> None:
    said = Said(tuple(FOX.split()), START + RATE_HZ // 100)
    decoding = tiny_en.decode(fox(clip), replace(CUES, said=said))
    assert plain(decoding.hypothesis.text) == FOX
    assert all(word.start_sample >= START for word in decoding.hypothesis.words)


def test_hints_may_stand_before_what_was_told(tiny_en: WhisperEngine, clip: Clip) -> None:
    said = Said(("the", "quick"), told_until(tiny_en.decode(fox(clip), CUES).hypothesis, 2).until_sample)
    decoding = tiny_en.decode(fox(clip), replace(CUES, said=said, phrases=("Fox", "Kubernetes")))
    assert plain(decoding.hypothesis.text) == "brown fox jumps over the lazy dog"
    assert decoding.phrases_used == 2


def test_nothing_new_is_no_speech(tiny_en: WhisperEngine, clip: Clip) -> None:
    decoding = tiny_en.decode(fox(clip), replace(CUES, said=Said(("The", "end."), START + 60 * RATE_HZ)))
    assert (decoding.hypothesis.rejected, decoding.hypothesis.text, decoding.spans) == ("no_speech", "", ())


def test_silence_after_what_was_told_is_no_speech(tiny_en: WhisperEngine, clip: Clip) -> None:
    samples = clip("en/quick_brown_fox")
    audio = normalized(np.concatenate([samples, np.zeros(RATE_HZ, np.float32)]), START)
    whole = tiny_en.decode(fox(clip), CUES).hypothesis
    said = Said(tuple(word.text for word in whole.words), START + len(samples))
    hypothesis = tiny_en.decode(audio, replace(CUES, said=said)).hypothesis
    assert (hypothesis.text, hypothesis.words) == ("", ())


def test_cues_and_word_times_tell_the_same_words(tiny_en: WhisperEngine, clip: Clip) -> None:
    cues = tiny_en.decode(fox(clip), CUES)
    times = tiny_en.decode(fox(clip), DecodeOptions(word_times=True))
    assert cues.hypothesis.words == times.hypothesis.words
    assert names(cues) == names(times)


def test_how_sure_the_model_is_of_a_text_is_always_told(tiny_en: WhisperEngine, clip: Clip) -> None:
    hypothesis = tiny_en.decode(fox(clip), DecodeOptions()).hypothesis
    assert hypothesis.confidence == pytest.approx(np.exp(hypothesis.log_probability))


def test_a_script_without_spaces_goes_on_without_them(base: WhisperEngine, clip: Clip) -> None:
    audio = normalized(clip("zh/nihao_shijie"), START)
    options = replace(CUES, language="zh")
    whole = base.decode(audio, options).hypothesis
    rest = base.decode(audio, replace(options, said=told_until(whole, 1))).hypothesis
    assert whole.text.removesuffix("\u3002") == "\u4f60\u597d\u4e16\u754c"
    assert rest.text.startswith("\u4e16\u754c")
    assert "".join(word.text for word in rest.words) == rest.text


def test_the_language_may_be_found_in_the_whole_audio(base: WhisperEngine, clip: Clip) -> None:
    audio = normalized(clip("fr/pangrama"), START)
    whole = base.decode(audio, replace(CUES, language="fr")).hypothesis
    rest = base.decode(audio, replace(CUES, language="auto", said=told_until(whole, 3))).hypothesis
    assert rest.language == "fr"
    assert plain(rest.text) == plain(" ".join(word.text for word in whole.words[3:]))
