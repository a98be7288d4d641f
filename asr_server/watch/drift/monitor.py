"""The listener that feeds drift detection: every segment that was recognised, as it is reported. Used on the event loop; costs some tens of
microseconds a segment.
"""

import logging
from collections import deque
from collections.abc import Callable, Mapping

from asr_server.watch import attributes as names
from asr_server.watch.drift.features import feature, numbers_of
from asr_server.watch.drift.reference import Origin, Reference
from asr_server.watch.drift.slices import Change, Segment, Slice, SliceWatch
from asr_server.watch.observer import Attributes, SegmentRecord

logger = logging.getLogger(__name__)

CLIENT = "x-asr-client"
"""Metadata in which a client app may say its name; a slice of its own."""
MAX_CHANGES = 200
"""That are remembered."""


class DriftMonitor:
    """An `Observer`. Watches against a reference where there is one, and fills a new one where that is wished."""

    def __init__(self, reference: Reference | None = None) -> None:
        self._watch = SliceWatch(reference) if reference is not None else None
        self._reference = reference
        self._fills: Reference | None = None
        self._changes: deque[Change] = deque(maxlen=MAX_CHANGES)

    def fill(self, reference: Reference) -> None:
        """Add all that is heard from now on to `reference`."""
        self._fills = reference

    @property
    def filled(self) -> Reference | None:
        return self._fills

    def watches(self, origin: Origin) -> None:
        """What is heard comes from `origin`. A reference of another system tells changes that are none of the audio."""
        if self._reference is None:
            return
        other = self._reference.origin
        if (other.data_definition, other.weights_sha256) != (origin.data_definition, origin.weights_sha256):
            logger.warning("the reference profile is of %s, this server is %s: features of the text may differ by that", other, origin)

    @property
    def changes(self) -> tuple[Change, ...]:
        """The last ones, in order."""
        return tuple(self._changes)

    @property
    def drifting(self) -> tuple[tuple[Slice, str], ...]:
        """Features that have left their reference, by slice."""
        return () if self._watch is None else tuple(self._watch.drifting)

    def as_labels(self) -> dict[tuple[str, ...], float]:
        """The same for a metric: 1 by feature and slice. May be called from any thread."""
        return {(name, where(one)): 1.0 for one, name in self.drifting}

    def call(self, method: str, metadata: Mapping[str, str], at_s: float) -> "_WatchedCall":
        return _WatchedCall(self._heard, metadata.get(CLIENT, ""))

    def _heard(self, record: SegmentRecord, labels: Mapping[str, str]) -> None:
        numbers = numbers_of(record.attributes)
        if self._fills is not None:
            self._fills.add(numbers)
        if self._watch is None:
            return
        for change in self._watch.push(Segment(numbers, dict(labels), record.end_s, record.trace_id)):
            self._changes.append(change)
            logger.warning("%s", described(change))


class _WatchedCall:
    __slots__ = ("_heard", "_labels")

    trace_id = ""

    def __init__(self, heard: Callable[[SegmentRecord, Mapping[str, str]], None], client: str) -> None:
        self._heard = heard
        self._labels = {"client": client} if client else {}

    def describe(self, attributes: Attributes) -> None:
        for label, name in (("encoding", names.ENCODING), ("language", names.LANGUAGE)):
            if name in attributes:
                self._labels[label] = str(attributes[name])

    def event(self, name: str, attributes: Attributes, at_s: float) -> None: ...

    def segment(self, record: SegmentRecord) -> None:
        if not record.failed:
            self._heard(record, self._labels)

    def close(self, status: str, message: str, at_s: float) -> None: ...


def where(one: Slice) -> str:
    """In words."""
    label, value = one
    return f"{label} {value}" if value else "all segments"


def described(change: Change) -> str:
    """One line for a log."""
    one = feature(change.feature)
    if change.is_back:
        return f"{one.name} of {where(change.slice)} is as it was"
    how = f"{change.kind}, {change.severity}: median {change.before[1]:.4g} to {change.after[1]:.4g} {one.unit}"
    return f"{one.name} of {where(change.slice)} has changed, {how}; it moves with {one.meaning}"
