"""`python -m bench drift`."""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
import yaml
from rich.console import Console
from rich.table import Table

from asr_server.accuracy.language import primary_tag
from asr_server.accuracy.manifest import Clip, read_manifest
from asr_server.accuracy.texts import text_errors
from asr_server.accuracy.wer import total
from asr_server.api.client import Client
from asr_server.api.clip import Clip as Audio
from asr_server.local_server import local_server, serve_command
from asr_server.machine import usable_cores
from asr_server.watch.drift.reference import Origin, Reference
from asr_server.watch.journal.reading import read_journal
from asr_server.watch.journal.rows import FeedbackRow, SegmentRow
from audio_norm import DataDefinition, load_definition
from bench.changed import CHANGES, Recorded
from bench.clips import up_to
from bench.commands.speaking import JsonOption, ManifestOption, ModelOption
from bench.drift import (
    QUIET_SEGMENTS,
    Found,
    Heard,
    How,
    Order,
    Search,
    alarms,
    cost_us,
    halves,
    quiet_sequence,
    reference_of,
    search,
    watched,
)
from bench.machine import machine
from bench.predictors import Judged, expected, means_of, predictors
from bench.sending import clip_of, send
from eval.audio import read_frames
from eval.commands.hearing import of_manifest
from eval.commands.requiring import closing_with, require_option, requirements_of
from eval.console import check_writable, progress, write_json
from eval.robustness.distort import CannotDistort
from eval.robustness.suite import speech_in

AS_RECORDED = "as recorded"
OTHER_LANGUAGE = "another language"
AT_A_TIME, WORKERS = 2, 6
FIELDS = (
    "clips",
    "segments",
    "wer",
    "reference_segments",
    "false_alarms",
    "found",
    "cost_us",
    "predictors",
    "expected",
    "manifest",
    "machine",
    "system",
)


def drift_command(
    *,
    manifest: ManifestOption,
    json: JsonOption,
    language: Annotated[str, typer.Option(help="Clips in other languages are what comes when the language changes.")] = "en",
    sequences: Annotated[int, typer.Option(min=1, help="Of each kind.")] = 20,
    max_duration_s: Annotated[float, typer.Option("--max-duration-s", min=1.0, help="Longer clips are left out.")] = 30.0,
    limit: Annotated[int | None, typer.Option(min=2, help="The first so many of the clips of the language, and of others.")] = None,
    model: ModelOption = None,
    require: Annotated[list[str] | None, require_option("'false_alarms.segments.alarms==0'")] = None,
) -> int:
    """How soon a change of what comes in is found, and how often one is told where there is none.

    A server hears the clips, as they are and changed. One half of them is the reference; segments of the others come in random order in
    front of the detectors: 2,000 as they were, or 300 and then changed ones, all at once or more and more of them over 500. In the latter,
    and in one of two orders of the former, the segments of a recording follow one another.
    """
    check_writable(json, inputs=[manifest])
    requirements = requirements_of(require, FIELDS)
    clips = list(up_to(read_manifest(manifest), max_duration_s))
    usual = list(islice((clip for clip in clips if primary_tag(clip.language) == language), limit))
    others = list(islice((clip for clip in clips if primary_tag(clip.language) != language), limit))
    if len(usual) < 2:
        raise typer.BadParameter(
            f"{manifest} has {len(usual)} clips in {language} of up to {max_duration_s:g} s, wanted 2", param_hint="--manifest"
        )
    heard, judged, origin = asyncio.run(_hear(_spoken(usual, others), language, model or ""))
    result: dict[str, Any] = {
        "clips": len(usual),
        "segments": {name: sum(len(one.segments) for one in all_of) for name, all_of in heard.items()},
        "wer": _error_rates(judged),
        **_in_front_of_detectors(heard, origin, sequences),
        "predictors": predictors(judged),
        "expected": _expected(heard, judged),
        "manifest": of_manifest(manifest, json),
        "machine": machine(),
        "system": str(origin),
    }
    write_json(json, result)
    Console(highlight=False).print(_table(result), _told_by(result["predictors"]), _expected_of(result["expected"]))
    return closing_with(requirements, result)


# ------------------------------------------------------------------------------------------------------------------- hearing


@dataclass(frozen=True, slots=True)
class _Spoken:
    """A clip to be spoken under a condition."""

    condition: str
    clip: Clip


def _spoken(usual: Sequence[Clip], others: Sequence[Clip]) -> list[_Spoken]:
    return [
        *(_Spoken(name, clip) for name in (AS_RECORDED, *CHANGES) for clip in usual),
        *(_Spoken(OTHER_LANGUAGE, clip) for clip in others),
    ]


async def _hear(spoken: Sequence[_Spoken], language: str, model: str) -> tuple[dict[str, list[Heard]], list[Judged], Origin]:
    """By condition. Recordings that lack what a condition is measured by are left out under it."""
    definition = load_definition()
    with tempfile.TemporaryDirectory(prefix="bench-drift-") as folder:
        journal, config = Path(folder) / "journal.db", Path(folder) / "config.yaml"
        # More threads than cores, so that there is always one for a second opinion: nobody waits here.
        settings = {"telemetry": {"journal": str(journal), "second_opinions": 1.0}, "engine": {"workers": WORKERS}}
        config.write_text(yaml.safe_dump(settings), encoding="utf-8")
        async with local_server(serve_command(model, config)) as server:
            with progress("hearing", len(spoken)) as heard:
                left, texts = iter(enumerate(spoken)), dict[int, str]()

                async def speak() -> None:
                    for number, one in left:
                        audio = await asyncio.to_thread(_changed, one, definition)
                        if audio is not None:
                            texts[number] = " ".join(final.text for final in await send(server.address, audio, str(number), language))
                        heard()

                async with asyncio.TaskGroup() as group:
                    for _ in range(AT_A_TIME):
                        group.create_task(speak())
            async with Client(server.address) as client:
                system = (await client.server_info()).system()
        reading = read_journal(journal)
    by_number: dict[str, list[SegmentRow]] = {}
    for row in reading.segments:
        if row.outcome != "failed":
            by_number.setdefault(row.client, []).append(row)
    doubts = {row.segment_id: row for row in reading.feedback if row.kind == "second_opinion"}
    by_condition: dict[str, list[Heard]] = {}
    judged: list[Judged] = []
    for number, one in enumerate(spoken):
        rows = by_number.get(str(number), [])
        if not rows:
            continue
        by_condition.setdefault(one.condition, []).append(Heard(one.clip.id, tuple(watched(row.profile) for row in rows)))
        if one.condition != OTHER_LANGUAGE:
            judged.append(_judged(one, texts[number], rows, [doubts[row.id] for row in rows if row.id in doubts]))
    return by_condition, judged, Origin(system.data_definition, system.model, system.weights_sha256, "bench drift")


def _expected(heard: Mapping[str, Sequence[Heard]], judged: Sequence[Judged]) -> dict[str, dict[str, float | None]]:
    """Fitted on the recordings of the reference as they are; told of the others."""
    fitted_on = {one.clip for one in halves(heard[AS_RECORDED])[0]}
    return expected(
        [one for one in judged if one.clip not in fitted_on],
        [one for one in judged if one.clip in fitted_on and one.condition == AS_RECORDED],
    )


def _error_rates(judged: Sequence[Judged]) -> dict[str, float | None]:
    """By condition."""
    names = dict.fromkeys(one.condition for one in judged)
    return {name: total(one.errors for one in judged if one.condition == name).rate for name in names}


def _judged(spoken: _Spoken, text: str, rows: Sequence[SegmentRow], doubts: Sequence[FeedbackRow]) -> Judged:
    errors = text_errors(spoken.clip.text, text, spoken.clip.language)
    return Judged(spoken.condition, spoken.clip.id, errors, means_of([row.profile for row in rows]), total(row.errors for row in doubts))


def _changed(spoken: _Spoken, definition: DataDefinition) -> Audio | None:
    """None where that cannot be."""
    frames, rate_hz = read_frames(spoken.clip)
    change = CHANGES.get(spoken.condition)
    if change is not None:
        try:
            frames = change(Recorded(frames, rate_hz, speech_in(frames, rate_hz, definition), seed=len(frames)))
        except CannotDistort:
            return None
    if not len(frames):
        return None
    return clip_of(frames, rate_hz)


# ----------------------------------------------------------------------------------------------------------------- detecting


def _in_front_of_detectors(heard: Mapping[str, Sequence[Heard]], origin: Origin, sequences: int) -> dict[str, Any]:
    one_half, other_half = halves(heard[AS_RECORDED])
    reference = reference_of(one_half, origin)
    test_clips = {one.clip for one in other_half}
    after = {
        name: [one for one in all_of if name == OTHER_LANGUAGE or one.clip in test_clips]
        for name, all_of in heard.items()
        if name != AS_RECORDED
    }
    portable = reference.as_json()  # sketches cannot be handed to another process
    asked = [(name, how) for name in after for how in get_args(How)]
    orders = get_args(Order)
    with ProcessPoolExecutor(usable_cores()) as pool, progress("detecting", len(orders) * sequences + len(asked)) as done:
        quiet = {order: [pool.submit(_quiet, portable, other_half, seed, order) for seed in range(sequences)] for order in orders}
        searches = [pool.submit(_search, portable, Search(name, how, other_half, after[name]), sequences) for name, how in asked]
        told = {order: [_awaited(future.result(), done) for future in futures] for order, futures in quiet.items()}
        found = [_awaited(future.result(), done) for future in searches]
    return {
        "reference_segments": reference.segments,
        "reference_recordings": len(one_half),
        "false_alarms": {"sequences": sequences, "segments_each": QUIET_SEGMENTS, **{order: _in_vain(told[order]) for order in orders}},
        "found": [one.as_json() for one in found],
        "cost_us": round(cost_us(reference, other_half, {"client": "bench", "encoding": "LINEAR16", "language": "en"}), 1),
    }


def _in_vain(told: Sequence[Sequence[str]]) -> dict[str, Any]:
    """`told`: of each sequence the features of which something was told."""
    by_feature = Counter(name for names in told for name in names)
    return {
        "alarms": by_feature.total(),
        "sequences_with_any": sum(bool(names) for names in told),
        "features": dict(by_feature.most_common()),
    }


def _awaited(result: Any, done: Callable[[], None]) -> Any:  # noqa: ANN401 - whatever it is
    done()
    return result


def _quiet(reference: Mapping[str, Any], heard: Sequence[Heard], seed: int, order: Order) -> list[str]:
    """Features of which something was told."""
    return [alarm.feature for alarm in alarms(Reference.of_json(reference), quiet_sequence(heard, seed, order))]


def _search(reference: Mapping[str, Any], wanted: Search, sequences: int) -> Found:
    return search(Reference.of_json(reference), wanted, sequences)


def _table(result: Mapping[str, Any]) -> Table:
    quiet = result["false_alarms"]
    in_vain = ", ".join(f"{quiet[order]['alarms']} with {order} in random order" for order in get_args(Order))
    table = Table(
        caption=f"where nothing changes, false alarms in {quiet['sequences']} sequences of {quiet['segments_each']} segments: {in_vain}; "
        f"{result['cost_us']:.0f} us a segment"
    )
    for column in ("change", "how", "found", "delay, segments: p50", "p95", "first told of"):
        table.add_column(column, justify="left" if column in ("change", "how", "first told of") else "right")
    for one in result["found"]:
        delay = one["delay_segments"]
        first = ", ".join(islice(one["first"], 3))
        table.add_row(one["change"], one["how"], f"{one['found']} of {one['sequences']}", *map(_whole, (delay["p50"], delay["p95"])), first)
    return table


def _whole(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def _told_by(found: Mapping[str, Mapping[str, float | None]]) -> Table:
    table = Table(caption="rank correlation of what is known without labels with the error rate")
    for column in ("", "over recordings", "over conditions"):
        table.add_column(column, justify="right" if column else "left")
    for name, one in found.items():
        table.add_row(name, *("-" if (value := one[over]) is None else f"{value:.2f}" for over in ("recordings", "conditions")))
    return table


def _expected_of(found: Mapping[str, Mapping[str, float | None]]) -> Table:
    table = Table(caption="error rate without labels, by a model fitted on the reference as it is; of the other recordings")
    for column in ("", "expected %", "WER %"):
        table.add_column(column, justify="right" if column else "left")
    for name, one in found.items():
        table.add_row(name, *("-" if (rate := one[which]) is None else f"{100 * rate:.1f}" for which in ("expected", "wer")))
    return table
