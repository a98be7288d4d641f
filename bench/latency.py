"""`python -m bench latency`: time to the final text of clips spoken to a server in real time, and everything else one run of them tells."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, cycle, islice

from asr_server.accuracy.alignment import align
from asr_server.accuracy.manifest import Clip
from asr_server.accuracy.normalize import TEXT_RULES, normalize
from asr_server.accuracy.wer import ErrorCounts, count_errors, total
from asr_server.budget import SLICE_NAMES
from asr_server.errors import WrongCall
from bench.alone import Alone
from bench.clips import up_to
from bench.ending import End
from bench.pace import CHUNK_MS
from bench.partials import Revised, cadence_ms, partial_lags_ms, revised
from bench.quantiles import quantiles
from bench.serving import Config, StopMs
from bench.streams import STAGGER_S, FinalSeen, Spoken
from bench.usage import Used
from bench.validity import Bench
from eval.recognisers import System


@dataclass(frozen=True, slots=True)
class Setup:
    """How the clips were spoken, for the record: with the system and the clips of `runs` all that another run needs."""

    manifest: str
    manifest_sha256: str
    streams: int
    interim_results: bool
    eager_results: bool
    preset: str
    """By its name, also where it was the server's choice; "": the server has none."""
    end: End
    """What the callers did when they had spoken."""
    max_duration_s: float
    warm_up_clips: int
    own_server: bool
    config: Config | None
    stop_ms: StopMs
    vad_stop_ms: int
    """The longest of them."""
    budget_ms: dict[str, float]
    model_alone: str
    """Of floor, baseline and full context."""
    definition_alone: str
    """Data definition of floor and full context."""
    baseline: bool
    chunk_ms: int = CHUNK_MS
    stagger_s: float = STAGGER_S
    microphone: str = "in real time; where it stays open after the clip, silence of -1, 0 and 1 steps of 16 bit"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """How server and bench fared while the clips were spoken."""

    server: Used | None
    """None when the server's process is not known."""
    server_stall_ms: float
    """Longest of the server's event loop since it began to serve, by its own word."""
    bench: Used | None
    bench_stall_ms: float
    """Longest of this process's event loop while the clips were spoken."""


def select(clips: Sequence[Clip], *, streams: int, limit: int | None, max_duration_s: float) -> list[Clip]:
    """The first `limit` clips that are not longer than `max_duration_s`. Raises WrongCall for fewer than there are streams."""
    chosen = list(islice(up_to(clips, max_duration_s), limit))
    if len(chosen) < streams:
        raise WrongCall(f"--streams {streams} wants as many clips at least; {len(chosen)} are left after --limit and --max-duration-s")
    return chosen


def warm_up(clips: Sequence[Clip], chosen: Sequence[Clip], *, count: int, max_duration_s: float) -> list[Clip]:
    """So many clips to speak before: others of the manifest as far as there are, then the chosen ones from the first on."""
    measured = {clip.id for clip in chosen}
    others = (clip for clip in up_to(clips, max_duration_s) if clip.id not in measured)
    return list(islice(chain(others, cycle(chosen)), count))


@dataclass(frozen=True, slots=True)
class Measured:
    """One clip: spoken, and alone."""

    spoken: Spoken
    alone: Alone

    @property
    def clip(self) -> Clip:
        return self.spoken.part.clip

    @property
    def counts(self) -> ErrorCounts:
        return count_errors(self._normal(self.clip.text), self._normal(self.spoken.text))

    @property
    def full_context(self) -> ErrorCounts | None:
        """None when the whole clip could not be heard."""
        heard = self.alone.full_context
        return None if heard is None else count_errors(self._normal(self.clip.text), self._normal(heard))

    @property
    def heard_alone(self) -> int:
        """Reference words that were right with full context."""
        return len(self._right(self.alone.full_context or ""))

    @property
    def lost_words(self) -> list[str]:
        """Those of them that were not right in the stream, in order."""
        lost = self._right(self.alone.full_context or "") - self._right(self.spoken.text)
        said = self._normal(self.clip.text).split()
        return [said[index] for index in sorted(lost)]

    @property
    def revised(self) -> Revised:
        return revised(self.spoken.shown, self.clip.language)

    def _right(self, heard: str) -> set[int]:
        pairs = align(self._normal(self.clip.text), self._normal(heard))
        return {pair.reference_index for pair in pairs if pair.kind == "equal"}

    def _normal(self, text: str) -> str:
        return normalize(text, self.clip.language)


FIELDS = (
    *("streams", "clips", "segments", "valid", "invalid_because", "warm_up"),
    *(
        "ttfs_ms",
        "answer_ms",
        "answer_by_baseline",
        "response_ms",
        "asr_ms",
        "speculated_ms",
        "slices_ms",
        "endpoint_wait_ms",
        "first_partial_ms",
    ),
    *("partial_cadence_ms", "partial_lag_ms", "revised_words", "eager", "late", "degraded", "lost", "early", "refused", "failed"),
    *("wer", "words", "lost_words", "lost_words_of", "full_context", "floor_ms", "baseline_ms", "pacing_lag_ms"),
    *("longest_loop_stall_ms", "server", "bench", "notes", "runs", "setup", "text_rules", "machine", "system"),
)
"""Of a report, at its top."""


def report(
    results: Sequence[Measured],
    *,
    surroundings: Surroundings,
    setup: Setup,
    system: System,
    machine: dict[str, object],
    notes: Sequence[str] = (),
) -> dict[str, object]:
    """Everything about a run, ready for JSON; all times in ms. README.md says what each covers. `notes`: what a reader has to know."""
    spoken = [result.spoken for result in results]
    answer_ms = quantiles(one.answer_ms for one in spoken if one.answer_ms is not None)
    baseline_ms = quantiles(result.alone.baseline_ms for result in results if result.alone.baseline_ms is not None)
    finals = [final for one in spoken for final in one.finals]
    answers = [final for one in spoken for final in one.answers]
    lags = [lag for one in spoken for lag in one.lags]
    bench = Bench(surroundings.bench, surroundings.bench_stall_ms)
    invalid = bench.invalid_because(lags)
    return {
        "streams": setup.streams,
        "clips": len(results),
        "segments": len(finals),
        "valid": not invalid,
        "invalid_because": invalid,
        "warm_up": {"clips": setup.warm_up_clips},
        "ttfs_ms": quantiles(one.ttfs_ms for one in spoken if one.ttfs_ms is not None),
        "answer_ms": answer_ms,
        "answer_by_baseline": _ratio(answer_ms["p50"], baseline_ms["p50"]),
        "response_ms": quantiles(final.ledger.response_ms for final in answers),
        "asr_ms": quantiles(_recognition_ms(final) for final in finals),
        "speculated_ms": quantiles(final.ledger.speculated_ms for final in finals),
        "slices_ms": {name: _slice(answers, name) for name in SLICE_NAMES},
        "endpoint_wait_ms": quantiles(final.ledger.endpoint_wait_ms for final in answers),
        "first_partial_ms": quantiles(one.first_text_ms for one in spoken if one.first_text_ms is not None),
        **_partials(results, interim_results=setup.interim_results),
        "eager": _eager(spoken) if setup.eager_results else None,
        "late": sum(final.ledger.late for final in finals),
        "degraded": sum(bool(final.ledger.degraded) for final in finals),
        "lost": sum(one.lost for one in spoken),
        "early": sum(one.early for one in spoken),
        "refused": sum(one.refused for one in spoken),
        "failed": [{"id": one.part.clip.id, "error": one.error} for one in spoken if one.error],
        **_rate(total(result.counts for result in results)),
        "lost_words": sum(len(result.lost_words) for result in results),
        "lost_words_of": sum(result.heard_alone for result in results),
        "full_context": _full_context(results),
        "floor_ms": quantiles(ms for result in results for ms in result.alone.floor_ms if ms is not None),
        "baseline_ms": baseline_ms,
        "pacing_lag_ms": quantiles(lag.ms for lag in lags),
        "longest_loop_stall_ms": round(surroundings.server_stall_ms, 1),
        "server": None if surroundings.server is None else surroundings.server.as_json(),
        "bench": bench.as_json(lags),
        "notes": list(notes),
        "runs": [_run(result) for result in results],
        "setup": asdict(setup),
        "text_rules": TEXT_RULES,
        "machine": machine,
        "system": system.as_json(),
    }


def is_good(result: Mapping[str, object]) -> bool:
    """Of a report: nothing was lost, nothing was answered before it was said, nothing failed, and it was the server that was measured."""
    return not result["lost"] and not result["early"] and not result["failed"] and bool(result["valid"])


def _partials(results: Sequence[Measured], *, interim_results: bool) -> dict[str, object]:
    """Null for a run that did not ask for partials."""
    shown = [result.spoken.shown for result in results]
    words = sum((result.revised for result in results), Revised())
    rate = words.rate if interim_results else None
    return {
        "partial_cadence_ms": quantiles(chain.from_iterable(map(cadence_ms, shown))),
        "partial_lag_ms": quantiles(chain.from_iterable(map(partial_lags_ms, shown))),
        "revised_words": {
            "revised": words.words if interim_results else None,
            "final_words": words.final_words,
            "rate": None if rate is None else round(rate, 4),
        },
    }


def _eager(spoken: Sequence[Spoken]) -> dict[str, object]:
    return {
        "told": sum(len(one.eager) for one in spoken),
        "stood": sum(one.eager_stood for one in spoken),
        "ms": quantiles(one.eager_ms for one in spoken if one.eager_ms is not None),
    }


def _ratio(measured_ms: float | None, by_ms: float | None) -> float | None:
    return round(measured_ms / by_ms, 3) if measured_ms is not None and by_ms else None


def _rate(counts: ErrorCounts) -> dict[str, object]:
    return {"wer": None if counts.rate is None else round(counts.rate, 5), "words": counts.words}


def _counts(counts: ErrorCounts) -> dict[str, object]:
    return {"S": counts.substitutions, "D": counts.deletions, "I": counts.insertions, "words": counts.words}


def _full_context(results: Sequence[Measured]) -> dict[str, object]:
    counts = [counts for result in results if (counts := result.full_context) is not None]
    return {**_rate(total(counts)), "clips": len(counts)}


def _slice(finals: Sequence[FinalSeen], name: str) -> dict[str, object]:
    """What was spent, and under "planned" what was planned."""
    planned = (part.planned_ms for final in finals for part in final.ledger.slices if part.name == name)
    return {**quantiles(_spent_ms(finals, name)), "planned": quantiles(planned)}


def _recognition_ms(final: FinalSeen) -> float:
    """All of it, also what was done before the clock started."""
    return final.ledger.speculated_ms + sum(_spent_ms([final], "asr"))


def _spent_ms(finals: Sequence[FinalSeen], name: str) -> list[float]:
    return [part.spent_ms for final in finals for part in final.ledger.slices if part.name == name]


def _run(result: Measured) -> dict[str, object]:
    spoken, alone = result.spoken, result.alone
    part = spoken.part
    return {
        "id": part.clip.id,
        "speech_start_s": round(part.speech_start_s, 3),
        "speech_end_s": round(part.end.at_s, 3),
        "speech_end_by": part.end.known_by,
        "ttfs_ms": _ms(spoken.ttfs_ms),
        "answer_ms": _ms(spoken.answer_ms),
        "first_partial_ms": _ms(spoken.first_text_ms),
        "partials": sum(not text.is_final for text in spoken.shown),
        "revised_words": result.revised.words,
        "eager": [{"text": eager.text, "held_after_ms": _ms(eager.held_after_ms)} for eager in spoken.eager],
        "ref": part.clip.text,
        "hyp": spoken.text,
        **_counts(result.counts),
        "full_context": alone.full_context,
        "lost_words": result.lost_words,
        "baseline_ms": _ms(alone.baseline_ms),
        "error": spoken.error,
        "finals": [_final(final, floor_ms) for final, floor_ms in zip(spoken.finals, alone.floor_ms, strict=True)],
    }


def _final(final: FinalSeen, floor_ms: float | None) -> dict[str, object]:
    return {
        "text": final.text,
        "start_s": round(final.start_s, 3),
        "end_s": round(final.end_s, 3),
        "held_after_ms": _ms(final.held_after_ms),
        "floor_ms": _ms(floor_ms),
        "ledger": asdict(final.ledger),
    }


def _ms(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
