"""The command line: `apply` a data definition to a file, `inspect` what files are like under it.

Results go to stdout, progress and errors to stderr, one line for each file that failed. Exit codes: 0 all good, 1 a file failed,
2 the call was wrong.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, NoReturn

import soundfile
import typer
from rich.console import Console
from rich.progress import Progress

from audio_norm.decode import decode_file
from audio_norm.definition import DataDefinition, load_definition
from audio_norm.errors import AudioError, DefinitionError
from audio_norm.inspect import Inspection, inspect_audio
from audio_norm.pcm import Frames, to_int16

OUTPUT_FORMATS = {".flac": "FLAC", ".wav": "WAV"}

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None, help=__doc__)

DefinitionOption = Annotated[str, typer.Option(help="Name of a published data definition, or a .toml file.")]
ChannelOption = Annotated[int | None, typer.Option(min=1, help="Use this channel (from 1) instead of the mean of all.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


def main() -> None:
    """Runs the command line and exits."""
    app(prog_name="python -m audio_norm")


@app.command("apply")
def apply_command(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Any file that libsndfile or FFmpeg reads.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="Written as 16 bit, 16 kHz mono: .flac or .wav.")],
    definition: DefinitionOption = "v1",
    channel: ChannelOption = None,
    as_json: JsonOption = False,  # noqa: FBT002  a typer option is a keyword by its nature
) -> None:
    """Write what the recogniser would see of IN to OUT."""
    rules = _definition(definition)
    kind = OUTPUT_FORMATS.get(target.suffix.lower())
    if kind is None:
        _wrong_call(f"{target}: the output ends in {' or '.join(OUTPUT_FORMATS)}")
    try:
        result = rules.normalize(*_read(source, channel), channel)
        if result.rejected is not None:
            raise _FileFailedError(f"rejected by {rules.version}: {result.rejected}; nothing was written")
        _write(target, to_int16(result.samples), result.rate_hz, kind)
    except _FileFailedError as error:
        _complain(source, error)
        raise typer.Exit(1) from None
    summary = {
        "file": str(source),
        "out": str(target),
        "duration_s": round(result.duration_s, 3),
        "gain_db": _rounded(result.gain_db),
        "loudness_before_lufs": _rounded(result.loudness_lufs),
        "peak_before_dbtp": _rounded(result.true_peak_dbfs),
        "kept_s": [[span.start_sample / result.rate_hz, span.end_sample / result.rate_hz] for span in result.kept],
        "definition": rules.version,
        "digest": rules.digest,
    }
    if as_json:
        typer.echo(json.dumps(summary))
    else:
        parts = "1 part" if len(result.kept) == 1 else f"{len(result.kept)} parts"
        typer.echo(
            f"{target}: {result.duration_s:.2f} s in {parts}, gain {result.gain_db:+.1f} dB, definition {rules.version} ({rules.digest})"
        )


@app.command("inspect")
def inspect_command(
    paths: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Any files that libsndfile or FFmpeg reads.")],
    definition: DefinitionOption = "v1",
    channel: ChannelOption = None,
    as_json: JsonOption = False,  # noqa: FBT002
) -> None:
    """Measure files before and after the definition: one line a file."""
    rules = _definition(definition)
    name_width = max(len(str(path)) for path in paths)
    if not as_json:
        typer.echo(_header(name_width))
    failed = 0
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=len(paths) == 1 or not console.is_terminal) as progress:
        task = progress.add_task("inspecting", total=len(paths))
        for path in paths:
            try:
                found = inspect_audio(*_read(path, channel), rules, channel)
            except _FileFailedError as error:
                failed += 1
                _complain(path, error)
            else:
                line = json.dumps(_as_json(path, found)) if as_json else _line(path, found, name_width)
                if progress.disable:
                    typer.echo(line)
                else:
                    # The bar stands on the terminal: it has to be taken off before a line is written, and put back after it.
                    progress.stop()
                    typer.echo(line)
                    progress.start()
            progress.advance(task)
    if failed:
        raise typer.Exit(1)


class _FileFailedError(Exception):
    """A file that cannot be handled; the message says why, without the file's name."""


def _read(path: Path, channel: int | None) -> tuple[Frames, int]:
    try:
        frames, rate_hz = decode_file(path.read_bytes())
    except OSError as error:
        raise _FileFailedError(error.strerror or str(error)) from error
    except AudioError as error:
        raise _FileFailedError(str(error)) from error
    if channel is not None and channel > frames.shape[1]:
        raise _FileFailedError(f"has {frames.shape[1]} channel(s), so no channel {channel}")
    return frames, rate_hz


def _write(path: Path, samples: Any, rate_hz: int, kind: str) -> None:  # noqa: ANN401  soundfile takes any array
    try:
        soundfile.write(path, samples, rate_hz, subtype="PCM_16", format=kind)
    except (OSError, soundfile.LibsndfileError) as error:
        raise _FileFailedError(f"cannot write {path}: {error}") from error


def _definition(name: str) -> DataDefinition:
    try:
        return load_definition(name)
    except DefinitionError as error:
        _wrong_call(str(error))


def _wrong_call(message: str) -> NoReturn:
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(2)


def _complain(path: Path, error: Exception) -> None:
    typer.echo(f"{path}: {error}", err=True)


_COLUMNS: Sequence[tuple[str, int]] = (
    ("dur s", 8),
    ("Hz", 6),
    ("ch", 3),
    ("band Hz", 8),
    ("LUFS", 6),
    ("after", 6),
    ("dBTP", 6),
    ("after", 6),
    ("gain", 6),
    ("SNR dB", 7),
    ("speech", 7),
    ("cut s", 7),
    ("clipped", 8),
)


def _header(name_width: int) -> str:
    return " ".join(["file".ljust(name_width), *(title.rjust(width) for title, width in _COLUMNS), "rejected"])


def _line(path: Path, found: Inspection, name_width: int) -> str:
    cells = (
        f"{found.duration_s:.2f}",
        str(found.rate_hz),
        str(found.channels),
        "-" if found.bandwidth_hz is None else str(found.bandwidth_hz),
        _cell(found.loudness_before_lufs),
        _cell(found.loudness_after_lufs),
        _cell(found.peak_before_dbtp),
        _cell(found.peak_after_dbtp),
        f"{found.gain_db:+.1f}",
        _cell(found.snr_db),
        f"{found.speech_ratio:.0%}",
        f"{found.silence_cut_s:.2f}",
        f"{found.clipped_ratio:.2%}",
    )
    padded = (cell.rjust(width) for cell, (_, width) in zip(cells, _COLUMNS, strict=True))
    return " ".join([str(path).ljust(name_width), *padded, found.rejected or "-"])


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _as_json(path: Path, found: Inspection) -> dict[str, Any]:
    return {"file": str(path)} | {name: _rounded(value) for name, value in asdict(found).items()}


def _rounded(value: Any) -> Any:  # noqa: ANN401  whatever a measurement is
    return round(value, 4) if isinstance(value, float) else value
