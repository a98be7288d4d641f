"""What is kept. Each class is a table, each field a column; times are Unix seconds. Fields are only ever added."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from asr_server.accuracy.wer import ErrorCounts

Outcome = Literal["in_time", "late", "empty", "failed"]
FeedbackKind = Literal["corrected", "accepted", "rejected", "repeated", "switched_to_typing", "second_opinion"]
"""The last is no user's: the segment was decoded once more by a stronger plan, whose text is taken for the right one."""


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """One segment that was answered, or could not be."""

    id: str
    """As its final told it."""
    at_s: float
    """When it was answered."""
    trace_id: str
    outcome: Outcome
    client: str = ""
    encoding: str = ""
    language: str = ""
    """Of the text."""
    asked_language: str = ""
    """By the caller, such as "auto"."""
    rate_hz: str = ""
    code: str = ""
    model: str = ""
    weights_sha256: str = ""
    data_definition: str = ""
    response_ms: float = 0.0
    endpoint_wait_ms: float = 0.0
    recognition_ms: float = 0.0
    """In all, also what was done in the silence before."""
    predicted_ms: float = 0.0
    budget_ms: float = 0.0
    audio_s: float = 0.0
    words: int = 0
    guard: str = ""
    degraded: tuple[str, ...] = ()
    spent_ms: Mapping[str, float] = field(default_factory=dict)
    """By slice of the budget."""
    profile: Mapping[str, float] = field(default_factory=dict)
    """By feature, as drift is watched by them."""
    drifting: tuple[str, ...] = ()
    """Features of its slices that differ from the reference."""
    expected_error_rate: float | None = None
    """Share of its words that are wrong, as far as the recogniser's doubt tells. None: nothing is known of that."""

    @property
    def release(self) -> str:
        return _release(self)

    @property
    def ttfs_ms(self) -> float | None:
        """From the end of speech, as the server heard it, to the final being handed over. None where nobody waited for the end."""
        return self.endpoint_wait_ms + self.response_ms if self.endpoint_wait_ms else None


@dataclass(frozen=True, slots=True)
class FeedbackRow:
    """What a user made of one segment: the last word of each kind."""

    segment_id: str
    kind: FeedbackKind
    at_s: float
    words: int = 0
    """Of a corrected text, or of the second opinion; with the errors of what was recognised."""
    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0

    @property
    def errors(self) -> ErrorCounts:
        return ErrorCounts(self.substitutions, self.deletions, self.insertions, self.words)


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """A feature of a slice has left its reference, or is back."""

    at_s: float
    since_s: float
    """When it began, as far as that can be told."""
    feature: str
    label: str
    value: str
    """The slice: a label and its value; "all" and "" for every segment."""
    is_back: bool
    kind: str = ""
    severity: str = ""
    shift: float = 0.0
    psi: float = 0.0
    before: tuple[float, ...] = ()
    """A tenth, a half and nine tenths of the reference are below these."""
    after: tuple[float, ...] = ()
    trace_id: str = ""


@dataclass(frozen=True, slots=True)
class ProbeRow:
    """One labelled clip, spoken to the server by itself."""

    at_s: float
    clip: str
    model: str
    words: int
    substitutions: int
    deletions: int
    insertions: int
    ttfs_ms: float | None
    """None: there was no final, or callers spoke meanwhile."""
    late: bool
    weights_sha256: str = ""
    data_definition: str = ""
    code: str = ""

    @property
    def errors(self) -> ErrorCounts:
        return ErrorCounts(self.substitutions, self.deletions, self.insertions, self.words)

    @property
    def release(self) -> str:
        return _release(self)


def _release(row: "SegmentRow | ProbeRow") -> str:
    return f"{row.model} {row.weights_sha256[:8]}, {row.data_definition}, code {row.code}"


Row = SegmentRow | FeedbackRow | ChangeRow | ProbeRow
