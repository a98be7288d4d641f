"""What it costs to see everything: two servers hear the same clips at the same moment, one of which watches nothing. Pure.

What disturbs the machine disturbs both. Clip by clip the processor time of the one is taken from that of the other, and a bootstrap over
clips tells how far the mean of that could have come out otherwise.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.paired import Shift, share, typical
from bench.quantiles import quantiles
from bench.streams import Spoken

WATCHES_NOTHING: Mapping[str, str] = {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"}
"""Variables of the environment."""


def watches_all(collector: str) -> dict[str, str]:
    """The same: every trace and all metrics to a collector."""
    return {
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector,
    }


def everything(folder: Path, reference: Path, prometheus: str) -> dict[str, Any]:
    """Settings: a journal, drift against a reference, an endpoint for Prometheus."""
    return {"telemetry": {"journal": str(folder / "journal.db"), "reference": str(reference), "prometheus": prometheus}}


@dataclass(frozen=True, slots=True)
class Side:
    """One clip at one of the two servers."""

    cpu_s: float
    """Of its process, while both heard the clip."""
    spoken: Spoken


@dataclass(frozen=True, slots=True)
class Pair:
    off: Side
    on: Side
    seconds: float
    """For which both heard it, until the last of the two had answered."""

    @property
    def counts(self) -> bool:
        """Heard by both in as many segments: other work would be taken for the watching's."""
        finals = (self.off.spoken.finals, self.on.spoken.finals)
        return not (self.off.spoken.error or self.on.spoken.error) and len(finals[0]) == len(finals[1]) > 0


def summary(pairs: Sequence[Pair]) -> dict[str, Any]:
    """Raises ValueError without a pair that counts."""
    counted = [pair for pair in pairs if pair.counts]
    if not counted:
        raise ValueError("no clip was heard by both servers in as many segments")
    segments = sum(len(pair.off.spoken.finals) for pair in counted)
    off_s, on_s = ([getattr(pair, side).cpu_s for pair in counted] for side in ("off", "on"))
    more = share([1000 * value for value in off_s], [1000 * value for value in on_s])
    clips_a_segment = len(counted) / segments
    return {
        "pairs": len(pairs),
        "counted": len(counted),
        "segments": segments,
        "cpu": {
            "off_s": round(sum(off_s), 2),
            "on_s": round(sum(on_s), 2),
            "ratio": round(sum(on_s) / sum(off_s), 4),
            "more_percent_of_a_core": round(100 * (sum(on_s) - sum(off_s)) / sum(pair.seconds for pair in counted), 2),
            "more_ms_a_segment": round(more.ms * clips_a_segment, 3),
            "ci95_ms_a_segment": [round(bound * clips_a_segment, 3) for bound in (more.low_ms, more.high_ms)],
        },
        "ttfs_ms": _times([(pair.off.spoken.ttfs_ms, pair.on.spoken.ttfs_ms) for pair in counted]),
        "response_ms": _times(
            [
                (one.ledger.response_ms, other.ledger.response_ms)
                for pair in counted
                for one, other in zip(pair.off.spoken.finals, pair.on.spoken.finals, strict=True)
            ]
        ),
    }


def _times(times_ms: Sequence[tuple[float | None, float | None]]) -> dict[str, Any]:
    both = [(off, on) for off, on in times_ms if off is not None and on is not None]
    off_ms, on_ms = [off for off, _ in both], [on for _, on in both]
    more: Shift | None = typical(off_ms, on_ms) if both else None
    return {"off": quantiles(off_ms), "on": quantiles(on_ms), "typically_more": None if more is None else asdict(more)}
