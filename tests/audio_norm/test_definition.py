from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio_norm import (
    DataDefinition,
    DefinitionError,
    Normalized,
    Samples,
    Span,
    SpeechWindow,
    VadRule,
    integrated_lufs,
    load_definition,
    published_definitions,
    true_peak_dbtp,
)
from audio_norm import definition as definition_module
from tests.audio_norm.samples import RATE_HZ, chunks, noise, speech

V1 = load_definition("v1")
V1_TOML = (Path(definition_module.__file__).parent / "definitions" / "v1.toml").read_text()


def recording() -> Samples:
    """Silence, speech, a pause longer than v1 keeps, quieter speech, silence; a little noise under it."""
    parts = [np.zeros(16_000, np.float32), speech("hello_world"), np.zeros(40_000, np.float32), 0.3 * speech("quick_brown_fox")]
    audio = np.concatenate([*parts, np.zeros(20_000, np.float32)])
    return (audio + noise(len(audio) / RATE_HZ, rms=0.0005)).astype(np.float32)


def same(one: Normalized, other: Normalized) -> bool:
    return one.samples.tobytes() == other.samples.tobytes() and all(
        getattr(one, name) == getattr(other, name) for name in Normalized.__dataclass_fields__ if name != "samples"
    )


def test_v1_is_published_and_is_what_it_always_was() -> None:
    """Never change this digest: changed rules are a new definition."""
    assert published_definitions() == ("v1",)
    assert (V1.version, V1.digest) == ("v1", "14ea4d1a0ad9")


def test_equal_rules_have_equal_digests_whatever_the_file_looks_like(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("# mine\n" + V1_TOML.replace('"v1"', '"mine"').replace("20.0", "20"))
    mine = load_definition(path)
    assert mine.version == "mine"
    assert mine.digest == V1.digest


def test_any_changed_rule_changes_the_digest() -> None:
    changed = replace(V1, silence=replace(V1.silence, keep_after_ms=251))
    assert changed.digest != V1.digest


def test_definitions_are_values() -> None:
    assert load_definition("v1") == V1
    assert hash(load_definition("v1")) == hash(V1)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("keep_after_ms = 250", "keep_after = 250", "unknown key silence.keep_after: accepted are keep_before_ms, keep_after_ms"),
        ("keep_after_ms = 250\n", "", "silence.keep_after_ms is missing"),
        ("keep_after_ms = 250", 'keep_after_ms = "250"', "silence.keep_after_ms wants a whole number, got '250'"),
        ("keep_after_ms = 250", "keep_after_ms = 2.5", "silence.keep_after_ms wants a whole number, got 2.5"),
        ("keep_after_ms = 250", "keep_after_ms = true", "silence.keep_after_ms wants a whole number, got True"),
        ("keep_after_ms = 250", "keep_after_ms = -1", "silence: SilenceRule wants keep_after_ms from 0 to 60000, got -1"),
        ("target_lufs = -23.0", 'target_lufs = "loud"', "loudness.target_lufs wants a number, got 'loud'"),
        ("target_lufs = -23.0", "target_lufs = nan", "target_lufs from -60 to 0, got nan"),
        (
            'detector = "silero"',
            'detector = "energy"',
            "vad.detector wants one of silero, webrtc-0, webrtc-1, webrtc-2, webrtc-3, got 'energy'",
        ),
        ("rate_hz = 16000", "rate_hz = 8000", "rate_hz 16000, got 8000"),
        ("high_pass_hz = 20.0", "high_pass_hz = 4000.0", "high_pass_hz from 1 to 100, got 4000.0"),
        ("max_clipped_ratio = ", "max_clipped_ratio = 1", "max_clipped_ratio"),
        ('version = "v1"', "version = 1", "version wants a non-empty string, got 1"),
        ('version = "v1"', "", "version is missing"),
        ('version = "v1"', 'version = "x"\nspeed = 2', "unknown key speed: accepted are version, audio, vad, gate"),
        ("[vad]", "[[vad]]", "vad wants a table"),
        ("[vad]", "[vad", "not TOML"),
    ],
)
def test_a_file_with_a_fault_is_refused_with_the_key_and_what_is_accepted(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    assert old in V1_TOML
    path.write_text(V1_TOML.replace(old, new))
    with pytest.raises(DefinitionError) as refusal:
        load_definition(path)
    assert message in str(refusal.value)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_changed_rules_may_not_take_the_name_of_a_published_version(tmp_path: Path) -> None:
    path = tmp_path / "sneaky.toml"
    path.write_text(V1_TOML.replace("keep_after_ms = 250", "keep_after_ms = 300"))
    with pytest.raises(DefinitionError, match="'v1' is published with other rules"):
        load_definition(path)


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(DefinitionError, match=r"no data definition 'v9': give one of v1, or the path of a \.toml file"):
        load_definition("v9")


def test_a_missing_file_is_refused() -> None:
    with pytest.raises(DefinitionError, match=r"cannot read the data definition nowhere\.toml"):
        load_definition("nowhere.toml")


@pytest.mark.parametrize("detector", ["webrtc-0", "webrtc-1", "webrtc-2", "webrtc-3", "silero"])
def test_every_detector_of_a_definition_works(detector: Literal["silero", "webrtc-0", "webrtc-1", "webrtc-2", "webrtc-3"]) -> None:
    chosen = replace(V1, vad=VadRule(detector))
    assert chosen.normalize(speech()[:, np.newaxis], RATE_HZ).speech_samples > RATE_HZ


def test_silence_is_cut_around_speech_and_in_long_pauses() -> None:
    result = V1.normalize(recording()[:, np.newaxis], RATE_HZ)
    assert result.rejected is None
    assert len(result.kept) == 2
    assert 3.5 < result.duration_s < 6.0
    assert result.kept[0].start_sample > 10_000
    assert result.to_stream(0) == result.kept[0].start_sample


def test_the_result_has_the_target_loudness() -> None:
    result = V1.normalize(recording()[:, np.newaxis], RATE_HZ)
    assert integrated_lufs(result.samples, RATE_HZ) == pytest.approx(V1.loudness.target_lufs, abs=0.01)


@settings(max_examples=20, deadline=None)
@given(st.floats(-60.0, 40.0), st.floats(0.0, 0.2))
def test_no_result_is_above_the_peak_limit_and_no_gain_above_the_largest(level_db: float, clicks: float) -> None:
    samples = np.clip(speech("hello_world") * 10 ** (level_db / 20), -1, 1).astype(np.float32)
    samples[np.random.default_rng(3).random(len(samples)) < clicks / 100] = 1.0
    window = SpeechWindow(samples, 0, (Span(0, len(samples)),))
    result = V1.finish(window)
    assert result.gain_db <= V1.loudness.max_gain_db
    peak = true_peak_dbtp(result.samples)
    assert peak is None or peak <= V1.loudness.peak_limit_dbtp + 1e-4  # float32 rounding of the gained samples


@pytest.mark.parametrize(
    ("speech_spans", "clipped_ratio", "reason"),
    [((), 0.0, "no_speech"), ((Span(500, 600),), 0.0, "too_short"), ((Span(500, 9_500),), 0.99, "clipped")],
)
def test_a_rejected_window_is_empty_and_says_why(speech_spans: tuple[Span, ...], clipped_ratio: float, reason: str) -> None:
    result = V1.finish(SpeechWindow(noise(1.0), 100, speech_spans, clipped_ratio))
    assert result.rejected == reason
    assert len(result.samples) == 0
    assert result.kept == ()


@pytest.mark.parametrize("samples", [np.empty(0, np.float32), np.zeros(10, np.float32), np.zeros(48_000, np.float32), noise(3.0)])
def test_without_speech_there_is_nothing_to_recognise(samples: Samples) -> None:
    assert V1.normalize(samples[:, np.newaxis], RATE_HZ).rejected == "no_speech"


def test_speech_driven_far_beyond_full_scale_is_rejected_as_clipped() -> None:
    square = np.sign(speech()) * np.float32(1.0)
    assert V1.normalize(square[:, np.newaxis], RATE_HZ).rejected in {"clipped", "no_speech"}


def streamed(definition: DataDefinition, frames: Samples, rate_hz: int, sizes: list[int]) -> Normalized:
    """As a session does it: condition what arrives, push the gate, and finish the window once it is complete."""
    intake, conditioner = definition.intake(rate_hz, frames.shape[1]), definition.conditioner()
    gate = definition.gate(conditioner.frame_samples)
    taken = [*(intake.feed(frames[cut]) for cut in chunks(len(frames), sizes)), intake.flush()]
    parts = [*(conditioner.feed(part.samples) for part in taken), conditioner.flush()]
    for part in parts:
        for probability in part.speech:
            gate.push(probability)
    samples = np.concatenate([part.samples for part in parts])
    clipped_ratio = sum(len(part.clipped) for part in taken) / len(samples)
    return definition.finish(SpeechWindow(samples, 0, gate.spans(0, len(samples)), clipped_ratio))


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100])
@settings(max_examples=5, deadline=None)
@given(sizes=st.lists(st.integers(50, 5_000), min_size=1, max_size=10))
def test_a_stream_gives_what_the_whole_file_gives(rate_hz: int, sizes: list[int]) -> None:
    frames = recording()[:, np.newaxis]
    assert same(streamed(V1, frames, rate_hz, sizes), V1.normalize(frames, rate_hz))


def test_finish_gives_the_same_from_many_threads_and_leaves_the_window_alone() -> None:
    window = V1.whole_window(recording()[:, np.newaxis], RATE_HZ)
    before = window.samples.copy()
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(V1.finish, [window] * 16))
    assert all(same(result, results[0]) for result in results)
    assert np.array_equal(window.samples, before)


def test_positions_of_a_window_inside_a_stream_are_kept() -> None:
    whole = V1.whole_window(recording()[:, np.newaxis], RATE_HZ)
    later = SpeechWindow(whole.samples, 1_000_000, tuple(Span(s.start_sample + 1_000_000, s.end_sample + 1_000_000) for s in whole.speech))
    one, other = V1.finish(whole), V1.finish(later)
    assert one.samples.tobytes() == other.samples.tobytes()
    assert [span.start_sample + 1_000_000 for span in one.kept] == [span.start_sample for span in other.kept]
