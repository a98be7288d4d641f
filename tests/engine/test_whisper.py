import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ctranslate2 import get_cuda_device_count

from asr_server.engine.engine import DecodeOptions, Decoding
from asr_server.engine.options import EngineOptions
from asr_server.engine.weights import PUBLISHED_SHA256, ModelFiles
from asr_server.engine.whisper import WhisperEngine
from asr_server.errors import EngineFailed, SetupError
from audio_norm import Samples, Span
from tests.engine.conftest import RATE_HZ, normalized

Clip = Callable[[str], Samples]
GREEDY = DecodeOptions(beam_size=1)
BEAM = DecodeOptions(beam_size=5)
FOX = "the quick brown fox jumps over the lazy dog"


def with_options(engine: WhisperEngine, **options: Any) -> WhisperEngine:
    """The same loaded model in an engine of other options."""
    files = ModelFiles(engine.release.model, Path(), engine.release.weights_sha256)
    return WhisperEngine(files, replace(engine.options, **options), engine._network, engine.cost)


def plain(text: str) -> str:
    return re.sub(r"[^a-z0-9 ]", "", text.lower()).strip()


def silence(duration_s: float) -> Samples:
    return np.zeros(int(duration_s * RATE_HZ), np.float32)


def noise(duration_s: float, seed: int = 0) -> Samples:
    return np.random.default_rng(seed).normal(0, 0.05, int(duration_s * RATE_HZ)).astype(np.float32)


def names(decoding: Decoding) -> list[str]:
    return [span.name for span in decoding.spans]


@pytest.mark.parametrize("options", [GREEDY, BEAM], ids=["greedy", "beam"])
def test_speech_becomes_its_text(tiny_en: WhisperEngine, clip: Clip, options: DecodeOptions) -> None:
    decoding = tiny_en.decode(normalized(clip("en/quick_brown_fox")), options)
    assert plain(decoding.hypothesis.text) == FOX
    assert 0.5 < decoding.hypothesis.confidence <= 1
    assert decoding.hypothesis.no_speech_probability < 0.3
    assert (decoding.hypothesis.rejected, decoding.guard, decoding.beam_size) == ("", "", options.beam_size)


def test_only_the_audio_and_its_margin_are_encoded(tiny_en: WhisperEngine, clip: Clip) -> None:
    samples = clip("en/quick_brown_fox")
    decoding = tiny_en.decode(normalized(samples), GREEDY)
    assert decoding.frames == pytest.approx(len(samples) / 160 + 80, abs=2)
    assert names(decoding) == ["features", "encode", "decode"]
    assert all(a.end_s <= b.start_s for a, b in pairwise(decoding.spans))


def test_the_text_is_that_of_the_full_context(tiny_en: WhisperEngine, clip: Clip) -> None:
    full = with_options(tiny_en, full_context=True)
    for name in ("en/counting", "en/hello_world", "en/quick_brown_fox"):
        whole = full.decode(normalized(clip(name)), GREEDY)
        assert whole.frames == 3000
        assert plain(tiny_en.decode(normalized(clip(name)), GREEDY).hypothesis.text) == plain(whole.hypothesis.text)


def test_words_have_times_in_the_stream_and_confidences(tiny_en: WhisperEngine, clip: Clip) -> None:
    samples = clip("en/quick_brown_fox")
    start = 5 * RATE_HZ
    decoding = tiny_en.decode(normalized(samples, start), replace(GREEDY, word_times=True))
    words = decoding.hypothesis.words
    assert " ".join(word.text for word in words) == decoding.hypothesis.text
    assert names(decoding) == ["features", "encode", "decode", "align"]
    assert all(start <= word.start_sample < word.end_sample <= start + len(samples) for word in words)
    assert all(a.start_sample <= b.start_sample and a.end_sample <= b.end_sample for a, b in pairwise(words))
    assert all(0 < word.confidence <= 1 for word in words)


def test_word_times_step_over_a_pause_that_was_cut_out(tiny_en: WhisperEngine, clip: Clip) -> None:
    hello, fox = clip("en/hello_world"), clip("en/quick_brown_fox")
    fox_at = 20 * RATE_HZ
    kept = (Span(0, len(hello)), Span(fox_at, fox_at + len(fox)))
    audio = replace(normalized(np.concatenate([hello, fox])), kept=kept)
    words = tiny_en.decode(audio, replace(BEAM, word_times=True)).hypothesis.words
    times = {plain(word.text): word for word in words}
    assert times["hello"].end_sample <= len(hello)
    assert fox_at <= times["fox"].start_sample < times["lazy"].start_sample


def test_no_words_unless_asked_for(tiny_en: WhisperEngine, clip: Clip) -> None:
    assert tiny_en.decode(normalized(clip("en/hello_world")), BEAM).hypothesis.words == ()


def test_alternatives_are_different_and_best_first(tiny_en: WhisperEngine, clip: Clip) -> None:
    hypothesis = tiny_en.decode(normalized(clip("en/counting")), replace(BEAM, max_alternatives=4)).hypothesis
    texts = [alternative.text for alternative in hypothesis.alternatives]
    assert 2 <= len(texts) <= 4
    assert len(set(texts)) == len(texts)
    assert all(0 < alternative.confidence <= 1 for alternative in hypothesis.alternatives)


def test_a_beam_of_one_has_one_alternative(tiny_en: WhisperEngine, clip: Clip) -> None:
    hypothesis = tiny_en.decode(normalized(clip("en/counting")), replace(GREEDY, max_alternatives=4)).hypothesis
    assert len(hypothesis.alternatives) == 1


def test_a_larger_beam_than_the_engine_has_is_lowered_to_it(tiny_en: WhisperEngine, clip: Clip) -> None:
    engine = with_options(tiny_en, beam_size=2)
    assert engine.decode(normalized(clip("en/hello_world")), replace(BEAM, beam_size=8)).beam_size == 2


@pytest.mark.parametrize("options", [GREEDY, BEAM], ids=["greedy", "beam"])
@pytest.mark.parametrize("sound", [silence(0.05), silence(3), noise(1), noise(8)], ids=["blip", "silence", "short noise", "noise"])
def test_no_text_on_non_speech(tiny_en: WhisperEngine, sound: Samples, options: DecodeOptions) -> None:
    hypothesis = tiny_en.decode(normalized(sound), replace(options, word_times=True)).hypothesis
    assert (hypothesis.text, hypothesis.words, hypothesis.rejected) == ("", (), "no_speech")


def test_what_the_data_definition_rejected_is_not_decoded(tiny_en: WhisperEngine, clip: Clip) -> None:
    decoding = tiny_en.decode(replace(normalized(clip("en/hello_world")), rejected="too_short"), BEAM)
    assert (decoding.hypothesis.rejected, decoding.hypothesis.text, decoding.spans) == ("too_short", "", ())


def test_no_audio_is_no_speech(tiny_en: WhisperEngine) -> None:
    assert tiny_en.decode(normalized(silence(0)), BEAM).hypothesis.rejected == "no_speech"


@pytest.mark.parametrize("frames", [384, 512])
def test_audio_as_many_frames_long_as_the_model_is_wide_is_audio(tiny_en: WhisperEngine, clip: Clip, frames: int) -> None:
    """CTranslate2 tells features from encoder output by that number; it must never be in doubt."""
    samples = np.concatenate([clip("en/quick_brown_fox"), silence(5)])[: (frames - 80) * 160]
    decoding = tiny_en.decode(normalized(samples), GREEDY)
    assert decoding.frames == frames
    assert plain(decoding.hypothesis.text).startswith("the quick brown fox")


def test_what_is_said_three_times_is_heard_three_times(tiny_en: WhisperEngine, clip: Clip) -> None:
    thrice = np.concatenate([clip("en/quick_brown_fox"), silence(0.4)] * 3)
    assert plain(tiny_en.decode(normalized(thrice), BEAM).hypothesis.text).count("lazy dog") == 3


def test_up_to_29_seconds_are_taken_and_more_refused(tiny_en: WhisperEngine, clip: Clip) -> None:
    fox = clip("en/quick_brown_fox")
    long = np.concatenate([silence(29)[: 29 * RATE_HZ - len(fox)], fox])
    assert tiny_en.decode(normalized(long), GREEDY).frames == 2980
    with pytest.raises(EngineFailed, match=r"up to 29 s at once, got 29\.1 s"):
        tiny_en.decode(normalized(silence(29.1)), GREEDY)


def test_another_rate_is_refused(tiny_en: WhisperEngine, clip: Clip) -> None:
    with pytest.raises(EngineFailed, match="wants 16000 Hz, got 8000"):
        tiny_en.decode(replace(normalized(clip("en/hello_world")), rate_hz=8000), GREEDY)


def test_a_language_the_model_does_not_speak_is_refused(tiny_en: WhisperEngine, clip: Clip) -> None:
    assert tiny_en.languages == ("en",)
    with pytest.raises(EngineFailed, match=r"'de' is not spoken by tiny\.en; accepted: auto, en"):
        tiny_en.decode(normalized(clip("en/hello_world")), replace(GREEDY, language="de"))


def test_auto_on_an_english_model_is_english(tiny_en: WhisperEngine, clip: Clip) -> None:
    hypothesis = tiny_en.decode(normalized(clip("en/quick_brown_fox")), replace(GREEDY, language="auto")).hypothesis
    assert (hypothesis.language, hypothesis.language_probability) == ("en", 1.0)


@pytest.mark.parametrize(
    ("name", "phrase", "spelled"),
    [("hello_world", "HELLO WORLD", "HELLO WORLD"), ("counting", "one two three four", "One two three four five")],
)
def test_phrases_change_the_spelling(tiny_en: WhisperEngine, clip: Clip, name: str, phrase: str, spelled: str) -> None:
    audio = normalized(clip(f"en/{name}"))
    assert spelled not in tiny_en.decode(audio, BEAM).hypothesis.text
    assert spelled in tiny_en.decode(audio, replace(BEAM, phrases=(phrase,))).hypothesis.text


@pytest.mark.parametrize("phrase", ["1 2 3 4", "one two three", "One, two, three, four, five"])
def test_a_phrase_that_is_the_beginning_of_what_is_said_is_not_taken_for_said(tiny_en: WhisperEngine, clip: Clip, phrase: str) -> None:
    text = tiny_en.decode(normalized(clip("en/counting")), replace(BEAM, phrases=(phrase,))).hypothesis.text.lower()
    assert re.match("one|1", text)
    assert re.search(r"(nine|9)\W+(ten|10)\W*$", text)


def test_phrases_that_are_not_said_are_not_heard(tiny_en: WhisperEngine, clip: Clip) -> None:
    hints = replace(BEAM, phrases=("Kubernetes", "Asterisk", "voicemail", "Aix-la-Chapelle") * 40)
    assert plain(tiny_en.decode(normalized(clip("en/quick_brown_fox")), hints).hypothesis.text) == FOX


def test_how_many_phrases_were_used_is_told(tiny_en: WhisperEngine, clip: Clip) -> None:
    audio = normalized(clip("en/hello_world"))
    used = [tiny_en.decode(audio, replace(BEAM, phrases=phrases)).phrases_used for phrases in ((), ("Aix", "long " * 100, "Coney"))]
    assert used == [0, 2]


def test_decoding_from_several_threads_gives_the_same_as_from_one(tiny_en: WhisperEngine, clip: Clip) -> None:
    audio = [normalized(clip(f"en/{name}")) for name in ("counting", "hello_world", "quick_brown_fox")] * 4
    alone = [tiny_en.decode(one, GREEDY).hypothesis for one in audio[:3]] * 4
    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(lambda one: tiny_en.decode(one, GREEDY).hypothesis, audio)) == alone


@pytest.mark.parametrize(
    ("name", "language", "said"),
    [
        ("en/quick_brown_fox", "en", "lazy dog"),
        ("pt/pangrama", "pt", "raposa"),
        ("fr/pangrama", "fr", "whisky"),
        ("zh/nihao_shijie", "zh", "\u4f60\u597d"),
    ],
)
def test_auto_finds_the_language(base: WhisperEngine, clip: Clip, name: str, language: str, said: str) -> None:
    decoding = base.decode(normalized(clip(name)), replace(GREEDY, language="auto", word_times=True))
    assert decoding.hypothesis.language == language
    assert 0.5 < decoding.hypothesis.language_probability <= 1
    assert said in decoding.hypothesis.text
    assert names(decoding)[:4] == ["features", "encode", "language", "decode"]
    assert "".join(word.text for word in decoding.hypothesis.words) == decoding.hypothesis.text.replace(" ", "")


def test_the_language_asked_for_is_transcribed(base: WhisperEngine, clip: Clip) -> None:
    hypothesis = base.decode(normalized(clip("fr/pangrama")), replace(BEAM, language="fr")).hypothesis
    assert (hypothesis.language, hypothesis.language_probability) == ("fr", 1.0)
    assert hypothesis.text.startswith("Portez ce vieux whisky")


def test_auto_chooses_among_the_languages_it_was_given(base: WhisperEngine, clip: Clip) -> None:
    engine = with_options(base, auto_languages=("de", "zh"))
    assert engine.decode(normalized(clip("fr/comptage")), replace(GREEDY, language="auto")).hypothesis.language == "de"


def test_base_speaks_many_languages(base: WhisperEngine) -> None:
    assert {"en", "de", "fr", "zh", "ja"} <= set(base.languages)
    assert len(base.languages) == 99


def test_the_release_names_model_weights_and_options(tiny_en: WhisperEngine) -> None:
    release = tiny_en.release
    assert (release.model, release.weights_sha256) == ("tiny.en", PUBLISHED_SHA256["tiny.en"])
    assert release.options["compute_type"] == "int8"
    assert release.options["margin_ms"] == "800"


def test_calibration_finds_every_cost(tiny_en: WhisperEngine) -> None:
    cost = tiny_en.cost
    assert cost.token_ms > 0
    assert cost.align_ms > 0
    assert cost.beam_factor >= 1
    assert cost.predict(10_000, 800, 5, word_times=True).ms > cost.predict(2_000, 800, 1, word_times=False).ms > 0


def test_a_failure_of_the_library_is_an_engine_failure(tiny_en: WhisperEngine, clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(tiny_en._network, "answer", fail)
    with pytest.raises(EngineFailed, match=r"failed on 1\.1 s of audio: out of memory"):
        tiny_en.decode(normalized(clip("en/hello_world")), GREEDY)


def test_a_directory_that_is_no_model_is_a_set_up_error(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"no model")
    with pytest.raises(SetupError, match="cannot be used"):
        WhisperEngine.load(ModelFiles("mine", tmp_path, ""), EngineOptions())


@pytest.mark.skipif(get_cuda_device_count() > 0, reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_a_set_up_error(tiny_files: ModelFiles) -> None:
    with pytest.raises(SetupError, match=r"'cuda', but there is no NVIDIA GPU .*; accepted here: device: cpu$"):
        WhisperEngine.load(tiny_files, EngineOptions(device="cuda"))


def test_a_compute_type_the_machine_cannot_do_is_refused_with_those_it_can(tiny_files: ModelFiles) -> None:
    with pytest.raises(SetupError, match=r"'int3', which cpu cannot do here; accepted here: auto, default, .*int8"):
        WhisperEngine.load(tiny_files, EngineOptions(compute_type="int3"))


@pytest.mark.skipif(not get_cuda_device_count(), reason="there is no GPU")
@pytest.mark.parametrize("compute_type", ["float16", "int8_float16", "int8"])
def test_a_gpu_hears_what_the_processor_hears(tiny_files: ModelFiles, tiny_en: WhisperEngine, clip: Clip, compute_type: str) -> None:
    on_gpu = WhisperEngine.load(tiny_files, EngineOptions(device="cuda", compute_type=compute_type))
    audio = normalized(clip("en/quick_brown_fox"))
    heard, expected = (engine.decode(audio, replace(BEAM, word_times=True)).hypothesis for engine in (on_gpu, tiny_en))
    assert plain(heard.text) == plain(expected.text)
    assert [word.start_sample for word in heard.words] == pytest.approx([word.start_sample for word in expected.words], abs=3_200)


@pytest.mark.parametrize(
    "options", [{"workers": 0}, {"threads_per_worker": 0}, {"beam_size": 11}, {"margin_ms": -1}, {"margin_ms": 1001}, {"device": "tpu"}]
)
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(options))} is .*; accepted: "):
        EngineOptions(**options)
