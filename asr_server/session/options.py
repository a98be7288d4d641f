"""What can be set for one stream's endpointing and partials."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """All times in ms of audio. Raises ValueError, naming the field, when a value is out of its range."""

    vad_stop_ms: int = 500
    """Silence after which a segment is closed, whatever its text."""
    sure_stop_ms: int = 0
    """Silence after which it is closed when its text is sure; between the two by how sure it is. 0: always `vad_stop_ms`."""
    speculate_after_ms: int = 0
    """Silence after which the segment is recognised in case it is over; 0: when it is closed, no sooner."""
    context_ms: int = 0
    """Of what was said just before a segment, how much is heard again with it; 0: nothing."""
    eager_results: bool = False
    """Tell the text inside the silence, before the segment is closed. Wants `speculate_after_ms`."""
    end_of_utterance_ms: int = 1_000
    """Silence after which the utterance is over."""
    start_timeout_ms: int = 0
    """Audio without speech from the start of the stream after which it times out; 0: never."""
    max_segment_ms: int = 15_000
    """Longest segment. The engine takes up to 30 s less its margin; the decode of a long one does not fit the budget."""
    soft_segment_ms: int = 0
    """A segment this long is closed at the next short pause (`sure_stop_ms`), whatever its text, and while none comes, what is sure
    of it is told. 0: no."""
    interim_results: bool = False
    partial_interval_ms: int = 300
    """New audio between two partials."""
    first_partial_ms: int = 500
    """Speech before the first partial: shorter pieces are mostly misheard."""

    @property
    def shortest_stop_ms(self) -> int:
        """The least silence that closes a segment."""
        return self.sure_stop_ms or self.vad_stop_ms

    def __post_init__(self) -> None:
        ranges = {
            "vad_stop_ms": (100, 5_000),
            "context_ms": (0, 10_000),
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
        for name in ("sure_stop_ms", "speculate_after_ms"):
            if getattr(self, name) != 0 and not 20 <= getattr(self, name) <= self.vad_stop_ms:
                raise ValueError(f"{name} is {getattr(self, name)}, accepted: 0 or 20 to vad_stop_ms ({self.vad_stop_ms})")
        if self.soft_segment_ms != 0 and not 1_000 <= self.soft_segment_ms <= self.max_segment_ms:
            raise ValueError(f"soft_segment_ms is {self.soft_segment_ms}, accepted: 0 or 1000 to max_segment_ms ({self.max_segment_ms})")
        if self.sure_stop_ms and not self.speculate_after_ms:
            raise ValueError("sure_stop_ms wants speculate_after_ms: how sure a text is, is known once it was recognised")
        if self.eager_results and not self.speculate_after_ms:
            raise ValueError("eager_results wants speculate_after_ms")
        if self.end_of_utterance_ms < self.vad_stop_ms:
            raise ValueError(f"end_of_utterance_ms is {self.end_of_utterance_ms}, accepted: not below vad_stop_ms ({self.vad_stop_ms})")
