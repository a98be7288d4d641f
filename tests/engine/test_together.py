"""Real models, several decodes at once. The clips are ones whose texts do not hang on the last digits: more states of silence, which longer
company brings with it, may turn a word that the model was not sure of."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from ctranslate2 import get_cuda_device_count

from asr_server.engine.engine import DecodeOptions, Decoding
from asr_server.engine.options import EngineOptions
from asr_server.engine.weights import ModelFiles
from asr_server.engine.whisper import WhisperEngine
from asr_server.errors import EngineFailed
from asr_server.events import Said, WordPlaces
from audio_norm import Normalized, Samples
from tests.engine.conftest import RATE_HZ, normalized
from tests.engine.test_whisper import plain

Clip = Callable[[str], Samples]
GREEDY = DecodeOptions(beam_size=1)
BEAM = DecodeOptions(beam_size=2, word_times=True)


def together(engine: WhisperEngine, jobs: Sequence[tuple[Normalized, DecodeOptions]]) -> list[Decoding | EngineFailed]:
    outcomes: dict[int, Decoding | EngineFailed] = {}
    engine.decode_together(jobs, outcomes.__setitem__)
    return [outcomes[number] for number in range(len(jobs))]


def decoded(engine: WhisperEngine, jobs: Sequence[tuple[Normalized, DecodeOptions]]) -> list[Decoding]:
    outcomes = together(engine, jobs)
    assert all(isinstance(outcome, Decoding) for outcome in outcomes)
    return [outcome for outcome in outcomes if isinstance(outcome, Decoding)]


def four(clip: Clip) -> list[Normalized]:
    """From one to six seconds."""
    fox, hello = clip("en/quick_brown_fox"), clip("en/hello_world")
    pause = np.zeros(RATE_HZ // 2, np.float32)
    return [normalized(one) for one in (fox, np.concatenate([fox, pause, fox]), hello, np.concatenate([hello, fox]))]


@pytest.mark.parametrize("model", ["tiny_en", "base"])
@pytest.mark.parametrize("options", [GREEDY, BEAM], ids=["greedy", "beam"])
def test_four_clips_have_the_texts_together_that_they_have_alone(
    request: pytest.FixtureRequest, clip: Clip, model: str, options: DecodeOptions
) -> None:
    engine: WhisperEngine = request.getfixturevalue(model)
    jobs = [(audio, options) for audio in four(clip)]
    alone = [engine.decode(audio, options).hypothesis for audio, options in jobs]

    found = decoded(engine, jobs)

    # Sums are done in another order: "hello World" or "hello world" is a matter of the last bit, and of the processor.
    assert [plain(one.hypothesis.text) for one in found] == [plain(one.text) for one in alone]
    for one, expected in zip(found, alone, strict=True):
        assert [plain(word.text) for word in one.hypothesis.words] == [plain(word.text) for word in expected.words]
        ends = [word.end_sample for word in expected.words]
        assert [word.end_sample for word in one.hypothesis.words] == pytest.approx(ends, abs=RATE_HZ // 10)
    assert [one.batch for one in found] == [4] * 4


def test_equal_steps_are_done_in_one(tiny_en: WhisperEngine, clip: Clip) -> None:
    spans = [{span.name: span for span in one.spans} for one in decoded(tiny_en, [(audio, BEAM) for audio in four(clip)])]

    assert all(list(one) == ["features", "encode", "decode", "align"] for one in spans)
    assert len({one["decode"] for one in spans}) == 1
    # Of what a processor does not do faster for several, each has its own.
    assert len({one["encode"] for one in spans}) == len({one["align"] for one in spans}) == 4


def test_jobs_of_all_shapes_are_done_together(base: WhisperEngine, clip: Clip) -> None:
    fox = normalized(clip("en/quick_brown_fox"))
    said = Said(("The", "quick", "brown"), base.decode(fox, BEAM).hypothesis.words[3].start_sample)
    jobs = [
        (fox, GREEDY),
        (fox, replace(BEAM, said=said)),
        (normalized(clip("fr/pangrama")), replace(BEAM, language="auto", word_times=True)),
        (fox, replace(BEAM, beam_size=5, max_alternatives=3, phrases=("Fox", "Kubernetes"))),
        (replace(fox, rejected="too_short"), GREEDY),
    ]
    found = decoded(base, jobs)
    alone = [base.decode(audio, options) for audio, options in jobs]

    assert [one.hypothesis.text for one in found] == [one.hypothesis.text for one in alone]
    assert [one.hypothesis.language for one in found] == [one.hypothesis.language for one in alone]
    assert plain(found[1].hypothesis.text) == "fox jumps over the lazy dog"
    assert found[4].hypothesis.rejected == "too_short"


def test_texts_to_go_on_from_are_decoded_together_when_they_are_about_as_long(base: WhisperEngine, clip: Clip) -> None:
    fox = normalized(clip("en/quick_brown_fox"))
    words = base.decode(fox, BEAM).hypothesis.words
    jobs = [(fox, replace(BEAM, said=Said(tuple(word.text for word in words[:count]), words[count].start_sample))) for count in (2, 3, 4)]

    assert len({base.shape(options) for _, options in jobs}) == 1
    found = decoded(base, jobs)

    assert len({one.spans[2] for one in found}) == 1
    assert [plain(one.hypothesis.text).split()[0] for one in found] == ["brown", "fox", "jumps"]
    assert all(plain(one.hypothesis.text).endswith("lazy dog") for one in found)


def test_one_that_is_refused_does_not_keep_the_others(tiny_en: WhisperEngine, clip: Clip) -> None:
    hello = normalized(clip("en/hello_world"))
    first, refused, last = together(tiny_en, [(hello, GREEDY), (replace(hello, rate_hz=8_000), GREEDY), (hello, GREEDY)])

    assert isinstance(refused, EngineFailed)
    assert "wants 16000 Hz" in str(refused)
    assert isinstance(first, Decoding)
    assert isinstance(last, Decoding)
    assert first.hypothesis == last.hypothesis


def test_the_shape_is_what_makes_a_batch_possible(base: WhisperEngine) -> None:
    assert base.shape(GREEDY) == base.shape(replace(GREEDY, language="auto", word_places=WordPlaces.WITH, word_times=True))
    shapes = [
        GREEDY,
        replace(GREEDY, beam_size=2),
        replace(GREEDY, beam_size=2, max_alternatives=2),
        replace(GREEDY, phrases=("Kubernetes",)),
        replace(GREEDY, said=Said(("so",), 0)),
    ]
    assert len({base.shape(options) for options in shapes}) == len(shapes)


def test_what_a_batch_costs_is_measured_where_there_will_be_some(tiny_files: ModelFiles, tiny_en: WhisperEngine) -> None:
    cost = WhisperEngine.load(tiny_files, EngineOptions(workers=1, max_batch=4)).cost
    assert cost.step_share < 1
    assert (tiny_en.cost.step_share, tiny_en.cost.once_share) == (1.0, 1.0)


@pytest.mark.skipif(not get_cuda_device_count(), reason="there is no GPU")
@pytest.mark.parametrize("options", [GREEDY, BEAM], ids=["greedy", "beam"])
def test_on_a_gpu_all_steps_are_done_together(tiny_files: ModelFiles, tiny_en: WhisperEngine, clip: Clip, options: DecodeOptions) -> None:
    on_gpu = WhisperEngine.load(tiny_files, EngineOptions(device="cuda", compute_type="float16", workers=1, max_batch=16))
    jobs = [(audio, options) for audio in four(clip)] * 4
    found = decoded(on_gpu, jobs)

    expected = [tiny_en.decode(audio, options).hypothesis for audio, options in jobs[:4]] * 4
    assert [plain(one.hypothesis.text) for one in found] == [plain(one.text) for one in expected]
    for name in ("encode", "decode"):
        assert len({span for one in found for span in one.spans if span.name == name}) == 1
    assert on_gpu.shape(GREEDY) == on_gpu.shape(BEAM)
