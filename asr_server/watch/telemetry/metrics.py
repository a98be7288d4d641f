"""What observers are told, as metrics. Labels are few and bounded: never a user, a session or a text.

Every name the server measures under is in this file, once, with its unit; published conventions cover the RPC itself. Times are in seconds,
in explicit buckets with bounds at the slices of the default budget: so "in time" is read off a bucket, not guessed between two.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from asr_server.watch import attributes as names
from asr_server.watch.observer import Attribute, Attributes, SegmentRecord
from asr_server.watch.segments import number, outcome_of, spent_ms_of, texts
from asr_server.watch.telemetry.guard import Guard

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.06, 0.08, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.75, 1.0, 1.5, 2.5, 5.0)
RATIOS = (0.25, 0.5, 0.67, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 4.0)
REAL_TIME_FACTORS = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0)
COUNTS = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0)

SLICE = "asr.slice"
"""Label: which slice of the budget."""
OUTCOME = "asr.outcome"
"""Label: of a segment "in_time", "late", "empty" or "failed"; of an eager text "told", "stood" or "withdrawn"."""
WHAT = "asr.what"
"""Label: what was given up to save time, or what the runaway guard did."""

DRIFT_FEATURE, DRIFT_SLICE, DRIFT_KIND = "asr.feature", "asr.where", "asr.kind"
"""Labels: what has left its reference, in which slice, and whether it is of the audio, the texts or the system."""

FEEDBACK_KIND, WORD_KIND = "asr.feedback.kind", "asr.word"
"""Labels: what a user said of a segment; words that were "said", or "wrong"."""

_LABELS_OF_A_CALL = (names.ENCODING,)
_LABELS_OF_A_SEGMENT = (names.MODEL, names.DATA_DEFINITION, names.LANGUAGE)
_EAGER = {names.EVENT_EAGER: "told", names.EVENT_EAGER_STOOD: "stood", names.EVENT_EAGER_WITHDRAWN: "withdrawn"}


@dataclass(frozen=True, slots=True)
class Gauge:
    """Something that is asked for when somebody looks. `read` is called on a thread of the exporter; None: not known now."""

    name: str
    unit: str
    description: str
    read: Callable[[], float | None]


@dataclass(frozen=True, slots=True)
class Count:
    """Something that only grows, by the values of labels."""

    name: str
    unit: str
    description: str
    labels: tuple[str, ...]
    read: Callable[[], Mapping[tuple[str, ...], float]]


@dataclass(frozen=True, slots=True)
class Gauges:
    """Something that is asked for when somebody looks, by the values of labels."""

    name: str
    unit: str
    description: str
    labels: tuple[str, ...]
    read: Callable[[], Mapping[tuple[str, ...], float]]


Looked: TypeAlias = Gauge | Count | Gauges
"""What is measured when somebody looks."""


class Metrics:
    """An `Observer`. Instruments are made once; nothing is kept of a call that has ended."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._guard = Guard()

        def seconds(name: str, what: str) -> Histogram:
            return Histogram(meter, name, "s", what, SECONDS)

        self.slice_s = seconds("asr.slice.duration", "What a final spent of a slice of its budget.")
        self.response_s = seconds("asr.response.duration", "From the moment the server may answer to the final being handed over.")
        self.to_final_s = seconds(
            "asr.time_to_final.duration", "From the end of speech, as the server heard it, to the final being handed over."
        )
        self.recognition_s = seconds("asr.recognition.duration", "Recognition of a final, also what was done in the silence before.")
        self.partial_interval_s = seconds("asr.partial.interval", "Between two partials of a call.")
        self.call_s = seconds("rpc.server.call.duration", "A call, from its first to its last byte.")
        self.off = Histogram(meter, "asr.prediction.ratio", "1", "Recognition of a final by what was predicted for it.", RATIOS)
        self.rtf = Histogram(meter, "asr.rtf", "1", "Recognition by the length of the audio.", REAL_TIME_FACTORS)
        self.batch = Histogram(meter, "asr.batch.size", "{segment}", "Segments decoded together.", COUNTS)
        self.segments = meter.create_counter("asr.segments", "{segment}", "Segments, by what became of them.")
        self.degraded = meter.create_counter("asr.degraded", "{segment}", "Finals for which something was given up, by what.")
        self.guarded = meter.create_counter("asr.guard", "{segment}", "Texts that the runaway guard changed, by how.")
        self.words = meter.create_counter("asr.words", "{word}", "Words of finals.")
        self.expected_errors = meter.create_counter(
            "asr.expected_errors", "{word}", "Words of finals that are wrong, as far as the recogniser's doubt tells."
        )
        self.tokens = meter.create_counter("asr.tokens", "{token}", "Tokens of finals.")
        self.audio_s = meter.create_counter("asr.audio", "s", "Audio of segments.")
        self.partials = meter.create_counter("asr.partials", "{partial}", "Partial results.")
        self.overruled = meter.create_counter(
            "asr.stable_overruled", "{segment}", "Finals that had other words than those shown as stable."
        )
        self.eager = meter.create_counter("asr.eager", "{text}", "Texts told before their segment was closed, and what became of them.")
        self.failed = meter.create_counter("asr.decode_failed", "{decode}", "Decodes that failed, by what they were for.")
        self.calls = meter.create_up_down_counter("rpc.server.active_calls", "{call}", "Calls that are open.")

    def look_at(self, *looked: Looked) -> None:
        """More to measure, each under a name of its own."""
        for one in looked:
            if isinstance(one, Gauge):
                self._meter.create_observable_gauge(one.name, [_gauge_reader(one)], one.unit, one.description)
            elif isinstance(one, Gauges):
                self._meter.create_observable_gauge(one.name, [_labelled_reader(one)], one.unit, one.description)
            else:
                self._meter.create_observable_counter(one.name, [_labelled_reader(one)], one.unit, one.description)

    def call(self, method: str, metadata: Mapping[str, str], at_s: float) -> "_MeasuredCall":
        labels: dict[str, Attribute] = {names.RPC_METHOD: method.lstrip("/")}
        with self._guard:
            self.calls.add(1, labels)
        return _MeasuredCall(self, self._guard, labels, at_s)


class Histogram:
    """With the bounds that suit it."""

    def __init__(self, meter: Meter, name: str, unit: str, description: str, bounds: tuple[float, ...]) -> None:
        self._record = meter.create_histogram(name, unit, description, explicit_bucket_boundaries_advisory=bounds).record

    def add(self, value: float, labels: Attributes) -> None:
        self._record(value, labels)


class _MeasuredCall:
    __slots__ = ("_began_s", "_guard", "_is_open", "_labels", "_metrics", "_partial_s", "_rpc")

    def __init__(self, metrics: Metrics, guard: Guard, rpc: dict[str, Attribute], at_s: float) -> None:
        self._metrics = metrics
        self._guard = guard
        self._rpc = rpc
        self._labels: dict[str, Attribute] = {}
        self._began_s = at_s
        self._partial_s: float | None = None
        self._is_open = True

    @property
    def trace_id(self) -> str:
        return ""

    def describe(self, attributes: Attributes) -> None:
        self._labels.update({name: attributes[name] for name in _LABELS_OF_A_CALL if name in attributes})

    def event(self, name: str, attributes: Attributes, at_s: float) -> None:
        metrics = self._metrics
        with self._guard:
            if name == names.EVENT_PARTIAL:
                metrics.partials.add(1, self._labels)
                if self._partial_s is not None:
                    metrics.partial_interval_s.add(at_s - self._partial_s, self._labels)
                self._partial_s = at_s
            elif name == names.EVENT_SPEECH_ENDED:
                self._partial_s = None
            elif name in _EAGER:
                metrics.eager.add(1, {**self._labels, OUTCOME: _EAGER[name]})
            elif name == names.EVENT_DECODE_FAILED:
                metrics.failed.add(1, {**self._labels, names.PURPOSE: attributes[names.PURPOSE]})

    def segment(self, record: SegmentRecord) -> None:
        metrics, told = self._metrics, record.attributes
        with self._guard:
            labels = {**self._labels, **{name: told[name] for name in _LABELS_OF_A_SEGMENT if name in told}}
            metrics.segments.add(1, {**labels, OUTCOME: outcome_of(record)})
            if record.failed:
                return
            for what in texts(told.get(names.DEGRADED, ())):
                metrics.degraded.add(1, {**labels, WHAT: what})
            if told.get(names.GUARD):
                metrics.guarded.add(1, {**labels, WHAT: told[names.GUARD]})
            if told.get(names.STABLE_OVERRULED):
                metrics.overruled.add(1, labels)
            words = number(told.get(names.WORDS, 0))
            metrics.words.add(words, labels)
            if names.EXPECTED_ERROR_RATE in told:
                metrics.expected_errors.add(number(told[names.EXPECTED_ERROR_RATE]) * words, labels)
            metrics.tokens.add(number(told.get(names.TOKENS, 0)), labels)
            metrics.audio_s.add(number(told.get(names.AUDIO_S, 0)), labels)
            response_s, waited_s = (number(told.get(name, 0)) / 1000 for name in (names.RESPONSE_MS, names.ENDPOINT_WAIT_MS))
            metrics.response_s.add(response_s, labels)
            if waited_s:
                # Where nobody waited for the end, the text of a part was there when its clock started.
                metrics.to_final_s.add(waited_s + response_s, labels)
            for name, spent_ms in spent_ms_of(record).items():
                metrics.slice_s.add(spent_ms / 1000, {**labels, SLICE: name})
            self._recognition(record, labels)

    def _recognition(self, record: SegmentRecord, labels: Attributes) -> None:
        """Of audio that was rejected there was none."""
        metrics, told = self._metrics, record.attributes
        stage = next((stage for stage in record.stages if stage.name == names.RECOGNITION), None)
        if stage is None:
            return
        metrics.recognition_s.add(stage.spent_ms / 1000, labels)
        metrics.batch.add(number(told.get(names.BATCH_SIZE, 0)), labels)
        predicted_ms = number(told.get(names.PREDICTED_MS, 0))
        if predicted_ms:
            metrics.off.add(stage.spent_ms / predicted_ms, labels)
        if names.RTF in stage.attributes:
            metrics.rtf.add(number(stage.attributes[names.RTF]), labels)

    def close(self, status: str, message: str, at_s: float) -> None:
        with self._guard:
            if self._is_open:
                self._is_open = False
                self._metrics.calls.add(-1, self._rpc)
                self._metrics.call_s.add(at_s - self._began_s, {**self._rpc, names.RPC_RESPONSE_STATUS_CODE: status})


def _labelled_reader(looked: Count | Gauges) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def read(_: CallbackOptions) -> Iterable[Observation]:
        for values, amount in looked.read().items():
            yield Observation(amount, dict(zip(looked.labels, values, strict=True)))

    return read


def _gauge_reader(gauge: Gauge) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def read(_: CallbackOptions) -> Iterable[Observation]:
        value = gauge.read()
        if value is not None:
            yield Observation(value)

    return read
