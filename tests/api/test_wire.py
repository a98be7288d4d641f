"""Every rule of the contract about values that come in."""

from dataclasses import replace

import pytest

from asr_server.api.limits import Limits
from asr_server.api.wire import Served, parse_recognize, parse_streaming_config, partial_results
from asr_server.budget import LatencyBudget
from asr_server.engine.engine import DecodeOptions
from asr_server.errors import InvalidRequest
from asr_server.events import Partial, Tier
from asr_server.pb import asr_pb2 as pb
from asr_server.presets import PRESETS
from audio_norm import Encoding
from tests.api.harness import PLAIN

SERVED = Served(
    model="base",
    languages=("en", "de"),
    default_language="en",
    limits=Limits(),
    budget=LatencyBudget(),
    presets=(PLAIN,),
)
Config = pb.RecognitionConfig


def config(**fields: object) -> Config:
    return Config(**{"encoding": Config.LINEAR16, "sample_rate_hertz": 16_000, **fields})  # type: ignore[arg-type]


def streaming(recognition: Config, **fields: object) -> pb.StreamingRecognitionConfig:
    return pb.StreamingRecognitionConfig(config=recognition, **fields)  # type: ignore[arg-type]


def violations(message: pb.StreamingRecognitionConfig, served: Served = SERVED) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        parse_streaming_config(message, served)
    return dict(caught.value.violations)


def test_defaults_are_the_servers() -> None:
    wanted = parse_streaming_config(streaming(config()), SERVED)
    assert (wanted.format.encoding, wanted.format.rate_hz, wanted.channel) == (Encoding.LINEAR16, 16_000, None)
    assert wanted.session == PLAIN.session
    assert wanted.decode == DecodeOptions(beam_size=5)
    assert wanted.budget == SERVED.budget


def test_what_is_asked_for_is_taken_over() -> None:
    wanted = parse_streaming_config(
        streaming(
            config(
                audio_channel_count=2,
                audio_channel=2,
                language_code="de-AT",
                max_alternatives=3,
                enable_word_time_offsets=True,
                speech_contexts=[pb.SpeechContext(phrases=["Graz", "Linz"]), pb.SpeechContext(phrases=["Wels"])],
            ),
            interim_results=True,
            enable_voice_activity_events=True,
            endpointing=pb.EndpointingConfig(vad_stop_ms=300, max_segment_ms=8000),
            latency_budget_ms=1000,
        ),
        SERVED,
    )
    assert (wanted.channel, wanted.format.channels, wanted.decode.language, wanted.language_tag) == (2, 2, "de", "de-AT")
    assert (wanted.decode.max_alternatives, wanted.decode.word_times, wanted.decode.phrases) == (3, True, ("Graz", "Linz", "Wels"))
    assert (wanted.session.vad_stop_ms, wanted.session.max_segment_ms, wanted.session.interim_results) == (300, 8000, True)
    assert wanted.speech_events
    assert (wanted.budget.total_ms, wanted.budget.asr_ms) == (1000, 600)


def test_everything_that_is_wrong_is_said_at_once() -> None:
    found = violations(
        streaming(
            config(
                sample_rate_hertz=4000,
                audio_channel_count=9,
                language_code="xx",
                model="huge",
                max_alternatives=9,
                speech_contexts=[pb.SpeechContext(phrases=["x"] * 101)],
            ),
            latency_budget_ms=20,
            endpointing=pb.EndpointingConfig(vad_stop_ms=20),
        )
    )
    assert set(found) == {
        "config.sample_rate_hertz",
        "config.audio_channel_count",
        "config.language_code",
        "config.model",
        "config.max_alternatives",
        "config.speech_contexts",
        "latency_budget_ms",
        "endpointing.vad_stop_ms",
    }
    assert found["config.sample_rate_hertz"] == "4000 is not accepted: 0 (default) or 8000 to 48000 Hz"
    assert found["config.model"] == "'huge' is not held here, accepted: base, or unset"
    assert found["config.language_code"] == "'xx' is not spoken by base, accepted: en, de, or auto"


@pytest.mark.parametrize("encoding", [Config.LINEAR16, Config.MULAW, Config.ALAW, Config.FLOAT32])
def test_audio_without_a_header_needs_its_rate(encoding: int) -> None:
    assert "is missing" in violations(streaming(config(encoding=encoding, sample_rate_hertz=0)))["config.sample_rate_hertz"]


def test_an_encoding_number_that_does_not_exist_is_refused_with_the_list() -> None:
    assert "accepted: LINEAR16, FLAC, MULAW" in violations(streaming(config(encoding=77)))["config.encoding"]


def test_a_channel_that_is_not_there_is_refused() -> None:
    assert violations(streaming(config(audio_channel_count=2, audio_channel=3)))["config.audio_channel"].endswith("1 to 2")


def test_a_stream_without_a_recognition_config_is_refused() -> None:
    assert "is missing" in violations(pb.StreamingRecognitionConfig())["streaming_config.config"]


@pytest.mark.parametrize("phrase", ["", "   ", "x" * 101])
def test_blank_and_overlong_phrases_are_refused(phrase: str) -> None:
    assert "config.speech_contexts.phrases" in violations(streaming(config(speech_contexts=[pb.SpeechContext(phrases=[phrase])])))


def test_end_of_utterance_follows_a_longer_vad_stop_unless_it_was_named() -> None:
    longer = parse_streaming_config(streaming(config(), endpointing=pb.EndpointingConfig(vad_stop_ms=2000)), SERVED)
    assert longer.session.end_of_utterance_ms == 2000
    named = pb.EndpointingConfig(vad_stop_ms=2000, end_of_utterance_ms=1500)
    assert "below vad_stop_ms (2000)" in violations(streaming(config(), endpointing=named))["endpointing.end_of_utterance_ms"]


def test_auto_language_is_english_where_only_english_is_spoken() -> None:
    message = streaming(config(language_code="auto"))
    assert parse_streaming_config(message, SERVED).decode.language == "auto"
    english = replace(SERVED, languages=("en",))
    assert parse_streaming_config(message, english).decode.language == "en"


TWO_MODELS = replace(SERVED, smaller_model="tiny.en", smaller_languages=("en",), presets=(PLAIN, replace(PRESETS["fast"], beam_size=2)))


@pytest.mark.parametrize(
    ("model", "preset", "tier"),
    [
        ("", "", Tier.ANY),
        ("", "fast", Tier.SMALLER),
        ("base", "fast", Tier.MAIN),
        ("base", "", Tier.MAIN),
        ("tiny.en", "", Tier.ONLY_SMALLER),
        ("tiny.en", "fast", Tier.ONLY_SMALLER),
    ],
)
def test_a_model_that_is_named_decodes_everything_else_the_preset_says_which(model: str, preset: str, tier: Tier) -> None:
    message = streaming(config(model=model), preset=preset)
    assert parse_streaming_config(message, TWO_MODELS).decode.tier is tier


def test_the_smaller_model_is_asked_in_its_own_languages_only() -> None:
    found = violations(streaming(config(model="tiny.en", language_code="de")), TWO_MODELS)
    assert found == {"config.language_code": "'de' is not spoken by tiny.en, accepted: en, or auto"}
    assert parse_streaming_config(streaming(config(model="tiny.en", language_code="auto")), TWO_MODELS).decode.language == "en"
    assert violations(streaming(config(model="huge")), TWO_MODELS) == {
        "config.model": "'huge' is not held here, accepted: base, tiny.en, or unset"
    }


@pytest.mark.parametrize(("tag", "told"), [("", "en"), ("en-GB", "en-GB"), ("auto", "en"), ("Auto", "en")])
def test_results_carry_the_language_that_was_named_else_the_one_that_was_heard(tag: str, told: str) -> None:
    wanted = parse_streaming_config(streaming(config(model="tiny.en", language_code=tag)), TWO_MODELS)
    shown = Partial(0, 0, 16_000, "", "hello", "en")
    assert [result.language_code for result in partial_results(shown, wanted, 16_000)] == [told]


def test_each_preset_tells_the_model_that_decodes_for_it() -> None:
    assert [TWO_MODELS.model_of(preset) for preset in TWO_MODELS.presets] == ["base", "tiny.en"]
    assert [SERVED.model_of(preset) for preset in TWO_MODELS.presets] == ["base", "base"]


def test_more_alternatives_than_beams_widen_the_beam() -> None:
    greedy = replace(SERVED, max_beam_size=1)
    assert parse_streaming_config(streaming(config(max_alternatives=4)), greedy).decode.beam_size == 4


def test_a_unary_request_needs_audio_and_a_config() -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_recognize(pb.RecognizeRequest(), SERVED)
    assert [field for field, _ in caught.value.violations] == ["config", "audio"]
