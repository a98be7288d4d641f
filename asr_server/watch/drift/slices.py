"""All features, slice by slice: all segments, and those of one client app, encoding or language, so that one broken microphone is not
averaged away by the others. Pure; segments are counted, their times only carried along.
"""

import zlib
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from asr_server.watch.drift.detector import Departure, DetectorOptions, FeatureWatch, Kind, Severity
from asr_server.watch.drift.reference import MAX_VALUES, Reference, Slice

ALL = ("all", "")
"""The slice of every segment."""
OTHER = "other"
"""What is seen of a label after `MAX_VALUES` other values: labels come from outside, and may be of any number."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One that was recognised, as far as it is watched."""

    numbers: Mapping[str, float]
    labels: Mapping[str, str]
    """By which slices are made."""
    at_s: float
    trace_id: str = ""
    nth: int = 1
    """Of its call, from 1."""


@dataclass(frozen=True, slots=True)
class Change:
    """A feature of a slice has left its reference, or is back."""

    slice: Slice
    feature: str
    is_back: bool
    at_s: float
    kind: Kind | None = None
    severity: Severity | None = None
    since_s: float | None = None
    """When it began: the time of the first segment of those that differ."""
    shift: float = 0.0
    """Mean of what came since, in spreads of the reference."""
    psi: float = 0.0
    before: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Of the reference: a tenth, a half and nine tenths of its segments are below these."""
    after: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """The same of the segments since."""
    trace_id: str = ""
    """Of the segment since then that is furthest from the reference's middle."""


class SliceWatch:
    """Every slice against what is normal for it. Not thread-safe."""

    def __init__(self, reference: Reference, options: DetectorOptions | None = None) -> None:
        self._reference = reference
        self._options = options or DetectorOptions()
        self._watches: dict[tuple[Slice, str], FeatureWatch] = {}
        self._drifting: set[tuple[Slice, str]] = set()
        self._values: dict[str, set[str]] = {}
        self._last: dict[Slice, deque[Segment]] = {}
        """As many as detectors look back."""

    def push(self, segment: Segment) -> Iterator[Change]:
        """One more segment; what changed with it."""
        slices = [ALL, *(self._bounded(label, value) for label, value in segment.labels.items())]
        for one in slices:
            self._last.setdefault(one, deque(maxlen=self._options.window)).append(segment)
        for one in slices:
            reference = self._reference.of_slice(one) if one != ALL else self._reference
            if reference is None:
                continue
            for name, value in segment.numbers.items():
                if not reference.has(name):
                    continue
                below, not_above = reference.ranks(name, value)
                found = self._watch(one, name, reference).push(below, not_above, segment.nth)
                if isinstance(found, Departure):
                    self._drifting.add((one, name))
                    yield self._change((one, name), found, segment.at_s, reference)
                elif found is not None:
                    self._drifting.discard((one, name))
                    yield Change(one, name, is_back=True, at_s=segment.at_s)

    @property
    def drifting(self) -> frozenset[tuple[Slice, str]]:
        """What has left its reference and is not back. May be read from any thread."""
        return frozenset(self._drifting.copy())

    def drifting_in(self, labels: Mapping[str, str]) -> frozenset[str]:
        """Features that have left their reference in all segments, or in those with one of these labels."""
        if not self._drifting:
            return frozenset()
        slices = {ALL, *(self._bounded(label, value) for label, value in labels.items())}
        return frozenset(name for one, name in self._drifting if one in slices)

    def _watch(self, one: Slice, name: str, reference: Reference) -> FeatureWatch:
        key = (one, name)
        if key not in self._watches:
            seed = zlib.crc32(repr(key).encode())  # the same on every run
            self._watches[key] = FeatureWatch(reference.count(name), self._options, seed)
        return self._watches[key]

    def _bounded(self, label: str, value: str) -> Slice:
        values = self._values.setdefault(label, set())
        if value not in values and len(values) >= MAX_VALUES:
            return label, OTHER
        values.add(value)
        return label, value

    def _change(self, drifting: tuple[Slice, str], found: Departure, at_s: float, reference: Reference) -> Change:
        one, name = drifting
        held = [segment for segment in self._last[one] if name in segment.numbers]
        since = held[-found.since :]
        ordered = sorted(segment.numbers[name] for segment in since)
        before = reference.quantiles(name, (0.1, 0.5, 0.9))
        furthest = max(since, key=lambda segment: abs(segment.numbers[name] - before[1]))
        return Change(
            slice=one,
            feature=name,
            is_back=False,
            at_s=at_s,
            kind=found.kind,
            severity=found.severity,
            since_s=since[0].at_s,
            shift=found.shift,
            psi=found.psi,
            before=(before[0], before[1], before[2]),
            after=(_quantile(ordered, 0.1), _quantile(ordered, 0.5), _quantile(ordered, 0.9)),
            trace_id=furthest.trace_id,
        )


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]
