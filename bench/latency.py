"""`python -m bench latency`: time to the final text of clips spoken to a server in real time."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from asr_server.api.clip import decode_clip
from asr_server.budget import SLICE_NAMES
from asr_server.errors import WrongCall
from audio_norm import DataDefinition
from bench.alone import Alone
from bench.quantiles import quantiles
from bench.speech_end import speech_end
from bench.streams import FinalSeen, Part, Spoken
from eval.audio import duration_s, read_frames
from eval.manifest import Clip
from eval.normalize import TEXT_RULES, normalize
from eval.recognisers import System
from eval.wer import ErrorCounts, count_errors, total


@dataclass(frozen=True, slots=True)
class Setup:
    """How the clips were spoken, for the record."""

    streams: int
    interim_results: bool
    own_server: bool
    vad_stop_ms: int
    budget_ms: dict[str, float]
    microphone: str = "20 ms chunks in real time; after the clip silence of -1, 0 and 1 steps of 16 bit until the utterance is over"


def select(clips: Sequence[Clip], *, streams: int, limit: int | None, max_duration_s: float) -> list[Clip]:
    """The first `limit` clips that are not longer than `max_duration_s`. Raises WrongCall for fewer than there are streams."""
    chosen = [clip for clip in clips if duration_s(clip) <= max_duration_s][:limit]
    if len(chosen) < streams:
        raise WrongCall(f"--streams {streams} wants as many clips at least; {len(chosen)} are left after --limit and --max-duration-s")
    return chosen


def make_ready(clip: Clip, definition: DataDefinition) -> Part:
    """Raises ManifestError for a file that is not audio."""
    frames, rate_hz = read_frames(clip)
    return Part(clip, decode_clip(clip.audio.read_bytes()), speech_end(clip, frames, rate_hz, definition))


def report(
    results: Sequence[Spoken], alone: Alone, *, setup: Setup, system: System, machine: dict[str, object], longest_loop_stall_ms: float
) -> dict[str, object]:
    """Everything about a run, ready for JSON; all times in ms. README.md says what each covers."""
    finals = [final for spoken in results for final in spoken.finals]
    counts = total([_counts(spoken) for spoken in results])
    ttfs_ms = [spoken.ttfs_ms for spoken in results if spoken.ttfs_ms is not None]
    return {
        "streams": setup.streams,
        "clips": len(results),
        "segments": len(finals),
        "ttfs_ms": quantiles(ttfs_ms),
        "response_ms": quantiles(final.ledger.response_ms for final in finals),
        "asr_ms": quantiles(_spent_ms(finals, "asr")),
        "slices_ms": {name: _slice(finals, name) for name in SLICE_NAMES},
        "endpoint_wait_ms": quantiles(final.ledger.endpoint_wait_ms for final in finals),
        "late": sum(final.ledger.late for final in finals),
        "degraded": sum(bool(final.ledger.degraded) for final in finals),
        "lost": sum(spoken.lost for spoken in results),
        "early": sum(ms < 0 for ms in ttfs_ms),
        "failed": [{"id": spoken.part.clip.id, "error": spoken.error} for spoken in results if spoken.error],
        "wer": None if counts.rate is None else round(counts.rate, 5),
        "words": counts.words,
        "floor_ms": quantiles(alone.floor_ms),
        "baseline_ms": quantiles(alone.baseline_ms),
        "pacing_lag_ms": quantiles(lag for spoken in results for lag in spoken.lags_ms),
        "longest_loop_stall_ms": round(longest_loop_stall_ms, 1),
        "runs": [_run(spoken) for spoken in results],
        "setup": asdict(setup),
        "text_rules": TEXT_RULES,
        "machine": machine,
        "system": system.as_json(),
    }


def _counts(spoken: Spoken) -> ErrorCounts:
    clip = spoken.part.clip
    return count_errors(normalize(clip.text, clip.language), normalize(spoken.text, clip.language))


def _slice(finals: Sequence[FinalSeen], name: str) -> dict[str, object]:
    """What was spent, and under "planned" what was planned."""
    planned = (part.planned_ms for final in finals for part in final.ledger.slices if part.name == name)
    return {**quantiles(_spent_ms(finals, name)), "planned": quantiles(planned)}


def _spent_ms(finals: Sequence[FinalSeen], name: str) -> list[float]:
    return [part.spent_ms for final in finals for part in final.ledger.slices if part.name == name]


def _run(spoken: Spoken) -> dict[str, object]:
    part = spoken.part
    return {
        "id": part.clip.id,
        "speech_end_s": round(part.end.at_s, 3),
        "speech_end_by": part.end.known_by,
        "ttfs_ms": None if spoken.ttfs_ms is None else round(spoken.ttfs_ms, 1),
        "ref": part.clip.text,
        "hyp": spoken.text,
        "error": spoken.error,
        "finals": [
            {
                "text": final.text,
                "start_s": round(final.start_s, 3),
                "end_s": round(final.end_s, 3),
                "held_after_ms": round(final.held_after_ms, 1),
                "ledger": asdict(final.ledger),
            }
            for final in spoken.finals
        ],
    }
