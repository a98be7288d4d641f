"""`python -m bench curve`."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from asr_server.accuracy.manifest import Clip, read_manifest
from asr_server.engine.weights import resolve, smaller_beside
from asr_server.engine.whisper import WhisperEngine
from asr_server.events import Tier
from asr_server.machine import usable_cores
from asr_server.presets import PRESETS
from asr_server.session import SessionOptions
from asr_server.version import code_version
from audio_norm import DataDefinition, load_definition
from bench.charts import svg_file_of, tradeoff
from bench.clips import up_to
from bench.commands.speaking import JsonOption, ManifestOption
from bench.curve import ClipResult, ClipSimulator, Point, summarize
from bench.machine import machine
from bench.quantiles import Quantiles
from bench.simulate import microphone
from bench.speech_end import speech_end
from eval.audio import read_frames
from eval.commands.hearing import of_manifest
from eval.console import GOOD, check_writable, progress, write_json, write_text
from eval.opening import load_engine

FIXED_STOPS_MS = (200, 300, 400, 500, 700, 1_000)
VARIABLE = (*SessionOptions.__slots__, "beam_size")


def curve_command(
    *,
    manifest: ManifestOption,
    json: JsonOption,
    limit: Annotated[int | None, typer.Option(min=1, help="The first so many of the clips.")] = None,
    max_duration_s: Annotated[float, typer.Option(min=1.0, help="Only clips up to this long.")] = 16.0,
    model: Annotated[str, typer.Option(help="Name or directory.")] = "base",
    smaller_model: Annotated[
        str, typer.Option(help='Beside it, as `engine.smaller_model` of a server: "auto", a name or directory, or "" for none.')
    ] = "auto",
    vary: Annotated[
        list[str] | None,
        typer.Option(
            help="Another point instead of the usual ones, may be given again: a preset and what is different, e.g. "
            "'balanced vad_stop_ms=600 beam_size=5'."
        ),
    ] = None,
    svg: Annotated[Path | None, typer.Option(help="Where the curve goes as a picture.")] = None,
) -> int:
    """Word error rate against time to final text, for each preset and for fixed waits.

    By simulation in virtual time, with the real session and the real engine: minutes instead of hours, and the same on every run.
    """
    check_writable(json, inputs=[manifest])
    if svg is not None:
        check_writable(svg, "--svg", inputs=[manifest, json])
    named = [_varied(text) for text in vary] if vary else [Point.of_preset(preset) for preset in PRESETS.values()]
    lines = {} if vary else fixed_waits()
    points = [*named, *chain.from_iterable(lines.values())]
    clips = list(islice(up_to(read_manifest(manifest), max_duration_s), limit))
    if not clips:
        raise typer.BadParameter(f"no clip of up to {max_duration_s:g} s in {manifest}", param_hint="--manifest")
    smaller = smaller_beside(model, smaller_model)
    for name in filter(None, (model, smaller)):
        resolve(name)  # not found by the processes below, it would be told many times
    results: dict[str, list[ClipResult]] = {}
    with (
        ProcessPoolExecutor(usable_cores(), initializer=_load, initargs=(model, smaller)) as pool,
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
        "system": {
            "code": code_version(),
            "data_definition": f"{definition.version} {definition.digest}",
            "model": model,
            "smaller_model": smaller,
        },
    }
    write_json(json, result)
    Console(highlight=False).print(_table(curve))
    if svg is not None:
        drawn = iter(curve)
        marks = list(islice(drawn, len(named)))
        write_text(svg, svg_file_of(tradeoff(marks, {name: list(islice(drawn, len(line))) for name, line in lines.items()})))
    return GOOD


def fixed_waits() -> dict[str, list[Point]]:
    """The same wait whatever the text, twice: with nothing begun in the silence and nothing heard again, and with both."""
    fast = replace(Point.of_preset(PRESETS["fast"]), tier=Tier.ANY).varied("fast", {"sure_stop_ms": 0})
    plain = fast.varied(fast.name, {"speculate_after_ms": 0, "context_ms": 0})
    return {
        name: [point.varied(f"{name}, {stop_ms} ms", {"vad_stop_ms": stop_ms}) for stop_ms in FIXED_STOPS_MS]
        for name, point in (("fixed", plain), ("fixed with context", fast))
    }


def _varied(text: str) -> Point:
    name, *changes = text.split() or [""]
    preset = next((preset for preset in PRESETS.values() if preset.name == name), None)
    if preset is None:
        raise typer.BadParameter(f"{name!r} is no preset, accepted: {', '.join(PRESETS)}", param_hint="--vary")
    pairs = dict(_change(change) for change in changes)
    try:
        return Point.of_preset(preset).varied(text, pairs)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r}: {error}", param_hint="--vary") from None


def _change(change: str) -> tuple[str, int]:
    name, _, value = change.partition("=")
    if name not in VARIABLE:
        raise typer.BadParameter(f"{name!r} cannot be varied, accepted: {', '.join(VARIABLE)}", param_hint="--vary")
    if not (value.isascii() and value.isdecimal()):
        raise typer.BadParameter(f"{change!r}: wanted {name}=NUMBER", param_hint="--vary")
    return name, int(value)


def _table(curve: Sequence[dict[str, object]]) -> Table:
    table = Table()
    for name in ("point", "WER %", "kept aside", "TTFS p50", "p95", "p99", "finals", "eager stood", "load"):
        table.add_column(name, justify="left" if name == "point" else "right")
    for point in curve:
        ttfs, eager = point["ttfs_ms"], point["eager"]
        assert isinstance(ttfs, dict)
        stood = (
            f"{eager['stood']} of {eager['told']}, {_ms(eager['ms'], 'p50')} / {_ms(eager['ms'], 'p95')} ms"
            if isinstance(eager, dict)
            else ""
        )
        table.add_row(
            str(point["name"]),
            *(f"{100 * rate:.2f}" if isinstance(rate := point[key], float) else "-" for key in ("wer", "wer_kept_aside")),
            *(_ms(ttfs, key) for key in ("p50", "p95", "p99")),
            str(point["finals"]),
            stood,
            f"{point['load']:.2f}",
        )
    return table


def _ms(quantiles: Quantiles, share: str) -> str:
    ms = quantiles[share]
    return "-" if ms is None else f"{ms:.0f}"


# ------------------------------------------------------------------------------------------------------- in processes of their own


@dataclass(frozen=True, slots=True)
class _Held:
    """What a process hears with."""

    engine: WhisperEngine
    smaller: WhisperEngine | None
    definition: DataDefinition


_HELD: list[_Held] = []
"""One, once `_load` has run."""


def _load(model: str, smaller: str) -> None:
    _HELD[:] = [_Held(load_engine(model, workers=1), load_engine(smaller, workers=1) if smaller else None, load_definition())]


def _hear(clip: Clip, points: Sequence[Point]) -> list[ClipResult]:
    (held,) = _HELD
    frames, rate_hz = read_frames(clip)
    end = speech_end(clip, frames, rate_hz)
    chunks = microphone(frames, rate_hz, held.definition)
    simulator = ClipSimulator(chunks, clip.language, held.engine, held.definition, held.smaller)
    timed = replace(clip, duration_s=len(frames) / rate_hz)
    return [ClipResult(timed, end.at_s, simulator.run(point)) for point in points]
