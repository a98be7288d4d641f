import os
from pathlib import Path

import pytest

from asr_server.errors import BadSettings
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


def test_an_empty_config_file_is_all_defaults(tmp_path: Path) -> None:
    assert read_settings(write(tmp_path, "# nothing yet\n")) == read_settings()
