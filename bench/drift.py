"""How soon drift is found, and how often where there is none: sequences of real segments in front of the server's own detectors. Pure."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from asr_server.watch.drift.detector import DetectorOptions
from asr_server.watch.drift.features import feature
from asr_server.watch.drift.reference import Origin, Reference
from asr_server.watch.drift.slices import Segment, SliceWatch
from bench.quantiles import quantiles

Numbers = Mapping[str, float]
"""Of a segment, by feature."""
How = Literal["sudden", "ramped"]
Order = Literal["segments", "recordings"]
"""In which nothing changes: segments at random, as from many callers at once, or recording after recording, as from one at a time."""

QUIET_SEGMENTS = 2_000
BEFORE_SEGMENTS, AFTER_SEGMENTS = 300, 1_000
"""In a sequence, of what is as it was and of what has changed."""
RAMP_SEGMENTS = 500


@dataclass(frozen=True, slots=True)
class Heard:
    """All segments of one recording, as it is or changed."""

    clip: str
    segments: tuple[Numbers, ...]


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something was told of a feature."""

    after: int
    """Segments of the sequence until then."""
    feature: str
    kind: str
    severity: str


@dataclass(frozen=True, slots=True)
class Found:
    """What became of the sequences of one change."""

    change: str
    how: How
    sequences: int
    delays: tuple[int, ...]
    """Of those in which it was found: segments from its beginning."""
    features: Counter[str] = field(default_factory=Counter)
    """That were told of in `AFTER_SEGMENTS`, by the number of sequences."""
    first: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> dict[str, Any]:
        return {
            "change": self.change,
            "how": self.how,
            "sequences": self.sequences,
            "found": len(self.delays),
            "delay_segments": quantiles(self.delays),
            "first": dict(self.first.most_common()),
            "features": dict(self.features.most_common()),
        }


def watched(numbers: Mapping[str, float]) -> dict[str, float]:
    """Without what is of the machine: a bench loads it as no production does."""
    return {name: value for name, value in numbers.items() if feature(name).kind != "system"}


def reference_of(heard: Iterable[Heard], origin: Origin) -> Reference:
    made = Reference(origin)
    for one in heard:
        for segment in one.segments:
            made.add(segment)
    return made


@dataclass(frozen=True, slots=True)
class Drawn:
    """A segment in a sequence."""

    numbers: Numbers
    nth: int = 1
    """Of its recording, from 1."""


def alarms(reference: Reference, segments: Iterable[Drawn], options: DetectorOptions | None = None) -> Iterator[Alarm]:
    """Of a sequence, as they come."""
    watch = SliceWatch(reference, options)
    for number, one in enumerate(segments, start=1):
        for change in watch.push(Segment(one.numbers, {}, float(number), nth=one.nth)):
            if not change.is_back:
                yield Alarm(number, change.feature, change.kind or "", change.severity or "")


def drawn(heard: Sequence[Heard], draw: np.random.Generator) -> Iterator[Drawn]:
    """Without end: recordings in random order, all of them before any comes again; the segments of one in theirs."""
    while True:
        for index in draw.permutation(len(heard)):
            for number, segment in enumerate(heard[int(index)].segments, start=1):
                yield Drawn(segment, number)


def quiet_sequence(heard: Sequence[Heard], seed: int, order: Order = "recordings", length: int = QUIET_SEGMENTS) -> Iterator[Drawn]:
    if order == "segments":
        heard = [Heard(one.clip, (segment,)) for one in heard for segment in one.segments]
    one = drawn(heard, np.random.default_rng(seed))
    return (next(one) for _ in range(length))


@dataclass(frozen=True, slots=True)
class Search:
    """What to look for."""

    change: str
    how: How
    before: Sequence[Heard]
    after: Sequence[Heard]


def changed_sequence(wanted: Search, seed: int) -> Iterator[Drawn]:
    """`BEFORE_SEGMENTS` as it was, then the change: all at once, or for more and more of the segments."""
    draw = np.random.default_rng(seed)
    one, other = drawn(wanted.before, draw), drawn(wanted.after, draw)
    for _ in range(BEFORE_SEGMENTS):
        yield next(one)
    for number in range(AFTER_SEGMENTS):
        share = 1.0 if wanted.how == "sudden" else min((number + 1) / RAMP_SEGMENTS, 1.0)
        yield next(other if draw.random() < share else one)


def search(reference: Reference, wanted: Search, sequences: int) -> Found:
    """Alarms before the change count as none of it."""
    delays: list[int] = []
    features: Counter[str] = Counter()
    first: Counter[str] = Counter()
    for seed in range(sequences):
        told = [alarm for alarm in alarms(reference, changed_sequence(wanted, seed)) if alarm.after > BEFORE_SEGMENTS]
        if told:
            delays.append(told[0].after - BEFORE_SEGMENTS)
            first.update(alarm.feature for alarm in told if alarm.after == told[0].after)
            features.update({alarm.feature for alarm in told})
    return Found(wanted.change, wanted.how, sequences, tuple(delays), features, first)


def halves(heard: Sequence[Heard], seed: int = 0) -> tuple[list[Heard], list[Heard]]:
    """Of the recordings, drawn: one to be the reference, one to be heard."""
    order = np.random.default_rng(seed).permutation(len(heard))
    chosen = {int(index) for index in order[: len(heard) // 2]}
    return [one for index, one in enumerate(heard) if index in chosen], [one for index, one in enumerate(heard) if index not in chosen]


def cost_us(reference: Reference, heard: Sequence[Heard], labels: Mapping[str, str], segments: int = 500) -> float:
    """Of one segment in front of the detectors, with slices by these labels: microseconds, the median of five stretches."""
    watch, sequence = SliceWatch(reference), quiet_sequence(heard, seed=99, length=5 * segments)
    times = []
    for _ in range(5):
        began_s = time.perf_counter()
        for _ in range(segments):
            one = next(sequence)
            for _change in watch.push(Segment(one.numbers, labels, 0.0, nth=one.nth)):
                pass
        times.append((time.perf_counter() - began_s) / segments * 1e6)
    return sorted(times)[2]
