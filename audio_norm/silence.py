"""Where speech starts and ends, and how much of the silence around and inside it is kept. Knows no VAD, only probabilities."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from audio_norm.pcm import Samples
from audio_norm.vad import VAD_RATE_HZ
from audio_norm.window import Span

SAMPLES_PER_MS = VAD_RATE_HZ // 1_000


@dataclass(frozen=True, slots=True)
class GateRule:
    """When probabilities become speech.

    Two thresholds (hysteresis): it takes `on_threshold` to begin speech and only `off_threshold` to go on with it.
    """

    on_threshold: float = 0.5
    off_threshold: float = 0.35
    start_ms: int = 60
    """Time of speech frames that confirms a start; until then they are pending."""
    start_gap_ms: int = 60
    """Pending speech is dropped after more than this without a speech frame."""
    hang_ms: int = 200
    """Speech stays active this long without a speech frame; after it, going on takes a new start."""

    def __post_init__(self) -> None:
        if not 0.0 < self.off_threshold <= self.on_threshold <= 1.0:
            raise ValueError(f"GateRule wants 0 < off_threshold <= on_threshold <= 1, got {self.off_threshold} and {self.on_threshold}")
        for name in ("start_ms", "start_gap_ms", "hang_ms"):
            if not 0 <= getattr(self, name) <= 2_000:
                raise ValueError(f"GateRule wants {name} from 0 to 2000, got {getattr(self, name)}")


class SpeechGate:
    """Turns one probability a frame into spans of speech. One a stream; positions are samples from the stream's first."""

    def __init__(self, rule: GateRule, frame_samples: int) -> None:
        if frame_samples <= 0:
            raise ValueError(f"SpeechGate wants frame_samples > 0, got {frame_samples}")
        self._rule = rule
        self._frame_samples = frame_samples
        self._start_samples = rule.start_ms * SAMPLES_PER_MS
        self._start_gap_samples = rule.start_gap_ms * SAMPLES_PER_MS
        self._hang_samples = rule.hang_ms * SAMPLES_PER_MS
        self._position = 0
        self._active = False
        self._start = 0
        self._end = 0
        self._pending_samples = 0
        self._pending_start = 0
        self._pending_end = 0
        self._ended: deque[Span] = deque()

    @property
    def active(self) -> bool:
        """Confirmed speech is going on, or paused for less than the hang time."""
        return self._active

    @property
    def pending(self) -> bool:
        """Speech frames were seen that are not confirmed yet."""
        return self._pending_samples > 0

    @property
    def is_speech(self) -> bool:
        """The last frame pushed counted as speech, pending or confirmed."""
        return self._position > 0 and self.last_speech_sample == self._position

    @property
    def position_sample(self) -> int:
        """End of the last frame pushed."""
        return self._position

    @property
    def start_sample(self) -> int:
        """Start of the current or last confirmed speech: its first speech frame, which came before it was confirmed."""
        return self._start

    @property
    def last_speech_sample(self) -> int:
        """End of the last frame counted as speech, 0 before any.

        Pending speech counts while it is pending; when it is dropped, this goes back to the end of confirmed speech.
        """
        return self._pending_end if self._pending_samples else self._end

    def push(self, probability: float) -> None:
        """The probability of the next frame."""
        self._position += self._frame_samples
        if probability >= (self._rule.off_threshold if self._active else self._rule.on_threshold):
            self._speech_frame()
        elif self._active:
            if self._position - self._end > self._hang_samples:
                self._active = False
                self._ended.append(Span(self._start, self._end))
        elif self._pending_samples and self._position - self._pending_end > self._start_gap_samples:
            self._pending_samples = 0

    def _speech_frame(self) -> None:
        if self._active:
            self._end = self._position
            return
        if not self._pending_samples:
            self._pending_start = self._position - self._frame_samples
        self._pending_samples += self._frame_samples
        self._pending_end = self._position
        if self._pending_samples >= self._start_samples:
            self._active = True
            self._start = self._pending_start
            self._end = self._position
            self._pending_samples = 0

    def spans(self, from_sample: int = 0, to_sample: int | None = None) -> tuple[Span, ...]:
        """Confirmed speech in `from_sample..to_sample` (default: up to the position), cut to it; the current speech too."""
        until = self._position if to_sample is None else to_sample
        known = [*self._ended, Span(self._start, self._end)] if self._active else list(self._ended)
        cut = ((max(span.start_sample, from_sample), min(span.end_sample, until)) for span in known)
        return tuple(Span(start, end) for start, end in cut if start < end)

    def forget(self, before_sample: int) -> None:
        """Drop the memory of speech that ended before `before_sample`, so that a long stream stays small."""
        while self._ended and self._ended[0].end_sample <= before_sample:
            self._ended.popleft()


@dataclass(frozen=True, slots=True)
class SilenceRule:
    """How much silence is kept."""

    keep_before_ms: int = 250
    keep_after_ms: int = 250
    longest_pause_ms: int = 1_000
    """Longer pauses between two spans of speech are cut in their middle to this length."""

    def __post_init__(self) -> None:
        for name in ("keep_before_ms", "keep_after_ms", "longest_pause_ms"):
            if not 0 <= getattr(self, name) <= 60_000:
                raise ValueError(f"SilenceRule wants {name} from 0 to 60000, got {getattr(self, name)}")


def speech_spans(probabilities: Iterable[float], rule: GateRule, frame_samples: int) -> tuple[Span, ...]:
    """All confirmed speech of a whole recording, by the same gate that a stream uses."""
    gate = SpeechGate(rule, frame_samples)
    for probability in probabilities:
        gate.push(probability)
    return gate.spans()


def trim(window: Span, speech: tuple[Span, ...], rule: SilenceRule) -> tuple[Span, ...]:
    """The parts of `window` that are kept: the speech with the silence the rule grants. No speech keeps nothing."""
    if not speech:
        return ()
    start = max(window.start_sample, speech[0].start_sample - rule.keep_before_ms * SAMPLES_PER_MS)
    last = min(window.end_sample, speech[-1].end_sample + rule.keep_after_ms * SAMPLES_PER_MS)
    longest_samples = rule.longest_pause_ms * SAMPLES_PER_MS
    kept = []
    for before, after in pairwise(speech):
        if after.start_sample - before.end_sample > longest_samples:
            cut = before.end_sample + longest_samples // 2
            kept.append(Span(start, cut))
            start = after.start_sample - (longest_samples - longest_samples // 2)
    kept.append(Span(start, last))
    return tuple(kept)


_FADE_SAMPLES = 5 * SAMPLES_PER_MS


def join(samples: Samples, start_sample: int, kept: tuple[Span, ...]) -> Samples:
    """The kept parts of `samples` (whose first is `start_sample`) behind each other, as a new array.

    Where two parts meet, the first fades out and the second fades in over 5 ms each (raised cosine), so that a cut through room
    noise does not click. The parts keep their length, so positions stay exact.
    """
    parts = [samples[span.start_sample - start_sample : span.end_sample - start_sample] for span in kept]
    joined = np.concatenate(parts) if parts else np.empty(0, np.float32)
    border = 0
    for before, after in pairwise(parts):
        border += len(before)
        fade_out, fade_in = min(_FADE_SAMPLES, len(before)), min(_FADE_SAMPLES, len(after))
        joined[border - fade_out : border] *= _rise(fade_out)[::-1]
        joined[border : border + fade_in] *= _rise(fade_in)
    return joined


def _rise(samples: int) -> Samples:
    return (0.5 - 0.5 * np.cos(np.pi * (np.arange(samples) + 0.5) / max(samples, 1))).astype(np.float32)
