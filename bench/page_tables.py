"""Results as rows for a page: what is said of each run beside the others. Pure; knows no HTML."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from asr_server.budget import SLICE_NAMES
from bench.quantiles import Quantiles
from bench.result import CapacityPoint, CapacityResult, ClipTimes, LatencyResult, Result, SoakResult
from bench.stages import STAGES
from eval.page.facts import Fact
from eval.page.numbers import NOTHING, percent

VISITS = {"cancelled": "cancelled", "garbage": "with garbage", "half_closed": "closed early", "unary": "of whole files"}
SHARES = ("p50", "p95", "p99")


@dataclass(frozen=True, slots=True)
class TimesRow:
    """One thing that was timed, in each run."""

    name: str
    is_part: bool
    """Of the row above it that is not."""
    planned_ms: float | None
    runs: tuple[Quantiles, ...]


@dataclass(frozen=True, slots=True)
class PlainRow:
    """One thing that was counted or measured once, in each run; ready to be shown."""

    name: str
    runs: tuple[str, ...]
    bad: tuple[bool, ...]
    """Whether it should not be so."""


@dataclass(frozen=True, slots=True)
class ClipRow:
    clip: ClipTimes
    times_ms: Mapping[str, float | None]
    """By stage, of the final that decides."""
    late: bool
    degraded: bool
    floor_ms: float | None


def labels_of(runs: Sequence[LatencyResult]) -> list[str]:
    """What tells the runs from one another: the number of streams, with the name of the file where that is not enough."""
    streams = [f"{run.streams} stream{'' if run.streams == 1 else 's'}" for run in runs]
    if len(set(streams)) == len(streams):
        return streams
    # Charts are drawn in a font that does not have every letter there is.
    stems = [PurePath(run.name).stem.encode("ascii", "replace").decode() for run in runs]
    return [f"{stem} ({label})" for stem, label in zip(stems, streams, strict=True)]


def times_rows(runs: Sequence[LatencyResult]) -> list[TimesRow]:
    rows = [
        ("time to final text", "ttfs_ms", False),
        *((("answer to Finalize or half-close", "answer_ms", False),) if any(run.setup["end"] != "silence" for run in runs) else ()),
        ("of it, VAD stop", "endpoint_wait_ms", True),
        ("response", "response_ms", False),
        *((name, f"slices_ms.{name}", True) for name in SLICE_NAMES),
        ("first words shown", "first_partial_ms", False),
        ("between partials", "partial_cadence_ms", True),
        ("partial behind its audio", "partial_lag_ms", True),
        ("floor: engine alone", "floor_ms", False),
        ("baseline: faster-whisper", "baseline_ms", False),
    ]
    return [_times(name, path, runs, is_part=is_part) for name, path, is_part in rows]


def _times(name: str, path: str, runs: Sequence[LatencyResult], *, is_part: bool) -> TimesRow:
    group, _, key = path.partition(".")
    found = [run.fields[group].get(key, {}) if key else run.fields[group] for run in runs]
    planned = [one.get("planned", {}).get("p50") for one in found]
    return TimesRow(
        name,
        is_part,
        planned[0] if planned and len(set(planned)) == 1 else None,
        tuple({share: one.get(share) for share in SHARES} for one in found),
    )


def plain_rows(runs: Sequence[LatencyResult]) -> list[PlainRow]:
    return [PlainRow(name, tuple(shown for shown, _ in cells), tuple(bad for _, bad in cells)) for name, cells in _plain(runs)]


def _plain(runs: Sequence[LatencyResult]) -> Iterator[tuple[str, list[tuple[str, bool]]]]:
    fields = [run.fields for run in runs]
    yield "valid", [("yes" if one["valid"] else "NO", not one["valid"]) for one in fields]
    yield "clips, finals", [(f"{one['clips']}, {one['segments']}", False) for one in fields]
    for name, wanted in (("late", True), ("degraded", False), ("lost", True), ("early", True), ("refused", True)):
        yield name, [(str(one[name]), wanted and bool(one[name])) for one in fields]
    yield "failed", [(str(len(one["failed"])), bool(one["failed"])) for one in fields]
    yield "word error rate", [(f"{percent(one['wer'], 2)} of {one['words']} words", False) for one in fields]
    yield "the same with full context", [(percent(one["full_context"]["wer"], 2), False) for one in fields]
    yield "words lost in the stream", [(f"{one['lost_words']} of {one['lost_words_of']}", False) for one in fields]
    yield "shown words revised", [(_revised(one["revised_words"]), False) for one in fields]
    yield "response, times the floor", [(_ratio(one, "response_ms", "floor_ms"), False) for one in fields]
    yield "time to final text, times the baseline", [(_ratio(one, "ttfs_ms", "baseline_ms"), False) for one in fields]
    yield "server: processor, 100 % a core", [(_of_server(one["server"], "cpu_percent", "{:.0f} %"), False) for one in fields]
    yield "server: memory at most", [(_of_server(one["server"], "resident_mb", "{:.0f} MB"), False) for one in fields]
    yield "server: longest loop stall", [(_ms(one["longest_loop_stall_ms"]), False) for one in fields]
    yield "bench woke late, p99", [(_ms(one["bench"]["own_lag_ms"]["p99"]), not one["valid"]) for one in fields]


def clip_rows(run: LatencyResult) -> list[ClipRow]:
    return [_clip(clip) for clip in run.clips.values()]


def _clip(clip: ClipTimes) -> ClipRow:
    final = clip.deciding
    times = {name: time_of(clip) for name, time_of in STAGES.items()}
    return ClipRow(
        clip,
        {name: None if time is None else time.ms for name, time in times.items()},
        late=any(one.late for one in clip.finals),
        degraded=any(one.degraded for one in clip.finals),
        floor_ms=None if final is None else final.floor_ms,
    )


def repeats(point: CapacityPoint) -> str:
    """How many of a point's repeats kept the promise."""
    unknown = sum(not one["valid"] for one in point.fields["repeats"])
    return f"{sum(point.repeats_passed)} of {len(point.repeats_passed)} kept it" + (f", {unknown} cannot tell" if unknown else "")


def unary_facts(result: CapacityResult) -> list[Fact]:
    unary = result.fields["unary"]
    if unary is None:
        return []
    return [
        Fact("requests at a time", str(unary["concurrency"])),
        Fact("throughput", f"{unary['requests_per_s']:.2f} requests a second, {unary['audio_s_per_s']:.1f} seconds of speech a second"),
        Fact("time", ", ".join(f"{share} {_ms(unary['latency_ms'][share])}" for share in SHARES)),
        Fact("requests", f"{unary['requests']}, {unary['failed']} failed, {unary['refused']} refused"),
    ]


def soak_facts(result: SoakResult) -> list[Fact]:
    fields = result.fields
    times = fields["ttfs_ms"]
    return [
        Fact(
            "time to final text, p95",
            f"{_ms(times['p95'])}; first third {_ms(times['first_third']['p95'])}, last {_ms(times['last_third']['p95'])}",
        ),
        Fact("clips", f"{fields['clips']}, {fields['late']} finals late, {fields['degraded']} degraded, {fields['lost']} clips lost"),
        Fact("visits", ", ".join(f"{fields[name]} {what}" for name, what in VISITS.items())),
        Fact("sessions left", NOTHING if fields["sessions_left"] is None else str(fields["sessions_left"])),
        Fact("longest loop stall", _ms(fields["longest_loop_stall_ms"])),
    ]


def circumstances(result: Result) -> list[Fact]:
    """Machine, system and set-up: what makes a result again."""
    return [
        Fact(name.replace("_", " "), value) for part in ("machine", "system", "setup") for name, value in _flat(result.fields[part], part)
    ]


def different_circumstances(results: Sequence[Result]) -> list[str]:
    """Why results stand beside one another that should not be compared."""
    notes = []
    for part, what in (("machine", "machines or libraries"), ("system", "code, data definitions or weights")):
        found = [dict(_flat(result.fields[part], part)) for result in results]
        names = {name for one in found for name in one if name != "load_average"}
        if different := sorted(name for name in names if len({one.get(name) for one in found}) > 1):
            notes.append(f"These results are of different {what}: {', '.join(name.replace('_', ' ') for name in different)}.")
    return notes


def _flat(fields: Mapping[str, Any], above: str) -> Iterator[tuple[str, str]]:
    # Options come in any order; side by side they are compared.
    for name, value in sorted(fields.items()) if above == "options" else fields.items():
        if isinstance(value, Mapping):
            yield from _flat(value, name)
        else:
            shown = " ".join(map(str, value)) if isinstance(value, list) else str(value)
            yield (name if above in {"machine", "system", "setup"} else f"{above} {name}"), shown


def _revised(words: Mapping[str, Any]) -> str:
    return NOTHING if words["rate"] is None else f"{percent(words['rate'])} of {words['final_words']}"


def _ratio(fields: Mapping[str, Any], times: str, alone: str) -> str:
    measured_ms, alone_ms = fields[times]["p50"], fields[alone]["p50"]
    return f"{measured_ms / alone_ms:.2f}" if measured_ms is not None and alone_ms else NOTHING


def _of_server(server: Mapping[str, Any] | None, name: str, shown: str) -> str:
    if server is None:
        return NOTHING
    return shown.format(server[name]["max"] if isinstance(server[name], Mapping) else server[name])


def _ms(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.0f} ms" if value >= 10 else f"{value:.1f} ms"
