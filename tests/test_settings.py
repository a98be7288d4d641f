import os
from dataclasses import replace
from pathlib import Path

import pytest

from asr_server.errors import BadSettings
from asr_server.presets import PRESETS, Preset
from asr_server.settings import read_settings


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("ASR_"):
            monkeypatch.delenv(name)


def write(folder: Path, text: str) -> Path:
    path = folder / "server.yaml"
    path.write_text(text)
    return path


def test_defaults_are_a_working_server() -> None:
    settings = read_settings()
    assert (settings.host, settings.port, settings.model) == ("127.0.0.1", 50_051, "base")
    assert settings.budget.total_ms == 500
    assert settings.preset == "balanced"


def test_the_command_line_outranks_the_environment_outranks_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "host: filehost\nport: 1111\nmodel: filemodel\nbudget: {asr_ms: 200}\n")
    monkeypatch.setenv("ASR_PORT", "2222")
    monkeypatch.setenv("ASR_MODEL", "envmodel")
    monkeypatch.setenv("ASR_LIMITS__MAX_SESSIONS", "7")
    settings = read_settings(path, model="given", host=None)
    assert (settings.host, settings.port, settings.model) == ("filehost", 2222, "given")
    assert (settings.budget.asr_ms, settings.limits.max_sessions) == (200, 7)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prot: 1", "prot: unknown; accepted: "),
        ("budget: {asr: 1}", "budget: unknown: asr; accepted: asr_ms, condition_ms"),
        ("budget: {asr_ms: 4000}", "budget slices add up to 4200 ms, more than the total of 500 ms"),
        ("endpointing: {vad_stop_ms: 1}", "vad_stop_ms is 1, accepted: 100 to 5000 ms"),
        ("endpointing: {sure_stop_ms: 200}", "endpointing: unknown: sure_stop_ms; accepted: end_of_utterance_ms, max_segment_ms"),
        ("preset: quick", "preset: 'quick' is not accepted: 'fast', 'balanced' or 'accurate'"),
        ("engine: cpu", "engine: 'cpu' is not accepted: a section of beam_size, compute_type"),
        ("engine: {workers: many}", "engine.workers: 'many' is not accepted: a valid integer"),
        ("model: ''", "model: is empty"),
        ("budget: {total_ms: 100, asr_ms: 10, queue_ms: 0, reserve_ms: 0}", "budget: total_ms is 100, accepted: 200 to 5000 ms, by limits"),
        ("engine: {beam_size: 11}", "engine.beam_size: "),
        ("engine: {max_batch: 65}", "engine.max_batch: "),
        ("engine: {max_batch: -1}", "engine.max_batch: "),
        ("limits: {max_sessions: 0}", "limit max_sessions is 0, must be positive"),
        ("port: many", "port: "),
        ("- a list", "is not a mapping"),
        ("a: [", "is not YAML"),
    ],
)
def test_a_wrong_setting_is_one_clear_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BadSettings) as caught:
        read_settings(write(tmp_path, text))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "compute_type", "workers", "max_batch"),
    [
        ("engine: {}", "int8", 6, 4),
        ("engine: {device: cuda}", "float16", 1, 16),
        ("engine: {device: cuda, compute_type: int8_float16, workers: 2, max_batch: 1}", "int8_float16", 2, 1),
        ("engine: {compute_type: float32, workers: 3, max_batch: 8}", "float32", 3, 8),
    ],
)
def test_what_is_left_to_the_device_suits_it(tmp_path: Path, text: str, compute_type: str, workers: int, max_batch: int) -> None:
    engine = read_settings(write(tmp_path, text)).engine.on_device(cores=6)
    assert (engine.compute_type, engine.workers, engine.max_batch) == (compute_type, workers, max_batch)


def test_the_preset_is_what_was_named_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "preset: fast")
    assert read_settings(path).preset == "fast"
    monkeypatch.setenv("ASR_PRESET", "accurate")
    assert read_settings(path).preset == "accurate"
    assert read_settings(path, preset="balanced").preset == "balanced"


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_endpointing_that_says_nothing_leaves_a_preset_as_it_is(preset: Preset) -> None:
    assert read_settings().endpointing.applied_to(preset.session) == preset.session


def test_endpointing_overrules_what_it_names_of_a_preset_and_no_more(tmp_path: Path) -> None:
    session = PRESETS["balanced"].session
    endpointing = read_settings(write(tmp_path, "endpointing: {max_segment_ms: 10000, start_timeout_ms: 5000}")).endpointing
    assert endpointing.applied_to(session) == replace(session, max_segment_ms=10_000, start_timeout_ms=5_000)


def test_a_vad_stop_is_one_wait_for_all_whatever_the_preset(tmp_path: Path) -> None:
    endpointing = read_settings(write(tmp_path, "endpointing: {vad_stop_ms: 1500}")).endpointing
    for preset in PRESETS.values():
        session = endpointing.applied_to(preset.session)
        assert (session.vad_stop_ms, session.sure_stop_ms, session.end_of_utterance_ms) == (1_500, 0, 1_500)
        assert session.context_ms == preset.session.context_ms


def test_a_wrong_value_on_the_command_line_is_refused_too() -> None:
    with pytest.raises(BadSettings, match="port: "):
        read_settings(port=70_000)


def test_a_wrong_nested_name_in_the_environment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASR_BUDGET__ASR", "1")
    with pytest.raises(BadSettings, match="budget: unknown: asr"):
        read_settings()


def test_a_misspelt_variable_is_refused_with_those_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASR_PROT", "1")
    with pytest.raises(BadSettings, match="ASR_PROT: no such setting; accepted: ASR_BUDGET, "):
        read_settings()


def test_a_missing_config_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="cannot read the config file"):
        read_settings(tmp_path / "none.yaml")


def test_an_empty_section_is_all_defaults(tmp_path: Path) -> None:
    assert read_settings(write(tmp_path, "engine:\nbudget:\nendpointing:\nlimits:\ntelemetry:\n")) == read_settings()


def test_an_empty_config_file_is_all_defaults(tmp_path: Path) -> None:
    assert read_settings(write(tmp_path, "# nothing yet\n")) == read_settings()
