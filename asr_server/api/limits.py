"""What one caller may ask of the server."""

from dataclasses import dataclass

MAX_UNARY_BYTES = 60 << 20
"""Clients of ours send messages of up to 64 MiB."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Raises ValueError, naming the limit, when one is not positive or a pair is the wrong way round."""

    max_sessions: int = 64
    """Streams at a time."""
    max_files: int = 8
    """Unary calls at a time, beside the streams. One of ten minutes holds up to 50 MB."""
    max_chunk_bytes: int = 1 << 20
    """One `audio_content`."""
    max_stream_audio_s: float = 4 * 3_600
    max_unary_bytes: int = 10 << 20
    """Parsing a larger message would hold up the event loop, and with it every stream: 32 MiB took a quarter of a second."""
    max_unary_audio_s: float = 600
    idle_timeout_s: float = 60
    """A stream without any message."""
    latency_budget_min_ms: int = 200
    latency_budget_max_ms: int = 5_000
    max_alternatives: int = 5
    max_phrases: int = 100
    max_phrase_chars: int = 100
    retry_after_s: float = 1.0
    """What a refused caller is told to wait, until calls have ended by whose length more can be said."""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) <= 0:
                raise ValueError(f"limit {name} is {getattr(self, name)}, must be positive")
        if self.max_unary_bytes > MAX_UNARY_BYTES:
            raise ValueError(f"limit max_unary_bytes is {self.max_unary_bytes}, accepted: up to {MAX_UNARY_BYTES}")
        if self.latency_budget_min_ms > self.latency_budget_max_ms:
            raise ValueError("limit latency_budget_min_ms is above latency_budget_max_ms")
