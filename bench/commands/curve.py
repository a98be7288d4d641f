"""`python -m bench curve`."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from asr_server.engine.weights import resolve
from asr_server.machine import usable_cores
from asr_server.presets import PRESETS
from asr_server.version import code_version
from audio_norm import decode_file, load_definition
from bench.commands.speaking import JsonOption, ManifestOption
from bench.curve import ClipResult, ClipSimulator, Point, summarize
from bench.machine import machine
from bench.simulate import microphone
from bench.speech_end import speech_end
from eval.commands.hearing import of_manifest
from eval.console import GOOD, check_writable, progress, write_json
from eval.manifest import Clip, read_manifest
from eval.opening import load_engine

FIXED_STOPS_MS = (200, 300, 400, 500, 700, 1_000)


def curve_command(
    *,
    manifest: ManifestOption,
    json: JsonOption,
    limit: Annotated[int | None, typer.Option(min=1, help="The first so many of the clips.")] = None,
    max_duration_s: Annotated[float, typer.Option(min=1.0, help="Only clips up to this long.")] = 16.0,
    model: Annotated[str, typer.Option(help="Name or directory.")] = "base",
    vary: Annotated[
        list[str] | None,
        typer.Option(
            help="Another point instead of the usual ones, may be given again: a preset and what is different, e.g. "
            "'balanced vad_stop_ms=400 beam_size=5'."
        ),
    ] = None,
) -> int:
    """Word error rate against time to final text, for each preset and for fixed waits.

    By simulation in virtual time, with the real session and the real engine: minutes instead of hours, and the same on every run.
    """
    check_writable(json, inputs=[manifest])
    points = [_varied(text) for text in vary] if vary else usual_points()
    clips = [clip for clip in read_manifest(manifest) if clip.duration_s is None or clip.duration_s <= max_duration_s][:limit]
    if not clips:
        raise typer.BadParameter(f"no clip of up to {max_duration_s:g} s in {manifest}", param_hint="--manifest")
    resolve(model)  # not found by the processes below, it would be told many times
    results: dict[str, list[ClipResult]] = {}
    with (
        ProcessPoolExecutor(usable_cores(), initializer=_load, initargs=(model,)) as pool,
        progress("hearing", len(clips)) as heard,
    ):
        for future in as_completed([pool.submit(_hear, clip, points) for clip in clips]):
            results[future.result()[0].clip.id] = future.result()
            heard()
    curve = [summarize(point, [results[clip.id][number] for clip in clips]) for number, point in enumerate(points)]
    definition = load_definition()
    result = {
        "clips": len(clips),
        "points": curve,
        "manifest": of_manifest(manifest, json),
        "machine": machine(),
        "system": {"code": code_version(), "data_definition": f"{definition.version} {definition.digest}", "model": model},
    }
    write_json(json, result)
    Console(highlight=False).print(_table(curve))
    return GOOD


def usual_points() -> list[Point]:
    """The presets, and fixed waits with nothing of what is new: no speculation, no context."""
    presets = [Point.of_preset(preset) for preset in PRESETS.values()]
    plain = Point("plain", PRESETS["fast"].session, PRESETS["fast"].beam_size)
    fixed = [
        plain.varied(f"fixed {stop_ms} ms{' with context' if context_ms else ''}", {"vad_stop_ms": stop_ms, "context_ms": context_ms})
        for context_ms in (0, plain.session.context_ms)
        for stop_ms in FIXED_STOPS_MS
    ]
    return [*presets, *fixed]


def _varied(text: str) -> Point:
    name, *changes = text.split()
    preset = next((preset for preset in PRESETS.values() if preset.name == name), None)
    if preset is None:
        raise typer.BadParameter(f"{name!r} is no preset, accepted: {', '.join(PRESETS)}", param_hint="--vary")
    try:
        pairs = {key: int(value) for key, _, value in (change.partition("=") for change in changes)}
        return Point.of_preset(preset).varied(text, pairs)
    except (ValueError, TypeError) as error:
        raise typer.BadParameter(f"{text!r}: {error}", param_hint="--vary") from None


def _table(curve: Sequence[dict[str, object]]) -> Table:
    table = Table()
    for name in ("point", "WER %", "kept aside", "TTFS p50", "p95", "p99", "finals", "eager stood", "load"):
        table.add_column(name, justify="left" if name == "point" else "right")
    for point in curve:
        ttfs, eager = point["ttfs_ms"], point["eager"]
        assert isinstance(ttfs, dict)
        stood = (
            f"{eager['stood']} of {eager['told']}, {eager['ms']['p50']:.0f} / {eager['ms']['p95']:.0f} ms"
            if isinstance(eager, dict)
            else ""
        )
        table.add_row(
            str(point["name"]),
            *(f"{100 * rate:.2f}" if isinstance(rate := point[key], float) else "-" for key in ("wer", "wer_kept_aside")),
            *(f"{ttfs[key]:.0f}" if ttfs[key] is not None else "-" for key in ("p50", "p95", "p99")),
            str(point["finals"]),
            stood,
            f"{point['load']:.2f}",
        )
    return table


# ------------------------------------------------------------------------------------------------------- in processes of their own

_ENGINE: list[object] = []


def _load(model: str) -> None:
    _ENGINE[:] = [load_engine(model, workers=1), load_definition()]


def _hear(clip: Clip, points: Sequence[Point]) -> list[ClipResult]:
    engine, definition = _ENGINE
    frames, rate_hz = decode_file(Path(clip.audio).read_bytes())
    end = speech_end(clip, frames, rate_hz)
    simulator = ClipSimulator(microphone(frames, rate_hz, definition), clip.language, engine, definition)  # type: ignore[arg-type]
    timed = replace(clip, duration_s=len(frames) / rate_hz)
    return [ClipResult(timed, end.at_s, simulator.run(point)) for point in points]
