"""Files that commands write: refused before anything is measured, and whole or not there. What the machine refuses is one line."""

import errno
from pathlib import Path

import pytest
import typer

from asr_server.errors import WrongCall
from eval.console import WRONG_CALL, check_writable, run_app, write_text


def test_a_place_where_nothing_can_be_written_is_a_wrong_call() -> None:
    with pytest.raises(WrongCall, match=r"--json /proc/o\.json: cannot be written: "):
        check_writable(Path("/proc/o.json"))


def test_looking_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "o.json").write_text("before")
    check_writable(tmp_path / "o.json", inputs=[tmp_path / "m.jsonl", None])
    assert [one.read_text() for one in tmp_path.iterdir()] == ["before"]


def test_another_file_of_the_command_by_any_name_is_a_wrong_call(tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").touch()
    (tmp_path / "link").symlink_to("m.jsonl")
    for written in (tmp_path / "m.jsonl", tmp_path / "link", tmp_path / ".." / tmp_path.name / "m.jsonl"):
        with pytest.raises(WrongCall, match=r"--html .*: is another file of this command, which would be lost"):
            check_writable(written, "--html", inputs=[None, tmp_path / "m.jsonl"])


def test_what_cannot_be_written_whole_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "o.json").write_text("before")
    with pytest.raises(UnicodeEncodeError):
        write_text(tmp_path / "o.json", "after \ud800")
    assert [one.read_text() for one in tmp_path.iterdir()] == ["before"]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "o.json"), "test: o.json: No space left on device\n"),
        (OSError(errno.ENOSPC, "No space left on device"), "test: No space left on device\n"),
        (OSError("strange"), "test: strange\n"),
    ],
)
def test_what_the_machine_refuses_is_one_line(error: OSError, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    app = typer.Typer()

    @app.command()
    def fail() -> None:
        raise error

    assert run_app(app, [], "test") == WRONG_CALL
    assert capsys.readouterr().err == line
