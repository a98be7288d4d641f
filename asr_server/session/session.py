"""The state machine of one stream: everything that opens, closes or orders a segment is in this file.

Feed it audio, hypotheses and control messages; take the events it gives back. It owns no socket, thread or clock: time is the
position in the audio. It is never reset, a new stream gets a new one.

Order: finals leave in the order of their segments, whatever order the hypotheses come in; `UtteranceEnded` and `Finalized` leave after
the finals before them. Partials of a segment leave only when every earlier final has left. Speech starts and ends are said at once.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from asr_server.events import (
    DecodeUnwanted,
    DecodeWanted,
    Event,
    Final,
    Finalized,
    Partial,
    Purpose,
    SpeechEnded,
    SpeechStarted,
    StartTimedOut,
    UtteranceEnded,
)
from asr_server.session.buffer import SampleBuffer
from asr_server.session.options import SessionOptions
from asr_server.session.segment import OpenSegment
from asr_server.session.stability import StablePrefix
from asr_server.transcript import Alternative, Hypothesis
from audio_norm import Conditioned, DataDefinition, Positions, Span, SpeechWindow, Taken

_ONSET_SAMPLES = 1_600
"""100 ms: speech not yet confirmed when the client finalizes began at most this long before its last frame."""


@dataclass(frozen=True, slots=True)
class _PartialJob:
    job: int
    segment: OpenSegment
    end_sample: int


@dataclass(slots=True)
class _Awaited:
    """A place in the order of what leaves: a final whose hypothesis may still be out."""

    job: int
    segment: int
    start_sample: int
    end_sample: int
    prefix: StablePrefix
    hypothesis: Hypothesis | None = None


class Session:
    """One stream. Not thread-safe; every method returns the events it caused, in order."""

    def __init__(self, options: SessionOptions, definition: DataDefinition) -> None:
        rate_hz = definition.audio.rate_hz
        self._options = options
        self._conditioner = definition.conditioner()
        self._gate = definition.gate(self._conditioner.frame_samples)
        self._keep_before = definition.silence.keep_before_ms * rate_hz // 1000
        self._keep_after = definition.silence.keep_after_ms * rate_hz // 1000
        self._vad_stop = options.vad_stop_ms * rate_hz // 1000
        self._end_of_utterance = options.end_of_utterance_ms * rate_hz // 1000
        self._start_timeout = options.start_timeout_ms * rate_hz // 1000
        self._max_segment = options.max_segment_ms * rate_hz // 1000
        self._partial_interval = options.partial_interval_ms * rate_hz // 1000
        self._first_partial = options.first_partial_ms * rate_hz // 1000
        self._buffer = SampleBuffer()
        self._clipped: deque[Positions] = deque()
        self._segment: OpenSegment | None = None
        self._segments = 0
        self._taken_sample = 0  # audio before this belongs to closed segments
        self._speech_end_sample = 0  # of the segment closed last
        self._partial: _PartialJob | None = None
        self._outbox: deque[_Awaited | UtteranceEnded | Finalized] = deque()
        self._awaited: dict[int, _Awaited] = {}
        self._jobs = 0
        self._in_utterance = False
        self._waits_for_speech = options.start_timeout_ms > 0
        self._timed_out = False
        self._closed = False

    @property
    def position_sample(self) -> int:
        """Audio received so far."""
        return self._buffer.end_sample

    @property
    def _heard_sample(self) -> int:
        """End of the last VAD frame; the last one of a stream is filled up and may end after the audio."""
        return min(self._gate.position_sample, self._buffer.end_sample)

    @property
    def finished(self) -> bool:
        """Closed, and everything has been said."""
        return self._closed and not self._outbox

    @property
    def timed_out(self) -> bool:
        """No speech came within the start timeout; the stream is over, and nothing after `StartTimedOut` is heard."""
        return self._timed_out

    @property
    def open_answers(self) -> int:
        """Finals, ends of utterances and answers to `finalize` that wait for a final before them. Only decoding makes them fewer: who
        calls `finalize` for a client stops reading from it while there are too many."""
        return len(self._outbox)

    def feed(self, taken: Taken) -> list[Event]:
        """More audio, from the definition's intake. Ignored after the start timeout."""
        assert not self._closed, "audio after close"
        if self._timed_out:
            return []
        if len(taken.clipped):
            self._clipped.append(taken.clipped)
        return list(self._hear(self._conditioner.feed(taken.samples)))

    def accept(self, job: int, hypothesis: Hypothesis) -> list[Event]:
        """The answer to a `DecodeWanted`. Answers that are no longer wanted are ignored."""
        if self._partial is not None and self._partial.job == job:
            done, self._partial = self._partial, None
            return list(self._show_partial(done, hypothesis))
        if job in self._awaited:
            self._awaited.pop(job).hypothesis = hypothesis
            return list(self._leave())
        return []

    def give_up_partial(self, job: int) -> None:
        """A partial was not decoded (overload, failure); the next one may be asked for. Finals cannot be given up."""
        if self._partial is not None and self._partial.job == job:
            self._partial = None

    def finalize(self) -> list[Event]:
        """Close what is open now; `Finalized` follows when it has been said."""
        events = list(self._end_utterance())
        self._outbox.append(Finalized(self.position_sample))
        return [*events, *self._leave()]

    def close(self) -> list[Event]:
        """No more audio will come."""
        if self._closed:
            return []
        events = [] if self._timed_out else list(self._hear(self._conditioner.flush()))
        events += self._end_utterance()
        self._closed = True
        return [*events, *self._leave()]

    # ------------------------------------------------------------------------------------------------------------ hearing

    def _hear(self, heard: Conditioned) -> Iterator[Event]:
        self._buffer.append(heard.samples)
        for probability in heard.speech:
            yield from self._hear_frame(probability)
            if self._timed_out:
                return
        yield from self._want_partial()
        held_from = self._segment.window_start_sample if self._segment else self._gate.position_sample - self._keep_before - _ONSET_SAMPLES
        # Confirming speech takes the gate a while; audio back to its possible start is still needed then.
        self._buffer.forget(min(held_from, self._gate.start_sample - self._keep_before) if self._gate.active else held_from)
        self._gate.forget(self._buffer.start_sample)
        while self._clipped and self._clipped[0][-1] < self._buffer.start_sample:
            self._clipped.popleft()

    def _hear_frame(self, probability: float) -> Iterator[Event]:
        gate = self._gate
        was_active = gate.active
        gate.push(probability)
        if gate.active and gate.last_speech_sample > self._taken_sample:
            if self._segment is None:
                yield from self._open(max(gate.start_sample, self._taken_sample))
            elif not was_active:
                self._segment.speech_again(gate.start_sample)
        segment, heard_sample = self._segment, self._heard_sample
        if segment is not None:
            if gate.active:
                segment.speech_until(min(gate.last_speech_sample, heard_sample))
            if heard_sample - segment.speech_end_sample >= self._vad_stop:
                yield from self._close_segment(heard_sample)
            elif heard_sample - segment.window_start_sample >= self._max_segment:
                yield from self._split(segment)
        elif self._in_utterance and heard_sample - self._speech_end_sample >= self._end_of_utterance:
            self._in_utterance = False
            self._outbox.append(UtteranceEnded(heard_sample))
            yield from self._leave()
        elif self._waits_for_speech and not gate.pending and heard_sample >= self._start_timeout:
            self._waits_for_speech = False
            self._timed_out = True
            yield StartTimedOut(heard_sample)

    # ------------------------------------------------------------------------------------------------ opening and closing

    def _open(self, start_sample: int) -> Iterator[Event]:
        window_start = max(start_sample - self._keep_before, self._taken_sample, self._buffer.start_sample)
        self._segment = OpenSegment(self._segments, start_sample, window_start)
        self._segment.partial_due_sample = start_sample + self._first_partial
        self._segments += 1
        self._in_utterance = True
        self._waits_for_speech = False
        yield SpeechStarted(start_sample)

    def _close_segment(self, position_sample: int) -> Iterator[Event]:
        segment, self._segment = self._segment, None
        assert segment is not None
        end = min(position_sample, segment.speech_end_sample + self._keep_after)
        yield SpeechEnded(segment.speech_end_sample)
        yield from self._want_final(segment, segment.speech, end, position_sample)

    def _split(self, segment: OpenSegment) -> Iterator[Event]:
        """Speech has gone on for too long without a pause: close the part before the best cut, go on with the rest."""
        start, position = segment.window_start_sample, self._heard_sample
        cut = segment.best_cut(start + self._max_segment // 2, self._buffer.cut(start, position), start)
        spoken, rest = segment.speech_before(cut), segment.speech_after(cut)
        # Nobody waited in silence: the speaker has not stopped.
        yield from self._want_final(segment, spoken, cut, position_sample=spoken[-1].end_sample)
        self._segment = None
        if rest:
            self._segment = OpenSegment(self._segments, rest[0].start_sample, cut)
            self._segment.partial_due_sample = position
            self._segments += 1
            self._segment.speech_until(rest[0].end_sample)
            for span in rest[1:]:
                self._segment.speech_again(span.start_sample)
                self._segment.speech_until(span.end_sample)

    def _end_utterance(self) -> Iterator[Event]:
        """Everything heard so far is said now, also speech too young to be sure of."""
        gate = self._gate
        end = self._buffer.end_sample
        if self._segment is None and gate.pending and gate.last_speech_sample > self._taken_sample:
            yield from self._open(max(gate.last_speech_sample - _ONSET_SAMPLES, self._taken_sample, self._buffer.start_sample))
        if self._segment is not None:
            if gate.pending or gate.active:
                self._segment.speech_until(min(gate.last_speech_sample, end))
            if gate.active and end - gate.last_speech_sample < 2 * self._conditioner.frame_samples:
                # The last frame may be incomplete: what was said in it belongs to the segment.
                self._segment.speech_until(end)
            yield from self._close_segment(end)
        if self._in_utterance:
            self._in_utterance = False
            self._outbox.append(UtteranceEnded(end))
            yield from self._leave()

    # ------------------------------------------------------------------------------------------------------------ wanting

    def _want_final(self, segment: OpenSegment, speech: tuple[Span, ...], end_sample: int, position_sample: int) -> Iterator[Event]:
        if self._partial is not None and self._partial.segment is segment:
            yield DecodeUnwanted(self._partial.job)
            self._partial = None
        window = self._window(segment.window_start_sample, end_sample, speech)
        speech_end = speech[-1].end_sample
        awaited = _Awaited(self._next_job(), segment.index, speech[0].start_sample, speech_end, segment.prefix)
        self._outbox.append(awaited)
        self._awaited[awaited.job] = awaited
        self._taken_sample = end_sample
        self._speech_end_sample = speech_end
        yield DecodeWanted(awaited.job, segment.index, Purpose.FINAL, window, max(position_sample - speech_end, 0))

    def _want_partial(self) -> Iterator[Event]:
        segment = self._segment
        if segment is None or not self._options.interim_results or self._partial is not None or self._outbox:
            return
        if segment.speech_end_sample < segment.partial_due_sample:
            return
        end = self._heard_sample
        segment.partial_due_sample = end + self._partial_interval
        self._partial = _PartialJob(self._next_job(), segment, end)
        window = self._window(segment.window_start_sample, end, segment.speech)
        yield DecodeWanted(self._partial.job, segment.index, Purpose.PARTIAL, window, end - segment.speech_end_sample)

    def _window(self, start_sample: int, end_sample: int, speech: tuple[Span, ...]) -> SpeechWindow:
        samples = self._buffer.cut(start_sample, end_sample)
        clipped = sum(int(np.diff(np.searchsorted(positions, (start_sample, end_sample)))[0]) for positions in self._clipped)
        inside = tuple(Span(max(s.start_sample, start_sample), min(s.end_sample, end_sample)) for s in speech)
        return SpeechWindow(samples, start_sample, inside, clipped / len(samples) if len(samples) else 0.0)

    def _next_job(self) -> int:
        self._jobs += 1
        return self._jobs

    # ------------------------------------------------------------------------------------------------------------- saying

    def _show_partial(self, done: _PartialJob, hypothesis: Hypothesis) -> Iterator[Event]:
        if not hypothesis.text or done.segment is not self._segment or self._outbox:
            return
        segment = done.segment
        stable, unstable = segment.prefix.show(hypothesis.text, hypothesis.language)
        yield Partial(segment.index, segment.start_sample, done.end_sample, stable, unstable, hypothesis.language)

    def _leave(self) -> Iterator[Event]:
        while self._outbox:
            head = self._outbox[0]
            if not isinstance(head, _Awaited):
                yield head
            elif head.hypothesis is None:
                return
            else:
                yield _final(head, head.hypothesis)
            self._outbox.popleft()


def _final(awaited: _Awaited, hypothesis: Hypothesis) -> Final:
    kept = awaited.prefix.keep(hypothesis.text, hypothesis.words, hypothesis.language)
    if kept.text != hypothesis.text:
        best = Alternative(kept.text, hypothesis.confidence)
        hypothesis = replace(hypothesis, alternatives=(best, *hypothesis.alternatives[1:]), words=kept.words)
    return Final(awaited.job, awaited.segment, awaited.start_sample, awaited.end_sample, hypothesis, kept.overruled)
