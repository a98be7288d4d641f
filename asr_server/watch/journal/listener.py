"""The listener that writes a row for each segment. Used on the event loop; waits for nothing."""

import time
from collections.abc import Callable, Mapping

from asr_server.watch import attributes as names
from asr_server.watch.drift.features import numbers_of
from asr_server.watch.drift.slices import Change
from asr_server.watch.journal.rows import ChangeRow, Row, SegmentRow
from asr_server.watch.labels import LabelledSegments
from asr_server.watch.observer import SegmentRecord
from asr_server.watch.segments import number, outcome_of, recognition_ms_of, spent_ms_of, texts


def unix_s(at_s: float) -> float:
    """Of a moment of `time.monotonic()`."""
    return time.time() - (time.monotonic() - at_s)


class JournalListener:
    """An `Observer`."""

    def __init__(self, put: Callable[[Row], None], at: Callable[[float], float] = unix_s) -> None:
        self._put = put
        self._at = at

    def call(self, method: str, metadata: Mapping[str, str], at_s: float) -> LabelledSegments:
        return LabelledSegments(self._keep, metadata)

    def _keep(self, record: SegmentRecord, labels: Mapping[str, str]) -> None:
        self._put(segment_row(record, labels, self._at(record.end_s)))


def segment_row(record: SegmentRecord, labels: Mapping[str, str], at_s: float) -> SegmentRow:
    told = record.attributes

    def amount(name: str) -> float:
        return float(number(told.get(name, 0.0)))

    def text(name: str) -> str:
        return str(told.get(name, ""))

    return SegmentRow(
        id=record.id,
        at_s=at_s,
        trace_id=record.trace_id,
        outcome=outcome_of(record),
        client=labels.get("client", ""),
        encoding=labels.get("encoding", ""),
        language=text(names.LANGUAGE) or labels.get("language", ""),
        asked_language=labels.get("language", ""),
        rate_hz=labels.get("rate_hz", ""),
        code=text(names.CODE),
        model=text(names.MODEL),
        weights_sha256=text(names.WEIGHTS_SHA256),
        data_definition=text(names.DATA_DEFINITION),
        response_ms=amount(names.RESPONSE_MS),
        endpoint_wait_ms=amount(names.ENDPOINT_WAIT_MS),
        recognition_ms=recognition_ms_of(record) or 0.0,
        predicted_ms=amount(names.PREDICTED_MS),
        budget_ms=amount(names.BUDGET_MS),
        audio_s=amount(names.AUDIO_S),
        words=round(amount(names.WORDS)),
        guard=text(names.GUARD),
        degraded=texts(told.get(names.DEGRADED, ())),
        spent_ms={name: round(ms, 2) for name, ms in spent_ms_of(record).items()},
        profile={name: float(f"{value:.6g}") for name, value in numbers_of(record).items()},
        drifting=texts(told.get(names.DRIFTING, ())),
        expected_error_rate=amount(names.EXPECTED_ERROR_RATE) if names.EXPECTED_ERROR_RATE in told else None,
    )


def change_row(change: Change, at: Callable[[float], float] = unix_s) -> ChangeRow:
    label, value = change.slice
    return ChangeRow(
        at_s=at(change.at_s),
        since_s=at(change.at_s if change.since_s is None else change.since_s),
        feature=change.feature,
        label=label,
        value=value,
        is_back=change.is_back,
        kind=change.kind or "",
        severity=change.severity or "",
        shift=change.shift,
        psi=change.psi,
        before=change.before,
        after=change.after,
        trace_id=change.trace_id,
    )
