"""`python -m bench capacity`: what one repeat of a steady load says about one count of streams, and everything about a run for JSON."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import ceil
from typing import Any

from asr_server.accuracy.texts import text_errors
from asr_server.accuracy.wer import ErrorCounts
from bench.load import Load, Span, Turn
from bench.pace import Lag
from bench.quantiles import percentile, quantiles
from bench.search import Tried, Vote, largest_good
from bench.serving import Config, StopMs
from bench.streams import Ask, Spoken
from bench.unary import Throughput, best
from bench.usage import Used
from bench.validity import Bench
from eval.recognisers import System

CONNECTIONS = "one connection for all streams"
TRIES = 3
"""Of one measurement, while the bench itself is too slow."""


@dataclass(frozen=True, slots=True)
class Slo:
    """What callers are promised: so many percent of them have the final text in time."""

    ttfs_ms: float = 500.0
    percentile: int = 95

    @property
    def min_clips(self) -> int:
        """Fewer have no such percentile but their largest."""
        return ceil(100 / (100 - self.percentile))


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of clips, as counts and times that add."""

    ttfs_ms: tuple[float, ...] = ()
    response_ms: tuple[float, ...] = ()
    clips: int = 0
    segments: int = 0
    late: int = 0
    degraded: int = 0
    refused: int = 0
    lost: int = 0
    early: int = 0
    failed: int = 0
    errors: ErrorCounts = field(default_factory=ErrorCounts.zero)

    def __add__(self, other: "Heard") -> "Heard":
        return Heard(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))

    def as_json(self) -> dict[str, object]:
        counts = ("clips", "segments", "late", "degraded", "refused", "lost", "early", "failed")
        return {
            "ttfs_ms": quantiles(self.ttfs_ms),
            "response_ms": quantiles(self.response_ms),
            **{name: getattr(self, name) for name in counts},
            "wer": None if self.errors.rate is None else round(self.errors.rate, 5),
        }


@dataclass(frozen=True, slots=True)
class Repeat:
    """One measurement of one count of streams."""

    slo: Slo
    heard: Heard
    span: Span
    server: Used | None = None
    bench: Used | None = None
    """This process, while the clips that count were spoken."""
    lags: tuple[Lag, ...] = ()
    """Of each chunk of the clips that count."""
    own_stall_ms: float = 0.0
    """Longest of this process's event loop, the warm-up included."""
    in_vain: int = 0
    """Measurements before this one in which the bench itself was too slow."""

    @property
    def invalid_because(self) -> tuple[str, ...]:
        """The bench itself was too slow."""
        return tuple(self._itself.invalid_because(self.lags))

    @property
    def _itself(self) -> Bench:
        return Bench(self.bench, self.own_stall_ms)

    @property
    def ttfs_ms(self) -> float | None:
        """The percentile that was promised."""
        return percentile(self.heard.ttfs_ms, self.slo.percentile)

    @property
    def server_failed_because(self) -> tuple[str, ...]:
        """What a slow bench cannot be the cause of: the server's own clock, or no answer."""
        counts = {
            "late by the server's own clock": self.heard.late,
            "refused": self.heard.refused,
            "lost": self.heard.lost,
            "early, their last words not heard": self.heard.early,
            "failed": self.heard.failed,
        }
        return tuple(f"{count} {what}" for what, count in counts.items() if count)

    @property
    def failed_because(self) -> tuple[str, ...]:
        reached = self.ttfs_ms
        promised = f"time to final text, {self.slo.percentile} of 100 clips"
        if reached is None:
            return (f"{promised}: nothing was measured", *self.server_failed_because)
        if reached > self.slo.ttfs_ms:
            return (f"{promised}: {reached:.0f} ms, wanted {self.slo.ttfs_ms:g}", *self.server_failed_because)
        return self.server_failed_because

    @property
    def vote(self) -> Vote:
        if self.server_failed_because:
            return "failed"
        if self.invalid_because:
            return "invalid"
        return "failed" if self.failed_because else "passed"

    def as_json(self) -> dict[str, object]:
        return {
            "passed": self.vote == "passed",
            "valid": self.vote != "invalid",
            "failed_because": list(self.failed_because),
            "invalid_because": list(self.invalid_because),
            **self.heard.as_json(),
            "measured_s": round(self.span.seconds, 1),
            "in_vain": self.in_vain,
            "server": None if self.server is None else self.server.as_json(),
            "bench": self._itself.as_json(self.lags),
        }


async def unless_in_vain(measure: Callable[[], Awaitable[Repeat]], tries: int = TRIES) -> Repeat:
    """One measurement; again where the bench itself was too slow to tell."""
    for in_vain in range(tries):
        found = replace(await measure(), in_vain=in_vain)
        if found.vote != "invalid":
            break
    return found


@dataclass(frozen=True, slots=True)
class Setup:
    """How it was measured, for the record."""

    manifest: str
    manifest_sha256: str
    clips: int
    max_duration_s: float
    seconds: float
    repeats: int
    most_streams: int
    interim_results: bool
    preset: str
    """Of the streams, by its name, also where it was the server's choice; "": the server has none."""
    own_server: bool
    config: Config | None
    stop_ms: StopMs
    vad_stop_ms: int
    """The longest of them."""
    budget_ms: Mapping[str, float]
    warm_up: str = "the first clip of each stream is left out; clips begun once all streams have spoken theirs count"
    connections: str = CONNECTIONS


def load_of(streams: int, repeat: int, *, seconds: float, slo: Slo, ask: Ask) -> Load:
    """Each repeat speaks the clips in another order; the same repeat always in the same."""
    return Load(streams, seconds, min_clips=slo.min_clips, ask=ask, seed=repeat)


def heard_of(turns: Sequence[Turn]) -> Heard:
    return sum((_heard(turn.spoken) for turn in turns), Heard())


def notes_on(slo: Slo, stop_ms: StopMs) -> list[str]:
    """What makes a promise one that cannot be kept, whatever the load."""
    if stop_ms.shortest < slo.ttfs_ms:
        return []
    waits = f"the server waits for at least {stop_ms.shortest} ms of silence before it answers"
    return [f"{waits}: no clip can be in time with {slo.ttfs_ms:g} ms promised"]


FIELDS = (
    *("max_streams", "valid", "invalid_because", "limited_by", "notes"),
    *("slo", "curve", "unary", "setup", "machine", "system"),
)
"""Of a report, at its top."""


def report(
    tried: Sequence[Tried[Repeat]],
    unary: Sequence[Throughput],
    *,
    slo: Slo,
    setup: Setup,
    system: System,
    machine: Mapping[str, object],
) -> dict[str, Any]:
    """Everything about a run, ready for JSON; all times in ms. README.md says what each covers."""
    most = largest_good({one.streams: one.passed for one in tried})
    above = min((one for one in tried if not one.passed), key=lambda one: one.streams, default=None)
    return {
        "max_streams": most,
        "valid": above is None or above.valid,
        "invalid_because": []
        if above is None or above.valid
        else [f"with {above.streams} streams: {why}" for why in _invalid_because(above)],
        "limited_by": {"streams": above.streams, **_verdict(above)} if above is not None else None,
        "notes": notes_on(slo, setup.stop_ms),
        "slo": asdict(slo),
        "curve": [_point(one) for one in sorted(tried, key=lambda one: one.streams)],
        "unary": {**best(unary).as_json(), "tried": [one.as_json() for one in unary]} if unary else None,
        "setup": {**asdict(setup), "budget_ms": dict(setup.budget_ms)},
        "machine": machine,
        "system": system.as_json(),
    }


def _point(one: Tried[Repeat]) -> dict[str, object]:
    """Counts and quantiles are of all repeats together; what the server used, of the repeat in which it used most."""
    heard = sum((repeat.heard for repeat in one.repeats), Heard())
    busiest = max((repeat.server for repeat in one.repeats if repeat.server is not None), key=lambda used: used.cpu_percent, default=None)
    return {
        "streams": one.streams,
        **_verdict(one),
        "repeats_agreed": one.agreed,
        "at_percentile_ms": _at_percentile(one, heard),
        **heard.as_json(),
        "server": None if busiest is None else busiest.as_json(),
        "repeats": [repeat.as_json() for repeat in one.repeats],
    }


def _at_percentile(one: Tried[Repeat], heard: Heard) -> dict[str, float] | None:
    """The promised percentile: of the clips of all repeats together, and how far apart the repeats were. None when nothing was measured."""
    slo = one.repeats[0].slo
    reached = [repeat.ttfs_ms for repeat in one.repeats if repeat.ttfs_ms is not None]
    pooled = percentile(heard.ttfs_ms, slo.percentile)
    if pooled is None:
        return None
    return {"pooled": round(pooled, 1), "lowest": round(min(reached), 1), "highest": round(max(reached), 1)}


def _verdict(one: Tried[Repeat]) -> dict[str, object]:
    """Why: each cause once, of those repeats that did not pass."""
    return {
        "passed": one.passed,
        "valid": one.valid,
        "failed_because": list(dict.fromkeys(cause for repeat in _against(one) for cause in repeat.failed_because)),
        "invalid_because": _invalid_because(one),
    }


def _invalid_because(one: Tried[Repeat]) -> list[str]:
    return list(dict.fromkeys(cause for repeat in _against(one) for cause in repeat.invalid_because))


def _against(one: Tried[Repeat]) -> list[Repeat]:
    return [repeat for repeat in one.repeats if repeat.vote != "passed"]


def _heard(spoken: Spoken) -> Heard:
    clip = spoken.part.clip
    found = Heard(
        clips=1,
        refused=int(spoken.refused),
        errors=text_errors(clip.text, spoken.text, clip.language),
    )
    if spoken.refused:
        return found
    return replace(
        found,
        ttfs_ms=() if spoken.ttfs_ms is None else (spoken.ttfs_ms,),
        response_ms=tuple(final.ledger.response_ms for final in spoken.answers),
        segments=len(spoken.finals),
        late=sum(final.ledger.late for final in spoken.finals),
        degraded=sum(bool(final.ledger.degraded) for final in spoken.finals),
        lost=int(spoken.lost and not spoken.error),
        early=int(spoken.early and not spoken.error),
        failed=int(bool(spoken.error)),
    )
