"""How things stand, as values: what programs ask the admin service for, and what is shown to people."""

from dataclasses import dataclass, field

from asr_server.watch.journal.rows import ChangeRow


@dataclass(frozen=True, slots=True)
class Drifting:
    """A feature of a slice that has left its reference."""

    feature: str
    kind: str
    unit: str
    meaning: str
    label: str
    value: str


@dataclass(frozen=True, slots=True)
class DriftStatus:
    is_watching: bool = False
    """There is a reference to compare with."""
    reference: str = ""
    reference_segments: int = 0
    data: bool = False
    concept: bool = False
    system: bool = False
    drifting: tuple[Drifting, ...] = ()
    changes: tuple[ChangeRow, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class WindowState:
    """Of an objective over one length of time, up to now."""

    length_s: float
    events: int
    bad: int
    burn_rate: float
    """1: the error budget would be used up at the end of its period."""


@dataclass(frozen=True, slots=True)
class ObjectiveState:
    name: str
    share: float
    windows: tuple[WindowState, ...]
    firing: str = ""
    """Severity of the alert that fires; "": none does."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Of the last segments, ms. None: there were none, or nothing is planned."""

    name: str
    """ "time to final text", "response", or a slice of the budget."""
    planned_ms: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


@dataclass(frozen=True, slots=True)
class Recent:
    """The segments of the last five minutes, 500 at most."""

    segments: int
    late: int
    empty: int
    failed: int
    degraded: int
    latency: tuple[Latency, ...]


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """How a server does right now."""

    is_serving: bool = False
    active_sessions: int = 0
    queue_depth: int = 0
    running: int = 0
    threads: int = 0
    memory_bytes: int = 0
    prediction_error: float | None = None
    longest_loop_stall_ms: float = 0.0
    recent: Recent = field(default_factory=lambda: Recent(0, 0, 0, 0, 0, ()))
    probe_wer: float | None = None
    """Of golden clips, the last time each was spoken. None: there are none."""
    probe_wer_change: float | None = None
    probe_ttfs_ms: float | None = None
    labelled_words: int = 0
    """Of texts that users corrected since the server was started."""
    labelled_errors: int = 0
