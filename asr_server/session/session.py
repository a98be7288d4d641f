"""The state machine of one stream: everything that opens, closes or orders a segment is in this file.

Feed it audio, hypotheses and control messages; take the events it gives back. It owns no socket, thread or clock: time is the
position in the audio. It is never reset, a new stream gets a new one.

Closing: a segment is closed when it has been quiet for as long as `EndpointRule` says. In the silence before that its decode is begun
(`Purpose.SPECULATIVE`): if the speaker goes on it was in vain, or serves as a partial; if not, `DecodePromoted` makes it the final, which
leaves at once when its hypothesis is here already. The hypothesis also tells how sure the text is, and so how long to wait.

Order: finals leave in the order of their segments, whatever order the hypotheses come in; `UtteranceEnded` and `Finalized` leave after
the finals before them. Partials of a segment leave only when every earlier final has left. Speech starts and ends are said at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from asr_server.events import (
    DecodePromoted,
    DecodeUnwanted,
    DecodeWanted,
    Eager,
    EagerSettled,
    Event,
    Finalized,
    Partial,
    Purpose,
    SpeechEnded,
    SpeechStarted,
    StartTimedOut,
    UtteranceEnded,
    WordPlaces,
)
from asr_server.session.audio import HeardAudio
from asr_server.session.commit import sure_part
from asr_server.session.endpoint import EAGER_CERTAINTY, EndpointRule, certainty
from asr_server.session.options import SessionOptions
from asr_server.session.order import Awaited, Order
from asr_server.session.quiet import QuietClock
from asr_server.session.segment import Committing, OpenSegment, Speculation
from asr_server.session.stability import goes_on_from
from asr_server.transcript import Hypothesis, Word
from audio_norm import Conditioned, DataDefinition, Samples, Span, Taken

_ONSET_SAMPLES = 1_600
"""100 ms: speech not yet confirmed when the client finalizes began at most this long before its last frame."""

SOFT_SPEECH_MS = 300
"""Speech that only the gate hears is taken for speech when it lasts this long: somebody speaks softly, or far away."""

COMMIT_INTERVAL_MS = 1_000
"""Between two attempts to tell a part of speech that does not pause."""


@dataclass(frozen=True, slots=True)
class _PartialJob:
    job: int
    segment: OpenSegment
    end_sample: int


class Session:
    """One stream. Not thread-safe; every method returns the events it caused, in order."""

    def __init__(self, options: SessionOptions, definition: DataDefinition) -> None:
        rate_hz = definition.audio.rate_hz
        self._options = options
        self._conditioner = definition.conditioner()
        self._gate = definition.gate(self._conditioner.frame_samples)
        self._keep_before_samples = definition.silence.keep_before_ms * rate_hz // 1000
        self._keep_after_samples = definition.silence.keep_after_ms * rate_hz // 1000
        self._rule = EndpointRule(options.shortest_stop_ms, options.vad_stop_ms)
        self._samples_per_ms = rate_hz // 1000
        self._speculate_after_samples = options.speculate_after_ms * rate_hz // 1000
        self._soft_segment_samples = options.soft_segment_ms * rate_hz // 1000
        self._end_of_utterance_samples = options.end_of_utterance_ms * rate_hz // 1000
        self._start_timeout_samples = options.start_timeout_ms * rate_hz // 1000
        self._max_segment_samples = options.max_segment_ms * rate_hz // 1000
        self._partial_interval_samples = options.partial_interval_ms * rate_hz // 1000
        self._first_partial_samples = options.first_partial_ms * rate_hz // 1000
        self._audio = HeardAudio(options.context_ms, rate_hz)
        self._frame_rest = np.empty(0, np.float32)
        self._quiet = QuietClock()
        self._segment: OpenSegment | None = None
        self._segments = 0
        self._taken_sample = 0  # audio before this belongs to closed segments
        self._speech_end_sample = 0  # of the segment closed last
        self._partial: _PartialJob | None = None
        self._order = Order()
        self._wordless: Awaited | None = None
        """The final that was told last, if its words are still looked for."""
        self._jobs = 0
        self._in_utterance = False
        self._waits_for_speech = options.start_timeout_ms > 0
        self._timed_out = False
        self._closed = False

    @property
    def position_sample(self) -> int:
        """Audio received so far."""
        return self._audio.end_sample

    @property
    def _heard_sample(self) -> int:
        """End of the last VAD frame; the last one of a stream is filled up and may end after the audio."""
        return min(self._gate.position_sample, self._audio.end_sample)

    @property
    def finished(self) -> bool:
        """Closed, and everything has been said."""
        return self._closed and not self._order

    @property
    def awaits_words(self) -> bool:
        """Whether a text was told whose words are still looked for: what is closed until then is not heard with it."""
        return self._wordless is not None

    @property
    def timed_out(self) -> bool:
        """No speech came within the start timeout; the stream is over, and nothing after `StartTimedOut` is heard."""
        return self._timed_out

    @property
    def open_answers(self) -> int:
        """Finals, ends of utterances and answers to `finalize` that wait for a final before them. Only decoding makes them fewer: who
        calls `finalize` for a client stops reading from it while there are too many."""
        return len(self._order)

    def feed(self, taken: Taken) -> list[Event]:
        """More audio, from the definition's intake. Ignored after the start timeout."""
        assert not self._closed, "audio after close"
        if self._timed_out:
            return []
        self._audio.note(taken)
        return list(self._hear(self._conditioner.feed(taken.samples)))

    def accept(self, job: int, hypothesis: Hypothesis) -> list[Event]:
        """The answer to a `DecodeWanted`. Answers that are no longer wanted are ignored."""
        if self._partial is not None and self._partial.job == job:
            done, self._partial = self._partial, None
            return list(self._show_partial(done, hypothesis))
        segment = self._segment
        if segment is not None and segment.committing is not None and segment.committing.job == job:
            return list(self._commit(segment, segment.committing, hypothesis))
        if segment is not None and segment.speculation is not None and segment.speculation.job == job:
            return list(self._know_more(segment, segment.speculation, hypothesis))
        if self._order.answer(job, hypothesis):
            return list(self._leave())
        return []

    def place(self, job: int, words: tuple[Word, ...]) -> None:
        """The words of a hypothesis that was accepted without them (`WordPlaces.AFTER`); none: they were not found. Answers that are no
        longer wanted are ignored."""
        speculation = self._segment.speculation if self._segment is not None else None
        if speculation is not None and speculation.job == job and speculation.hypothesis is not None:
            speculation.hypothesis = replace(speculation.hypothesis, words=words)
        elif self._wordless is not None and self._wordless.job == job:
            self._audio.told(self._wordless.with_words(words).final.hypothesis.words)
            self._wordless = None
        else:
            self._order.place(job, words)

    def give_up(self, job: int) -> None:
        """A partial or speculative decode was not done (overload, failure): the next one may be asked for. Finals cannot be given up."""
        if self._partial is not None and self._partial.job == job:
            self._partial = None
        segment = self._segment
        if segment is not None and segment.committing is not None and segment.committing.job == job:
            segment.committing = None
        if segment is not None and segment.speculation is not None and segment.speculation.job == job:
            segment.speculation.given_up = True

    def finalize(self) -> list[Event]:
        """Close what is open now; `Finalized` follows when it has been said."""
        events = list(self._end_utterance(self._word_places))
        self._order.add(Finalized(self.position_sample))
        return [*events, *self._leave()]

    def close(self) -> list[Event]:
        """No more audio will come."""
        if self._closed:
            return []
        events = [] if self._timed_out else list(self._hear(self._conditioner.flush()))
        events += self._end_utterance(WordPlaces.UNWANTED)
        self._closed = True
        return [*events, *self._leave()]

    # ------------------------------------------------------------------------------------------------------------ hearing

    def _hear(self, heard: Conditioned) -> Iterator[Event]:
        self._audio.append(heard.samples)
        frame_samples = self._conditioner.frame_samples
        frames = np.concatenate([self._frame_rest, heard.samples])
        for number, probability in enumerate(heard.speech):
            yield from self._hear_frame(probability, frames[number * frame_samples : (number + 1) * frame_samples])
            if self._timed_out:
                return
        self._frame_rest = frames[len(heard.speech) * frame_samples :]
        yield from self._want_partial()
        if self._segment is not None:
            held_from = self._segment.window_start_sample
        else:
            held_from = self._gate.position_sample - self._keep_before_samples - _ONSET_SAMPLES
        # Confirming speech takes the gate a while; audio back to its possible start is still needed then.
        if self._gate.active:
            held_from = min(held_from, max(self._gate.start_sample, self._taken_sample) - self._keep_before_samples)
        self._audio.forget(held_from)
        self._gate.forget(self._audio.start_sample)

    def _hear_frame(self, probability: float, frame: Samples) -> Iterator[Event]:
        gate = self._gate
        gate.push(probability)
        heard_sample = self._heard_sample
        is_clear = self._quiet.push(probability, frame) and gate.active
        is_speech = is_clear or (self._segment is not None and self._segment.is_soft and gate.is_speech)
        if self._segment is not None and is_speech:
            yield from self._resume(self._segment)
        elif self._segment is None and gate.active and gate.last_speech_sample > self._taken_sample:
            start = max(gate.start_sample, self._taken_sample)
            if is_clear or gate.last_speech_sample - start >= SOFT_SPEECH_MS * self._samples_per_ms:
                yield from self._open(start, is_soft=not is_clear)
                is_speech = True
        segment = self._segment
        if segment is not None:
            if is_speech:
                segment.speech_again(gate.start_sample)
                segment.speech_until(heard_sample)
            if self._silence_samples(segment) >= self._stop_samples(segment):
                yield from self._close_segment(heard_sample, self._word_places)
            elif heard_sample - segment.window_start_sample >= self._max_segment_samples:
                yield from self._split(segment)
            elif self._speculate_after_samples and heard_sample - segment.speech_end_sample >= self._speculate_after_samples:
                yield from self._speculate(segment)
            elif is_speech and self._soft_segment_samples and heard_sample - segment.window_start_sample >= self._soft_segment_samples:
                yield from self._want_commit(segment)
        elif self._in_utterance and heard_sample - self._speech_end_sample >= self._end_of_utterance_samples:
            self._in_utterance = False
            self._order.add(UtteranceEnded(heard_sample))
            yield from self._leave()
        elif self._waits_for_speech and not (gate.pending or gate.active) and heard_sample >= self._start_timeout_samples:
            self._waits_for_speech = False
            self._timed_out = True
            yield StartTimedOut(heard_sample)

    # -------------------------------------------------------------------------------------------- in speech that goes on

    def _want_commit(self, segment: OpenSegment) -> Iterator[Event]:
        """Find out which of its words can be told for good. A long window would make its final late."""
        end = self._heard_sample
        if segment.committing is not None or self._order or end < segment.commit_due_sample:
            return
        segment.commit_due_sample = end + COMMIT_INTERVAL_MS * self._samples_per_ms
        segment.committing = Committing(self._next_job(), end)
        due = COMMIT_INTERVAL_MS * self._samples_per_ms
        yield self._wanted(segment.committing.job, segment, Purpose.SPECULATIVE, end, 0, due_samples=due, word_places=WordPlaces.WITH)

    def _commit(self, segment: OpenSegment, committing: Committing, hypothesis: Hypothesis) -> Iterator[Event]:
        """Tell the words that are sure to stand, and go on with the rest: once the speaker does."""
        if segment.speculation is not None:
            committing.hypothesis = hypothesis
            return
        segment.committing = None
        if self._order:
            return
        hypothesis, _ = segment.prefix.kept_in(hypothesis)
        part = sure_part(hypothesis, committing.end_sample, segment.prefix, self._samples_per_ms * 1000)
        if part is None:
            return
        spoken = segment.speech_before(part.cut_sample)
        rest = segment.rest_after(part.cut_sample, part.cut_sample, self._segments)
        if not spoken or rest is None:
            return
        yield from self._drop_partial(segment)
        self._segment = rest
        self._segments += 1
        rest.partial_due_sample = self._heard_sample
        segment.hand_on_eager(part.told.text, rest)
        self._await(committing.job, segment, spoken, part.cut_sample, WordPlaces.WITH)
        yield DecodePromoted(committing.job, 0, segment.index)
        self._order.answer(committing.job, part.told)
        yield from self._leave()

    def _drop_commit(self, segment: OpenSegment) -> Iterator[Event]:
        committing, segment.committing = segment.committing, None
        if committing is not None and committing.hypothesis is None:
            yield DecodeUnwanted(committing.job)

    # ------------------------------------------------------------------------------------------------------ in the silence

    def _silence_samples(self, segment: OpenSegment) -> int:
        """How long it has been quiet. Speech ended somewhere in its last frame: in the middle of it, on average."""
        return self._heard_sample - segment.speech_end_sample + self._conditioner.frame_samples // 2

    def _stop_samples(self, segment: OpenSegment) -> int:
        """Silence after which the segment is closed."""
        if self._soft_segment_samples and segment.speech_end_sample - segment.window_start_sample >= self._soft_segment_samples:
            return self._rule.shortest_ms * self._samples_per_ms
        hypothesis = segment.speculation.hypothesis if segment.speculation is not None else None
        return self._rule.stop_ms(hypothesis) * self._samples_per_ms

    def _speculate(self, segment: OpenSegment) -> Iterator[Event]:
        """Begin the decode that the segment will end with if nothing more is said. Once a silence."""
        if segment.speculation is not None:
            return
        heard_sample = self._heard_sample
        quiet = heard_sample - segment.speech_end_sample
        speculation = segment.speculation = Speculation(self._next_job(), heard_sample)
        due = max(self._rule.shortest_ms * self._samples_per_ms - quiet, 0)
        yield self._wanted(
            speculation.job, segment, Purpose.SPECULATIVE, heard_sample, quiet, due_samples=due, word_places=self._word_places
        )

    def _know_more(self, segment: OpenSegment, speculation: Speculation, hypothesis: Hypothesis) -> Iterator[Event]:
        """The speculative hypothesis is here while the silence lasts."""
        speculation.hypothesis = hypothesis
        if self._silence_samples(segment) >= self._stop_samples(segment):
            yield from self._close_segment(self._heard_sample, self._word_places)
            return
        if self._options.eager_results and self._may_tell_early(segment, hypothesis):
            yield from self._tell_early(segment, hypothesis)
        elif self._options.interim_results:
            yield from self._show_partial(_PartialJob(speculation.job, segment, speculation.end_sample), hypothesis)

    def _may_tell_early(self, segment: OpenSegment, hypothesis: Hypothesis) -> bool:
        return not self._order and certainty(hypothesis) >= EAGER_CERTAINTY and hypothesis.text.startswith(segment.prefix.text)

    def _tell_early(self, segment: OpenSegment, hypothesis: Hypothesis) -> Iterator[Event]:
        text = hypothesis.text
        if text == segment.eager_text:
            return
        yield from self._settle(segment.index, segment.eager_text, text, hypothesis.language, self._heard_sample)
        segment.eager_text = text
        yield Eager(segment.index, segment.start_sample, segment.speech_end_sample, text, hypothesis.language)

    def _resume(self, segment: OpenSegment) -> Iterator[Event]:
        """The speaker goes on: what was begun in the silence is no final. As a partial it may still serve."""
        speculation, segment.speculation = segment.speculation, None
        if speculation is None:
            return
        if segment.committing is not None and segment.committing.hypothesis is not None:
            yield from self._commit(segment, segment.committing, segment.committing.hypothesis)
        if speculation.hypothesis is not None or speculation.given_up:
            return
        if self._options.interim_results and self._partial is None and self._segment is segment:
            self._partial = _PartialJob(speculation.job, segment, speculation.end_sample)
        else:
            yield DecodeUnwanted(speculation.job)

    # ------------------------------------------------------------------------------------------------ opening and closing

    def _open(self, start_sample: int, *, is_soft: bool = False) -> Iterator[Event]:
        window_start = max(start_sample - self._keep_before_samples, self._taken_sample, self._audio.start_sample)
        self._segment = OpenSegment(self._segments, start_sample, window_start, is_soft=is_soft)
        self._segment.partial_due_sample = start_sample + self._first_partial_samples
        self._segments += 1
        self._in_utterance = True
        self._waits_for_speech = False
        yield SpeechStarted(start_sample)

    def _close_segment(self, position_sample: int, word_places: WordPlaces) -> Iterator[Event]:
        """`word_places`: of its final, if none was begun in the silence."""
        segment, self._segment = self._segment, None
        assert segment is not None
        end = min(position_sample, segment.speech_end_sample + self._keep_after_samples)
        yield SpeechEnded(segment.speech_end_sample)
        yield from self._drop_commit(segment)
        speculation = segment.speculation
        if speculation is None or speculation.given_up:
            yield from self._want_final(segment, segment.speech, end, position_sample, word_places)
            return
        yield from self._drop_partial(segment)
        wait = max(position_sample - segment.speech_end_sample, 0)
        # What came after the audio it was begun with has not been heard by the recogniser: the next segment may begin with it.
        self._await(speculation.job, segment, segment.speech, min(end, speculation.end_sample), self._word_places)
        yield DecodePromoted(speculation.job, wait, segment.index)
        if speculation.hypothesis is not None:
            self._order.answer(speculation.job, speculation.hypothesis)
            yield from self._leave()

    def _split(self, segment: OpenSegment) -> Iterator[Event]:
        """Speech has gone on for too long without a pause: close the part before the best cut, go on with the rest."""
        start = segment.window_start_sample
        position = min(self._heard_sample, start + self._max_segment_samples)
        cut = segment.best_cut(start + self._max_segment_samples // 2, self._audio.cut(start, position), start)
        spoken = segment.speech_before(cut)
        yield from self._drop_commit(segment)
        yield from self._resume(segment)
        # Nobody waited in silence: the speaker has not stopped.
        yield from self._want_final(segment, spoken, cut, spoken[-1].end_sample, self._word_places)
        self._segment = segment.rest_after(cut, cut, self._segments)
        if self._segment is not None:
            self._segment.partial_due_sample = position
            self._segments += 1

    def _end_utterance(self, word_places: WordPlaces) -> Iterator[Event]:
        """Everything heard so far is said now, also speech too young to be sure of. `word_places`: as in `_close_segment`."""
        gate = self._gate
        end = self._audio.end_sample
        if self._segment is None and (gate.pending or gate.active) and gate.last_speech_sample > self._taken_sample:
            start = gate.start_sample if gate.active else gate.last_speech_sample - _ONSET_SAMPLES
            yield from self._open(max(start, self._taken_sample, self._audio.start_sample))
        if self._segment is not None:
            speculation = self._segment.speculation
            if speculation is not None and (speculation.given_up or gate.last_speech_sample > speculation.end_sample):
                yield from self._resume(self._segment)  # it has not heard all that may be speech
            in_silence = self._segment.speculation is not None
            if (gate.pending or gate.active) and not in_silence:
                self._segment.speech_until(min(gate.last_speech_sample, end))
            if gate.active and not in_silence and end - gate.last_speech_sample < 2 * self._conditioner.frame_samples:
                # The last frame may be incomplete: what was said in it belongs to the segment.
                self._segment.speech_until(end)
            yield from self._close_segment(end, word_places)
        if self._in_utterance:
            self._in_utterance = False
            self._order.add(UtteranceEnded(end))
            yield from self._leave()

    # ------------------------------------------------------------------------------------------------------------ wanting

    @property
    def _word_places(self) -> WordPlaces:
        return WordPlaces.AFTER if self._options.context_ms else WordPlaces.UNWANTED

    def _want_final(
        self, segment: OpenSegment, speech: tuple[Span, ...], end_sample: int, position_sample: int, word_places: WordPlaces
    ) -> Iterator[Event]:
        yield from self._drop_partial(segment)
        job = self._next_job()
        waited = max(position_sample - speech[-1].end_sample, 0)
        wanted = self._wanted(job, segment, Purpose.FINAL, end_sample, waited, speech=speech, word_places=word_places)
        self._await(job, segment, speech, end_sample, word_places)
        yield wanted

    def _await(self, job: int, segment: OpenSegment, speech: tuple[Span, ...], end_sample: int, word_places: WordPlaces) -> None:
        self._taken_sample = end_sample
        self._speech_end_sample = speech[-1].end_sample
        self._audio.closed(self._speech_end_sample)
        start = speech[0].start_sample
        self._order.add(
            Awaited(job, segment.index, start, self._speech_end_sample, segment.prefix, segment.eager_text, word_places=word_places)
        )

    def _drop_partial(self, segment: OpenSegment) -> Iterator[Event]:
        if self._partial is not None and self._partial.segment is segment:
            yield DecodeUnwanted(self._partial.job)
            self._partial = None

    def _want_partial(self) -> Iterator[Event]:
        segment = self._segment
        if segment is None or not self._options.interim_results or self._partial is not None or self._order:
            return
        if segment.speculation is not None or segment.speech_end_sample < segment.partial_due_sample:
            return
        end = self._heard_sample
        segment.partial_due_sample = end + self._partial_interval_samples
        self._partial = _PartialJob(self._next_job(), segment, end)
        yield self._wanted(self._partial.job, segment, Purpose.PARTIAL, end, end - segment.speech_end_sample)

    def _wanted(
        self,
        job: int,
        segment: OpenSegment,
        purpose: Purpose,
        end_sample: int,
        endpoint_wait_samples: int,
        *,
        speech: tuple[Span, ...] = (),
        due_samples: int = 0,
        word_places: WordPlaces = WordPlaces.UNWANTED,
    ) -> DecodeWanted:
        """A decode of the segment's audio up to `end_sample`, gone on from what was said before it when that is known."""
        window, said = self._audio.window(segment, end_sample, speech or segment.speech, all_told=not self._order)
        return DecodeWanted(job, segment.index, purpose, window, endpoint_wait_samples, said, word_places, due_samples)

    def _next_job(self) -> int:
        self._jobs += 1
        return self._jobs

    # ------------------------------------------------------------------------------------------------------------- saying

    def _show_partial(self, done: _PartialJob, hypothesis: Hypothesis) -> Iterator[Event]:
        if not hypothesis.text or done.segment is not self._segment or self._order:
            return
        segment = done.segment
        stable, unstable = segment.prefix.show(hypothesis.text, hypothesis.language)
        yield Partial(segment.index, segment.start_sample, done.end_sample, stable, unstable, hypothesis.language)

    def _leave(self) -> Iterator[Event]:
        for answer in self._order.leave():
            if not isinstance(answer, Awaited):
                yield answer
                continue
            final = answer.final
            if self._wordless is not None:
                self._audio.told(())  # the words before these are not known in time
            self._wordless = answer if answer.words_follow else None
            if answer.words_follow:
                self._audio.told_without_words()
            else:
                self._audio.told(final.hypothesis.words)
            yield final
            heard = final.hypothesis
            yield from self._settle(answer.segment, answer.eager_text, heard.text, heard.language, answer.end_sample)

    @staticmethod
    def _settle(segment: int, told: str, text: str, language: str, at_sample: int) -> Iterator[Event]:
        """An eager text stood when the text after it begins with the same words."""
        if told:
            yield EagerSettled(segment, at_sample, stood=goes_on_from(told, text, language))
