"""`python -m eval labels`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from asr_server.accuracy.manifest import read_manifest
from asr_server.accuracy.normalize import TEXT_RULES
from audio_norm import load_definition
from eval.commands.hearing import of_manifest
from eval.commands.options import OptionalJsonOption
from eval.commands.wording import percent
from eval.console import FAILED, GOOD, check_writable, progress, write_json
from eval.labels.audio import declared_rates_hz
from eval.labels.audit import Audit, audit
from eval.labels.conventions import LEAST_CLIPS, Usage
from eval.labels.findings import Check, has_errors
from eval.labels.report import label_report
from eval.labels.suspects import Bounds, Suspect
from eval.labels.words import Writing
from eval.result import read_run

EXAMPLES = 3
"""Ids shown in a table; the JSON has all."""
SUSPECTS_SHOWN = 10
WORDS_SHOWN = 10


def labels_command(
    manifest: Annotated[Path, typer.Argument(help="JSON lines: audio, text; optionally set, language, duration_s ...")],
    *,
    hypotheses: Annotated[
        Path | None, typer.Option(help="JSON of a run on it: texts that it contradicts although it is sure are told too.")
    ] = None,
    json: OptionalJsonOption = None,
    definition: Annotated[str, typer.Option(help="Data definition the audio is held against: name or .toml file.")] = "v1",
    strict: Annotated[bool, typer.Option("--strict", help="Exit code 1 when there are findings of severity error.")] = False,
) -> int:
    """Are the texts of a manifest written alike, and do text and audio belong together?"""
    if json is not None:
        check_writable(json, inputs=[manifest, hypotheses])
    rules = load_definition(definition)
    clips = read_manifest(manifest)
    run = read_run(hypotheses) if hypotheses else None
    with progress("listening", len(clips)) as advance:
        found = audit(clips, rules, rates_hz=declared_rates_hz(manifest), run=run, listened_to=advance)
    if json is not None:
        of = {
            **of_manifest(manifest, json),
            "hypotheses": hypotheses.name if hypotheses else None,
            "data_definition": f"{rules.version} {rules.digest}",
            "text_rules": TEXT_RULES,
        }
        write_json(json, label_report(found, of))
    _show(found)
    return FAILED if strict and has_errors(found.checks) else GOOD


def _show(found: Audit) -> None:
    console = Console()
    console.print(_checks(found.checks))
    console.print(f"nothing found: {'; '.join(check.name for check in found.checks if not check.findings)}\n", highlight=False)
    console.print(_conventions(found.conventions))
    if found.words:
        console.print(_words(found.words))
    if found.bounds is not None:
        _show_suspects(console, found.bounds, found.suspects)
    console.print(f"\nproposed style guide, of what {LEAST_CLIPS} clips or more have a say in", highlight=False)
    for line in found.style_guide:
        console.print(f"  {line.rule} {line.change} clips to change; {line.because}", markup=False, highlight=False)
    if not found.style_guide:
        console.print("  none")


def _checks(checks: Sequence[Check]) -> Table:
    table = Table("check", "severity", "clips", "of", "share %", Column("examples", overflow="fold"))
    for check in checks:
        if check.findings:
            table.add_row(check.name, check.severity, str(len(check.clips)), str(check.of), percent(check.share), _some(check.clips))
    return table


def _conventions(usages: Sequence[Usage]) -> Table:
    table = Table("convention", "way", "clips", "share %", "costs errors", "sets differ", Column("examples of the rarer", overflow="fold"))
    for usage in usages:
        total = sum(len(clips) for clips in usage.clips.values())
        for row, (name, clips) in enumerate(usage.clips.items()):
            about = ("", "", "")
            if row == 0:
                about = (usage.convention.name, _yes(usage.conflicting and not usage.scored_alike), _yes(usage.sets_differ))
            table.add_row(about[0], name, str(len(clips)), percent(len(clips) / total), about[1], about[2], _some(clips) if row else "")
    return table


def _words(words: Sequence[Writing]) -> Table:
    table = Table("word", "kind", "costs errors", Column("examples of the rarer", overflow="fold"), caption=_more(words, WORDS_SHOWN))
    for word in words[:WORDS_SHOWN]:
        ways = ", ".join(f"{way} ({len(clips)})" for way, clips in word.clips.items())
        table.add_row(escape(ways), word.kind, _yes(not word.scored_alike), _some(word.minority))
    return table


def _show_suspects(console: Console, bounds: Bounds, suspects: Sequence[Suspect]) -> None:
    console.print(
        f"\ntexts that a sure recogniser contradicts: {len(suspects)}; confidence from {bounds.confidence:.2f} and more than "
        f"{percent(bounds.error_rate)} % of the words wrong, or from {bounds.confidence_of_ends:.2f} and words missing at an end"
    )
    for one in suspects[:SUSPECTS_SHOWN]:
        differ = ", ".join(f"{pair.reference or '-'} > {pair.hypothesis or '-'}" for pair in one.differ)
        head = f"{one.clip.id}: {one.why}, confidence {one.confidence:.2f}, {percent(one.error_rate)} % wrong: {differ}"
        console.print(f"{head}\n  text   {one.clip.text}\n  heard  {one.heard}", markup=False, highlight=False)
    if more := _more(suspects, SUSPECTS_SHOWN):
        console.print(more)


def _yes(answer: bool) -> str:  # noqa: FBT001 - it is what is shown
    return "yes" if answer else "no"


def _more(rows: Sequence[object], shown: int) -> str | None:
    return f"and {len(rows) - shown} more: --json has all" if len(rows) > shown else None


def _some(clips: Sequence[str]) -> str:
    more = f" and {len(clips) - EXAMPLES} more" if len(clips) > EXAMPLES else ""
    return escape(", ".join(clips[:EXAMPLES]) + more)
