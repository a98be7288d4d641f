"""What several listeners read off the record of a segment."""

from typing import Literal

from asr_server.watch import attributes as names
from asr_server.watch.observer import Attribute, SegmentRecord

Outcome = Literal["in_time", "late", "empty", "failed"]


def outcome_of(record: SegmentRecord) -> Outcome:
    if record.failed:
        return "failed"
    if record.attributes.get(names.LATE):
        return "late"
    return "in_time" if record.attributes.get(names.WORDS) else "empty"


def spent_ms_of(record: SegmentRecord) -> dict[str, float]:
    """By slice of the budget; a slice may have several stages."""
    spent_ms: dict[str, float] = {}
    for stage in record.stages:
        spent_ms[stage.name] = spent_ms.get(stage.name, 0.0) + number(stage.attributes.get(names.SLICE_SPENT_MS, 0.0))
    return spent_ms


def recognition_ms_of(record: SegmentRecord) -> float | None:
    """All of it, also what was done in the silence before. None of audio that was rejected."""
    stage = next((stage for stage in record.stages if stage.name == names.RECOGNITION), None)
    return None if stage is None else stage.spent_ms


def number(value: Attribute) -> float:
    if not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return value


def texts(value: Attribute) -> tuple[str, ...]:
    if isinstance(value, str | int | float):
        raise TypeError(f"{value!r} is no list of texts")
    return tuple(value)
