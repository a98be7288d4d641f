"""The audio of a stream that may still be needed, and the windows that are cut from it for the recogniser."""

from collections import deque

import numpy as np

from asr_server.events import Said
from asr_server.session.buffer import SampleBuffer
from asr_server.session.context import SpokenContext
from asr_server.session.segment import OpenSegment
from asr_server.transcript import Word
from audio_norm import Positions, Samples, Span, SpeechWindow, Taken

MAX_WINDOW_S = 28
"""With context; the engine takes 29 s. A segment as long as that needs none."""


class HeardAudio:
    """One a stream. Positions are samples of the stream."""

    def __init__(self, context_ms: int, rate_hz: int) -> None:
        self._buffer = SampleBuffer()
        self._clipped: deque[Positions] = deque()
        self._gaps: deque[Span] = deque()
        self._dc_offset = 0.0
        self._context = SpokenContext(context_ms, rate_hz)
        self._longest_window_samples = MAX_WINDOW_S * rate_hz

    @property
    def start_sample(self) -> int:
        """The oldest that is still held."""
        return self._buffer.start_sample

    @property
    def end_sample(self) -> int:
        return self._buffer.end_sample

    def append(self, samples: Samples) -> None:
        self._buffer.append(samples)

    def note(self, taken: Taken) -> None:
        """What was seen of audio before it is conditioned: samples at full scale, digital silence, and its mean."""
        if len(taken.clipped):
            self._clipped.append(taken.clipped)
        self._gaps.extend(taken.gaps)
        self._dc_offset = taken.dc_offset

    def closed(self, end_sample: int) -> None:
        """A segment whose speech ends there has been closed."""
        self._context.close(end_sample)

    def told(self, words: tuple[Word, ...]) -> None:
        """What was said in the segment closed first of those not told yet."""
        self._context.add(words)

    def told_without_words(self) -> None:
        """The same; its words come next, by `told`."""
        self._context.expect()

    def forget(self, before_sample: int) -> None:
        """Of what lies before, only what the next segment may be heard with is kept."""
        self._buffer.forget(self._context.held_from_sample(before_sample))
        while self._clipped and self._clipped[0][-1] < self._buffer.start_sample:
            self._clipped.popleft()
        while self._gaps and self._gaps[0].end_sample <= self._buffer.start_sample:
            self._gaps.popleft()

    def cut(self, start_sample: int, end_sample: int) -> Samples:
        return self._buffer.cut(start_sample, end_sample)

    def window(
        self, segment: OpenSegment, end_sample: int, speech: tuple[Span, ...], *, all_told: bool
    ) -> tuple[SpeechWindow, Said | None]:
        """The segment's audio up to `end_sample`, gone on from what was said before it where that is known: when `all_told`."""
        if segment.context is None and all_told:
            segment.context = self._context.before(segment.start_sample, segment.window_start_sample, self._buffer.start_sample)
        context = segment.context
        if context is None or end_sample - context.start_sample > self._longest_window_samples:
            return self._window(segment.window_start_sample, end_sample, speech), None
        return self._window(context.start_sample, end_sample, (context.speech, *speech)), context.said

    def _window(self, start_sample: int, end_sample: int, speech: tuple[Span, ...]) -> SpeechWindow:
        samples = self._buffer.cut(start_sample, end_sample)
        clipped = sum(int(np.diff(np.searchsorted(positions, (start_sample, end_sample)))[0]) for positions in self._clipped)
        inside = tuple(Span(max(s.start_sample, start_sample), min(s.end_sample, end_sample)) for s in speech)
        gaps = tuple(
            Span(max(gap.start_sample, start_sample), min(gap.end_sample, end_sample))
            for gap in self._gaps
            if gap.start_sample < end_sample and gap.end_sample > start_sample
        )
        return SpeechWindow(samples, start_sample, inside, clipped / len(samples) if len(samples) else 0.0, self._dc_offset, gaps)
