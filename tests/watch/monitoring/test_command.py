"""`asr-server monitoring`."""

import json
from pathlib import Path

import yaml
from typer.testing import CliRunner

from asr_server.cli import app
from asr_server.errors import BadSettings

run = CliRunner().invoke


def test_rules_are_yaml_on_standard_output_or_in_a_file(tmp_path: Path) -> None:
    shown = run(app, ["monitoring", "rules"])
    written = run(app, ["monitoring", "rules", "--out", str(tmp_path / "asr.yml")])
    assert (shown.exit_code, written.exit_code, written.output) == (0, 0, "")
    assert (tmp_path / "asr.yml").read_text() == shown.output
    assert [group["name"] for group in yaml.safe_load(shown.output)["groups"]] == [
        "asr-slo-response",
        "asr-slo-recognition",
        "asr-slo-calls",
        "asr-symptoms",
    ]


def test_the_dashboard_is_json() -> None:
    shown = run(app, ["monitoring", "dashboard"])
    assert json.loads(shown.output)["uid"] == "asr-server"


def test_a_file_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    failed = run(app, ["monitoring", "rules", "--out", str(tmp_path / "no" / "asr.yml")])
    assert isinstance(failed.exception, BadSettings)
    assert str(failed.exception) == f"cannot write {tmp_path / 'no' / 'asr.yml'}: No such file or directory"
