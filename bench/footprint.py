"""What memory streams take: a server's with them held against the same server's without. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from asr_server.api.results import PresetView, ServerInfo
from bench.usage import MB, Reading

BYTES_A_SECOND = 64_000
"""Of audio that a server keeps: 16 kHz, four bytes a sample."""


@dataclass(frozen=True, slots=True)
class Footprint:
    streams: int
    """Open when `with_mb` was read."""
    before_mb: float
    """Resident, of 10^6 bytes: the median of its readings, as is the other."""
    with_mb: float

    @property
    def mb_a_stream(self) -> float | None:
        """None without streams. What a server's own pools of memory take beside, or had to spare, is in it: the more streams, the less."""
        return (self.with_mb - self.before_mb) / self.streams if self.streams else None

    def as_json(self) -> dict[str, object]:
        each = self.mb_a_stream
        return {"before": self.before_mb, "with_all_open": self.with_mb, "a_stream": None if each is None else round(each, 3)}


def footprint(streams: int, before_mb: float | None, with_mb: float | None) -> Footprint | None:
    """None where the server's memory could not be read."""
    return None if before_mb is None or with_mb is None else Footprint(streams, before_mb, with_mb)


def resident_mb(readings: Sequence[Reading], from_s: float, to_s: float) -> float | None:
    """The median from `from_s` to `to_s`; None without any reading."""
    inside = [reading.usage.resident_bytes / MB for reading in readings if from_s <= reading.at_s <= to_s]
    return round(median(inside), 2) if inside else None


def audio_mb_at_most(info: ServerInfo, preset: PresetView) -> float:
    """What a stream of that preset may hold of its audio by the server's rules: the longest segment, and what is heard again before it."""
    return (info.endpointing_ms["max_segment_ms"] + preset.context_ms) / 1000 * BYTES_A_SECOND / MB
