"""The listener that feeds drift detection: every segment that was recognised, as it is reported.

Used on the event loop; `bench drift` measures what a segment costs.
"""

import logging
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace

from asr_server.watch import attributes as names
from asr_server.watch.drift.features import feature, numbers_of
from asr_server.watch.drift.reference import Origin, Reference, Slice
from asr_server.watch.drift.slices import Change, Segment, SliceWatch
from asr_server.watch.labels import labels_in, labels_of
from asr_server.watch.observer import Attribute, Attributes, CallObserver, Observer, SegmentRecord

logger = logging.getLogger(__name__)

MAX_CHANGES = 200
"""That are remembered."""


class DriftMonitor:
    """An `Observer` in front of another, which is told of each segment what of it is drifting. Watches against a reference where there is
    one, and fills a new one where that is wished."""

    def __init__(self, behind: Observer, reference: Reference | None = None, changed: Callable[[Change], None] = lambda _: None) -> None:
        """`changed` is told of each change."""
        self._behind = behind
        self._watch = SliceWatch(reference) if reference is not None else None
        self._reference = reference
        self._changed = changed
        self._fills: Reference | None = None
        self._changes: deque[Change] = deque(maxlen=MAX_CHANGES)

    def fill(self, reference: Reference) -> None:
        """Add all that is heard from now on to `reference`."""
        self._fills = reference

    @property
    def filled(self) -> Reference | None:
        return self._fills

    @property
    def reference(self) -> Reference | None:
        return self._reference

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

    def call(self, method: str, metadata: Mapping[str, str], at_s: float) -> "_WatchedCall":
        return _WatchedCall(self._heard, labels_of(metadata), self._behind.call(method, metadata, at_s))

    def _heard(self, record: SegmentRecord, labels: Mapping[str, str]) -> Attributes:
        """What is to be told of it besides: which features of its slices are drifting, and how many of its words may be wrong."""
        numbers = numbers_of(record)
        if self._fills is not None:
            self._fills.add(numbers, labels)
        if self._watch is None or self._reference is None:
            return {}
        told: dict[str, Attribute] = {}
        model = self._reference.error_model
        if model is not None and "log_probability" in numbers:
            told[names.EXPECTED_ERROR_RATE] = round(model.rate(numbers["log_probability"]), 5)
        for change in self._watch.push(Segment(numbers, dict(labels), record.end_s, record.trace_id, record.index + 1)):
            self._changes.append(change)
            logger.warning("%s", described(change))
            self._changed(change)
        if drifting := self._watch.drifting_in(labels):
            told[names.DRIFTING] = sorted(drifting)
        return told


class _WatchedCall:
    __slots__ = ("_behind", "_heard", "_labels")

    def __init__(
        self, heard: Callable[[SegmentRecord, Mapping[str, str]], Attributes], labels: dict[str, str], behind: CallObserver
    ) -> None:
        self._heard = heard
        self._labels = labels
        self._behind = behind

    @property
    def trace_id(self) -> str:
        return self._behind.trace_id

    def describe(self, attributes: Attributes) -> None:
        self._labels.update(labels_in(attributes))
        self._behind.describe(attributes)

    def event(self, name: str, attributes: Attributes, at_s: float) -> None:
        self._behind.event(name, attributes, at_s)

    def segment(self, record: SegmentRecord) -> None:
        told = {} if record.failed else self._heard(record, self._labels)
        if told:
            record = replace(record, attributes={**record.attributes, **told})
        self._behind.segment(record)

    def close(self, status: str, message: str, at_s: float) -> None:
        self._behind.close(status, message, at_s)


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
