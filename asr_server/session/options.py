"""What can be set for one stream's endpointing and partials."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """All times in ms of audio. Raises ValueError, naming the field, when a value is out of its range."""

    vad_stop_ms: int = 500
    """Silence after which a segment is closed."""
    end_of_utterance_ms: int = 1_000
    """Silence after which the utterance is over."""
    start_timeout_ms: int = 0
    """Audio without speech from the start of the stream after which it times out; 0: never."""
    max_segment_ms: int = 15_000
    """Longest segment. The engine takes up to 30 s less its margin; the decode of a long one does not fit the budget."""
    interim_results: bool = False
    partial_interval_ms: int = 300
    """New audio between two partials."""
    first_partial_ms: int = 500
    """Speech before the first partial: shorter pieces are mostly misheard."""

    def __post_init__(self) -> None:
        ranges = {
            "vad_stop_ms": (100, 5_000),
            "end_of_utterance_ms": (100, 10_000),
            "max_segment_ms": (2_000, 28_000),
            "partial_interval_ms": (100, 5_000),
            "first_partial_ms": (0, 5_000),
        }
        for name, (low, high) in ranges.items():
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} is {getattr(self, name)}, accepted: {low} to {high} ms")
        if self.start_timeout_ms != 0 and not 500 <= self.start_timeout_ms <= 600_000:
            raise ValueError(f"start_timeout_ms is {self.start_timeout_ms}, accepted: 0 (never) or 500 to 600000 ms")
        if self.end_of_utterance_ms < self.vad_stop_ms:
            raise ValueError(f"end_of_utterance_ms is {self.end_of_utterance_ms}, accepted: not below vad_stop_ms ({self.vad_stop_ms})")
