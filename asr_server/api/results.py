"""What a client hears from the server, as plain values: results, events, ledgers, what the server says of itself.

Times named `_s` are seconds from the first sample of the stream; `received_at_s` is `time.monotonic()` here, when the message was read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Slice:
    """A named part of a final's latency budget, in ms."""

    name: str
    planned_ms: float
    spent_ms: float


@dataclass(frozen=True, slots=True)
class LedgerView:
    """How one final spent its budget. All times in ms."""

    budget_ms: float
    response_ms: float
    """From the moment the server might answer until it handed the final over."""
    slices: tuple[Slice, ...] = ()
    late: bool = False
    degraded: tuple[str, ...] = ()
    """What was given up to save time, e.g. "beam"."""
    endpoint_wait_ms: float = 0.0
    """Silence waited for before the clock started."""
    predicted_ms: float = 0.0
    """What the cost model expected of the `asr` slice."""
    beam_size: int = 1
    guard: str = ""
    """How the runaway guard acted: "", "cut", "continued", "redecoded" or "alone"."""
    audio_ms: float = 0.0
    """Audio the engine was given."""
    speculated_ms: float = 0.0
    """Recognition done before the clock started; with the slice `asr` the whole of it."""


@dataclass(frozen=True, slots=True)
class SystemView:
    """Code, data and hyper-parameters of a result: what reproduces it."""

    code: str
    data_definition: str
    data_definition_digest: str = ""
    model: str = ""
    weights_sha256: str = ""
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WordTime:
    text: str
    start_s: float
    end_s: float
    confidence: float


@dataclass(frozen=True, slots=True)
class AlternativeText:
    """One reading of a segment; `confidence` 0 to 1."""

    text: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Result:
    """The text of a segment: as it stands (a partial) or for good (a final)."""

    text: str
    """The best alternative; of a partial the stable part and the rest."""
    stable_text: str
    """The beginning of `text` that will not change; all of it in a final."""
    is_final: bool
    stability: float
    """0 to 1: how sure it is that the *whole* text stands, so that of its least stable portion. 1 for finals, and for eager
    results."""
    segment: int
    start_s: float
    end_s: float
    received_at_s: float
    language: str = ""
    confidence: float = 0.0
    alternatives: tuple[AlternativeText, ...] = ()
    """Finals: best first, at least one."""
    words: tuple[WordTime, ...] = ()
    ledger: LedgerView | None = None
    """Finals only."""
    system: SystemView | None = None
    """Finals only."""
    trace_id: str = ""
    """Finals of a server that traces: where to find the call, 32 hex digits."""
    segment_id: str = ""
    """Finals: names the segment to `Client.feedback`."""

    @property
    def is_eager(self) -> bool:
        """No final yet, but the text if the speaker has finished."""
        return self.stability == 1 and not self.is_final

    @property
    def unstable_text(self) -> str:
        return self.text[len(self.stable_text) :]


@dataclass(frozen=True, slots=True)
class SpeechEvent:
    """Something happened in the audio: "speech_activity_begin", "speech_activity_end", "end_of_utterance", "start_timeout", "finalized",
    "eager_stood", "eager_withdrawn"."""

    kind: str
    at_s: float
    received_at_s: float

    @property
    def is_final(self) -> bool:
        """Never: so that `if heard.is_final` picks the finals from everything heard."""
        return False


Heard = Result | SpeechEvent


@dataclass(frozen=True, slots=True)
class ModelView:
    name: str
    weights_sha256: str
    languages: tuple[str, ...]
    is_default: bool
    options: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DefinitionView:
    name: str
    digest: str
    is_default: bool


@dataclass(frozen=True, slots=True)
class PresetView:
    """How a preset weighs accuracy against time."""

    name: str
    shortest_stop_ms: int
    """Silence after which a segment whose text is sure is closed."""
    longest_stop_ms: int
    beam_size: int
    context_ms: int
    model: str = ""
    """That decodes finals in time, where it speaks the language."""


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """What a server speaks, holds and allows."""

    version: str
    models: tuple[ModelView, ...]
    data_definitions: tuple[DefinitionView, ...]
    limits: Mapping[str, float]
    """By the names of the wire's `Limits`; durations in seconds, their names ending in `_s`."""
    endpointing_ms: Mapping[str, int]
    """The default endpointing, by the names of the wire's `EndpointingConfig`, e.g. `vad_stop_ms`."""
    budget: tuple[Slice, ...]
    """The default latency budget; nothing is spent."""
    presets: tuple[PresetView, ...]
    """The default one first."""
    encodings: tuple[str, ...]
    active_sessions: int
    longest_loop_stall_ms: float
    """Longest time the server's event loop did not serve anybody, since it began to serve."""
    prediction_error: float = 0.0
    """How far its predictions of recognition times have been off lately: 1.15 is 15 %. 0: nothing was recognised yet."""

    def system(self, model: str = "") -> SystemView:
        """What a result of `model` ("" = the default) would be made by."""
        chosen = next((held for held in self.models if (held.name == model if model else held.is_default)), None)
        definition = next((known for known in self.data_definitions if known.is_default), None)
        return SystemView(
            code=self.version,
            data_definition=definition.name if definition else "",
            data_definition_digest=definition.digest if definition else "",
            model=chosen.name if chosen else "",
            weights_sha256=chosen.weights_sha256 if chosen else "",
            options=chosen.options if chosen else {},
        )
