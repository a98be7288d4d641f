"""`python -m eval robustness`."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Column, Table

from asr_server.accuracy.manifest import Clip, read_manifest
from asr_server.errors import WrongCall
from audio_norm import DataDefinition, load_definition
from eval.by_engine import Defined, EngineRecogniser, Undefined
from eval.commands.hearing import MEASURED_BY, closing, of_manifest, sitting, until_interrupted, write_result
from eval.commands.options import (
    ExcludeSetsOption,
    FreshOption,
    JobsOption,
    JsonOption,
    LimitOption,
    ManifestOption,
    ModelOption,
    OursOption,
    ServerOption,
    SetsOption,
    names,
    via_options,
)
from eval.commands.requiring import closing_with, require_option, requirements_of
from eval.commands.wording import percent
from eval.console import check_writable
from eval.opening import load_engine, open_recogniser
from eval.recognisers import Recogniser, System
from eval.robustness.conditions import FAMILIES, NEED_SURROUNDINGS, Condition, Surroundings, conditions_of, read_surroundings
from eval.robustness.suite import AS_RECORDED, FIELDS, Distorter, HeardUnder, UnderCondition, report
from eval.run import Outcome, select
from eval.via import Via, ViaOptions

_WITH, _WITHOUT = "with", "without"


def robustness_command(
    *,
    manifest: ManifestOption,
    json: JsonOption,
    noise: Annotated[
        Path | None, typer.Option(help="Manifest of noises and room impulse responses, told apart by their `conditions`.")
    ] = None,
    conditions: Annotated[
        str,
        typer.Option(
            help=f"Of {', '.join(FAMILIES)}, comma between; all, without --noise all but {' and '.join(sorted(NEED_SURROUNDINGS))}."
        ),
    ] = "",
    exclude: Annotated[str, typer.Option(help="Ids of --noise that are not to be used, comma between.")] = "",
    seed: Annotated[int, typer.Option(min=0, help="Of what is drawn: noises, rooms, lost packets.")] = 0,
    via: OursOption = Via.ENGINE,
    server: ServerOption = None,
    model: ModelOption = None,
    definition: Annotated[str | None, typer.Option(help="Data definition: name or .toml file; v1 if not told (--via engine).")] = None,
    sets: SetsOption = "",
    exclude_sets: ExcludeSetsOption = "",
    limit: LimitOption = None,
    jobs: JobsOption = 0,
    fresh: FreshOption = False,
    require: Annotated[list[str] | None, require_option("'conditions[0].with.wer<0.1'")] = None,
) -> int:
    """Word error rate under other levels, over a telephone, in noise, in rooms, clipped and with packets lost: the same clips, with the
    data definition and without (a server always applies it). Exit code 1 when clips failed, or a requirement is not met."""
    check_writable(json, inputs=[manifest, noise])
    requirements = requirements_of(require, FIELDS)
    if via is Via.FASTER_WHISPER:
        raise WrongCall(f"robustness is measured --via {Via.ENGINE} or --via {Via.SERVER}")
    if definition == Undefined.name:
        raise WrongCall("--definition: robustness hears with a data definition and without anyway; name one")
    options = via_options(via, server=server, model=model, realtime=False, jobs=jobs, definition=definition)
    clips = select(read_manifest(manifest), sets=names(sets), exclude_sets=names(exclude_sets), limit=limit)
    if noise is None and exclude:
        raise WrongCall("--exclude goes with --noise")
    surroundings = read_surroundings(noise, names(exclude)) if noise else None
    chosen = conditions_of(names(conditions), surroundings)
    data = of_manifest(manifest, json)
    plan = _Plan(clips, [None, *chosen], surroundings, seed)
    around = {**of_manifest(noise, json), **surroundings.as_json()} if noise and surroundings else None
    of_run = {**data, "noise": around, "seed": seed}
    heard, system, how = until_interrupted(_hear(plan, options, result=json, of_run=of_run, fresh=fresh), json)
    data["clips"] = len(clips)
    result = report(heard, system, via=how, data=data, noise=around, seed=seed)
    outcomes = [outcome for one in heard for outcome in (*one.defined, *(one.undefined or ()))]
    write_result(json, result, outcomes)
    _show(result)
    return closing_with(requirements, result, closing(outcomes))


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be heard."""

    clips: Sequence[Clip]
    conditions: Sequence[Condition | None]
    """None: as recorded."""
    surroundings: Surroundings | None
    seed: int


@dataclass(frozen=True, slots=True)
class _Recognisers:
    defined: Recogniser
    undefined: Recogniser | None
    measured_by: DataDefinition
    options: ViaOptions

    @property
    def sides(self) -> Mapping[str, Recogniser]:
        return {_WITH: self.defined, **({_WITHOUT: self.undefined} if self.undefined else {})}


async def _hear(
    plan: _Plan, options: ViaOptions, *, result: Path, of_run: Mapping[str, object], fresh: bool
) -> tuple[list[HeardUnder], System, Mapping[str, object]]:
    async with _open(options) as recognisers:
        system, how = recognisers.defined.system, recognisers.options.as_json()
        of_run = {**how, **of_run, "beam_size": options.beam_size, "system": system.as_json()}
        distorter = Distorter(recognisers.measured_by, plan.surroundings or Surroundings(), plan.seed)
        parts = [_part(condition, side) for condition in plan.conditions for side in recognisers.sides]
        to_hear = [f"{part}{clip.id}" for part in parts for clip in plan.clips]
        heard: list[HeardUnder] = []
        with sitting(f"hearing via {options.via}", to_hear, result=result, of_run=of_run, fresh=fresh) as one:
            for condition in plan.conditions:
                outcomes: dict[str, list[Outcome]] = {}
                # Of one condition at a time: files of all of them would be many times the collection.
                with TemporaryDirectory() as folder:
                    for side, recogniser in recognisers.sides.items():
                        clips, under = plan.clips, recogniser
                        if condition is not None:
                            under = UnderCondition(recogniser, plan.clips, condition, distorter, Path(folder))
                            clips = under.clips
                        part = _part(condition, side)
                        outcomes[side] = await one.hear(clips, under, recognisers.measured_by, jobs=options.jobs, part=part)
                sounds = {} if condition is None else await asyncio.to_thread(distorter.sounds_around, plan.clips, condition)
                heard.append(HeardUnder(condition, outcomes[_WITH], outcomes.get(_WITHOUT), sounds))
        return heard, system, how


def _part(condition: Condition | None, side: str) -> str:
    return f"{condition.name if condition else AS_RECORDED}/{side}/"


@asynccontextmanager
async def _open(options: ViaOptions) -> AsyncIterator[_Recognisers]:
    """Raises AsrError or AudioError when they cannot be made ready."""
    if options.via is Via.SERVER:
        async with open_recogniser(options) as opened:
            yield _Recognisers(opened.recogniser, None, load_definition(MEASURED_BY), opened.options)
        return
    definition = load_definition(options.definition)
    engine = await asyncio.to_thread(load_engine, options.model, options.jobs, beam_size=options.beam_size)
    defined, undefined = (
        EngineRecogniser(engine, prepared, beam_size=options.beam_size) for prepared in (Defined(definition), Undefined())
    )
    yield _Recognisers(defined, undefined, definition, options)


def _show(result: Mapping[str, Any]) -> None:
    console = Console()
    points, errors = Column("more than as recorded", no_wrap=True), Column("S/D/I", no_wrap=True)
    table = Table(Column("condition", no_wrap=True), "rate %", points, errors, "empty", box=SIMPLE, pad_edge=False)
    saved = Table(Column("condition", no_wrap=True), "saved by the data definition", box=SIMPLE, pad_edge=False)
    for condition in result["conditions"]:
        name = condition["name"]
        for side, shown in ((_WITH, name), (_WITHOUT, "  undefined")):
            if condition[side] is not None:
                _add_rows(table, shown, condition[side], condition["difference"] and condition["difference"][side])
        _add_saved(saved, name, condition["gain_of_definition"])
    _add_saved(saved, "all", result["gain_of_definition"])
    console.print(table)
    if saved.row_count:
        console.print(saved)
    console.print(
        "Error rates in %, differences in points, in brackets where 95 of 100 draws fall. Undefined: without the data definition. "
        "Empty: clips of which nothing was heard."
    )


def _add_rows(table: Table, name: str, side: Mapping[str, Any], more: Mapping[str, Any] | None) -> None:
    rejected = ", ".join(f"{count} rejected: {reason}" for reason, count in side["rejected"].items())
    empty = f"{side['empty']} ({rejected})" if rejected else str(side["empty"])
    for kind, share, rate in (("words", "wer", side), ("characters", "cer", side["characters"])):
        if rate and rate["clips"]:
            errors = f"{rate['S']}/{rate['D']}/{rate['I']}"
            points = _points(more and more[kind])
            table.add_row(_of(kind, name), percent(rate[share]), points, errors, empty)
            empty = ""  # of all languages together: told once


def _add_saved(table: Table, name: str, gain: Mapping[str, Any] | None) -> None:
    for kind, found in (gain or {}).items():
        if found:
            table.add_row(_of(kind, name), _points(found))


def _of(kind: str, name: str) -> str:
    return name if kind == "words" else f"{name}, {kind}"


def _points(difference: Mapping[str, Any] | None) -> str:
    if difference is None:
        return "-"
    low_high = [f"{bound * 100:+.2f}" for bound in difference["ci95"] or ()]
    return f"{difference['rate'] * 100:+.2f} ({' .. '.join(low_high) or 'of one clip'})"
