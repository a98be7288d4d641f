"""How the command lines of `eval` and `bench` behave: progress on stderr, errors as one line, exit codes 0, 1 and 2."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from asr_server.accuracy.manifest import ManifestError
from asr_server.errors import AsrError, WrongCall
from audio_norm import AudioError

GOOD, FAILED, WRONG_CALL, INTERRUPTED = 0, 1, 2, 130
"""Exit codes: all good; what was measured failed; the call was wrong, or the machine did not let it read or write; Ctrl-C."""

# The command-line library's base of "the user called it wrongly"; it has no public name of its own.
_UsageError: Any = typer.BadParameter.__base__


class Interrupted(Exception):
    """Ctrl-C, with what was kept. The message is for the user."""


def run_app(app: typer.Typer, arguments: Sequence[str] | None, name: str) -> int:
    """Run a command and give its exit code; where there are several and none is named, show the help. What went wrong is one line on
    stderr, never a traceback."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if not given and len(app.registered_commands) > 1:
        given = ["--help"]
    try:
        code = app(args=given, prog_name=name, standalone_mode=False)
    except _UsageError as error:
        return _wrong(name, error.format_message())
    except typer.Exit as stop:
        return stop.exit_code
    except (ManifestError, AsrError, AudioError, OSError) as error:
        return _wrong(name, _reason(error))
    except Interrupted as stop:
        sys.stderr.write(f"{name}: {stop}\n")
        return INTERRUPTED
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    if code == INTERRUPTED:  # newer versions of the library give it back as a code
        sys.stderr.write(f"{name}: interrupted, nothing was written\n")
    return code if isinstance(code, int) else GOOD


def _reason(error: Exception) -> str:
    """For the user: of what the machine said, without its number."""
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    return error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"


def _wrong(name: str, message: str) -> int:
    sys.stderr.write(f"{name}: {' '.join(message.split())}\n")
    return WRONG_CALL


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[], None]]:
    """A bar on stderr, moved on by each call. Nothing where stderr is not a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)


def check_writable(path: Path, option: str = "--json", *, inputs: Iterable[Path | None] = ()) -> None:
    """Before an hour of measuring: can its result be written there? Raises WrongCall. Devices are refused: results are put in place of what
    was there; and so are `inputs`, the other files of the same command."""
    if not path.parent.is_dir():
        raise WrongCall(f"{option} {path}: no such folder: {path.parent}")
    if path.exists() and not path.is_file():
        raise WrongCall(f"{option} {path}: is {'a folder' if path.is_dir() else 'not a file'}")
    if path.resolve() in {one.resolve() for one in inputs if one is not None}:
        raise WrongCall(f"{option} {path}: is another file of this command, which would be lost")
    unfinished = _unfinished(path)
    try:
        unfinished.touch()
        unfinished.unlink()
    except OSError as error:
        raise WrongCall(f"{option} {path}: cannot be written: {error.strerror or error}") from None


def write_json(path: Path, report: Mapping[str, object]) -> None:
    """As `write_text`."""
    write_text(path, json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Whole or not at all: what stood there before stays until the new text is on disk."""
    unfinished = _unfinished(path)
    try:
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _unfinished(path: Path) -> Path:
    """Where a file stands until it is whole: beside its place, so that it can be put there at once."""
    return path.with_name(f"{path.name}.{os.getpid()}.tmp")
