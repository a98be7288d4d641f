"""`python -m bench idle`: what streams cost that are open and say nothing, and what they cost others; everything about a run for JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.capacity import Heard
from bench.footprint import Footprint, footprint
from bench.pace import Lag
from bench.quantiles import quantiles
from bench.quiet import Quiet
from bench.serving import Config
from bench.stretch import Stretch
from eval.recognisers import System

FEW_CLIPS = 20
"""Fewer have no 95th percentile but their largest."""


@dataclass(frozen=True, slots=True)
class Setup:
    """How it was measured, for the record."""

    manifest: str
    manifest_sha256: str
    clips: int
    max_duration_s: float
    seconds: float
    quiet: Quiet
    chunk_ms: int | None
    """Of silence in one message; None without silence."""
    apart_s: float
    """Between two callers who open their streams."""
    patience_s: float
    """How long one that is refused tries again."""
    warm_up_clips: int
    preset: str
    own_server: bool
    config: Config | None
    max_sessions: int
    """What the server says it takes."""
    connections: str = "one connection for all streams"


@dataclass(frozen=True, slots=True)
class Waited:
    """The streams that waited, and those that spoke before and beside them."""

    before: Stretch
    beside: Stretch
    callers: Mapping[str, Any]
    """`bench.callers.Callers.as_json` at the end."""
    lags: Sequence[Lag]
    """Of what the waiting callers sent while others spoke."""
    stalls_ms: tuple[float, float]
    """The server's longest since it began to serve, by its own word: before they called, and at the end."""

    @property
    def memory(self) -> Footprint | None:
        return footprint(self.callers["open"], self.before.resident_mb, self.beside.resident_mb)

    @property
    def invalid_because(self) -> list[str]:
        alone = self.before.itself.invalid_because(self.before.lags)
        beside = self.beside.itself.invalid_because([*self.beside.lags, *self.lags])
        return [*(f"before they called, {why}" for why in alone), *(f"with them, {why}" for why in beside)]

    @property
    def failed_because(self) -> list[str]:
        reasons = [f"{count} x a waiting stream failed: {error}" for error, count in self.callers["errors"].items()]
        for when, heard in (("before", self.before.heard), ("beside them", self.beside.heard)):
            counts = {"lost": heard.lost, "early": heard.early, "failed": heard.failed}
            reasons.extend(f"of the clips spoken {when}, {count} {what}" for what, count in counts.items() if count)
        return reasons

    @property
    def notes(self) -> list[str]:
        """What a reader has to know."""
        notes = []
        if self.beside.heard.refused:
            notes.append(f"{self.beside.heard.refused} calls of those who speak were refused beside the waiting streams")
        clips = min(len(stretch.heard.ttfs_ms) for stretch in (self.before, self.beside))
        if 0 < clips < FEW_CLIPS:
            notes.append(f"times are of {clips} clips: their p95 is the largest (longer with --seconds)")
        return notes


@dataclass(frozen=True, slots=True)
class Active:
    """Streams in the middle of speech, all of them for the whole time."""

    streams: int
    before: Stretch
    during: Stretch
    callers: Mapping[str, Any]
    audio_mb_at_most: float
    """What one may hold of its audio by the server's rules."""

    @property
    def memory(self) -> Footprint | None:
        return footprint(self.callers["open"], self.before.resident_mb, self.during.resident_mb)

    @property
    def failed_because(self) -> list[str]:
        return [f"{count} x an active stream failed: {error}" for error, count in self.callers["errors"].items()]

    def as_json(self) -> dict[str, object]:
        each = None if self.memory is None else self.memory.mb_a_stream
        beyond = None if each is None else round(each - self.audio_mb_at_most, 3)
        return {
            "streams": self.streams,
            **self.callers,
            "measured_s": round(self.during.span.seconds, 1),
            "memory_mb": None if self.memory is None else self.memory.as_json(),
            "audio_mb_a_stream_at_most": round(self.audio_mb_at_most, 3),
            "beyond_audio_mb_a_stream": beyond,
            "server": None if self.during.server is None else self.during.server.as_json(),
        }


FIELDS = (
    *(
        "streams",
        "quiet",
        "opened",
        "open",
        "refused",
        "failed",
        "errors",
        "refusals",
        "retry_after_s",
        "in_after_s",
        "accepted_ms",
        "measured_s",
    ),
    *("valid", "invalid_because", "failed_because", "notes", "memory_mb", "server", "longest_loop_stall_ms", "speaking", "active"),
    *("bench", "setup", "machine", "system"),
)
"""Of a report, at its top."""


def report(
    waited: Waited,
    active: Active | None,
    *,
    streams: int,
    speaking: int,
    setup: Setup,
    system: System,
    machine: Mapping[str, object],
) -> dict[str, Any]:
    """Everything about a run, ready for JSON. README.md says what each field covers."""
    before, beside, invalid = waited.before, waited.beside, waited.invalid_because
    return {
        "streams": streams,
        "quiet": setup.quiet,
        **waited.callers,
        "measured_s": round(beside.span.seconds, 1),
        "valid": not invalid,
        "invalid_because": invalid,
        "failed_because": [*waited.failed_because, *(active.failed_because if active is not None else ())],
        "notes": waited.notes,
        "memory_mb": None if waited.memory is None else waited.memory.as_json(),
        "server": {name: None if one.server is None else one.server.as_json() for name, one in (("before", before), ("held", beside))},
        "longest_loop_stall_ms": dict(zip(("before", "since"), (round(ms, 1) for ms in waited.stalls_ms), strict=True)),
        "speaking": {
            "streams": speaking,
            "before": before.heard.as_json(),
            "beside": beside.heard.as_json(),
            "ttfs_ratio": _ratios(before.heard, beside.heard),
        },
        "active": None if active is None else active.as_json(),
        "bench": {"before": before.itself.as_json(before.lags), "held": beside.itself.as_json([*beside.lags, *waited.lags])},
        "setup": asdict(setup),
        "machine": machine,
        "system": system.as_json(),
    }


def is_good(result: Mapping[str, Any]) -> bool:
    """Of a report: no stream failed and no clip was lost, and it was the server that was measured. To be refused is no failure."""
    return not result["failed_because"] and bool(result["valid"])


def _ratios(before: Heard, beside: Heard) -> dict[str, float | None]:
    one, other = quantiles(before.ttfs_ms), quantiles(beside.ttfs_ms)
    ratios: dict[str, float | None] = {}
    for share in ("p50", "p95"):
        ms, by_ms = other[share], one[share]
        ratios[share] = round(ms / by_ms, 3) if ms is not None and by_ms else None
    return ratios
