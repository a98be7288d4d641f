"""The segment that is open: where its speech is, and where to cut it when it grows too long."""

from dataclasses import dataclass

import numpy as np

from asr_server.session.context import Context
from asr_server.session.stability import StablePrefix
from asr_server.transcript import Hypothesis
from audio_norm import Samples, Span

_QUIET_STEP_SAMPLES = 320  # 20 ms


@dataclass(slots=True)
class Speculation:
    """A decode begun in the silence that the segment may end with. There is one a silence, also when it was given up."""

    job: int
    end_sample: int
    """Of the audio it was begun with."""
    hypothesis: Hypothesis | None = None
    given_up: bool = False


@dataclass(slots=True)
class Committing:
    """A decode of speech that does not pause: of what it hears all but the end is told for good, and need not be heard again."""

    job: int
    end_sample: int
    """Of the audio it was begun with."""
    hypothesis: Hypothesis | None = None
    """Heard in a silence that may be the end."""


class OpenSegment:
    """Speech since the last segment was closed. Positions are samples of the stream."""

    def __init__(self, index: int, start_sample: int, window_start_sample: int, *, is_soft: bool = False) -> None:
        self.index = index
        self.is_soft = is_soft
        """Only the gate hears it: its clock tells when it pauses."""
        self.start_sample = start_sample
        self.window_start_sample = window_start_sample
        """Where its audio begins: the silence kept before the speech, never audio of an earlier segment."""
        self.prefix = StablePrefix()
        self.partial_due_sample = start_sample
        self.context: Context | None = None
        """What its decodes go on from, once one was wanted."""
        self.speculation: Speculation | None = None
        """Of the present silence."""
        self.committing: Committing | None = None
        """Of speech that has gone on for long."""
        self.commit_due_sample = start_sample
        self.eager_text = ""
        """Told last before it is closed; empty: nothing."""
        self._spans = [Span(start_sample, start_sample)]

    @property
    def speech(self) -> tuple[Span, ...]:
        return tuple(self._spans)

    @property
    def speech_end_sample(self) -> int:
        return self._spans[-1].end_sample

    def speech_until(self, end_sample: int) -> None:
        """Speech goes on, or has gone on, up to this position."""
        last = self._spans[-1]
        if end_sample > last.end_sample:
            self._spans[-1] = Span(last.start_sample, end_sample)

    def speech_again(self, start_sample: int) -> None:
        """Speech that had paused has begun again."""
        if start_sample > self.speech_end_sample:
            self._spans.append(Span(start_sample, start_sample))

    def speech_before(self, cut_sample: int) -> tuple[Span, ...]:
        return tuple(Span(s.start_sample, min(s.end_sample, cut_sample)) for s in self._spans if s.start_sample < cut_sample)

    def speech_after(self, cut_sample: int) -> tuple[Span, ...]:
        return tuple(Span(max(s.start_sample, cut_sample), s.end_sample) for s in self._spans if s.end_sample > cut_sample)

    def rest_after(self, cut_sample: int, window_start_sample: int, index: int) -> "OpenSegment | None":
        """What is left of it behind the cut, as a segment of its own. None: nothing."""
        spans = self.speech_after(cut_sample)
        if not spans:
            return None
        rest = OpenSegment(index, spans[0].start_sample, window_start_sample, is_soft=self.is_soft)
        for span in spans:
            rest.speech_again(span.start_sample)
            rest.speech_until(span.end_sample)
        return rest

    def hand_on_eager(self, told: str, rest: "OpenSegment") -> None:
        """`told` of it is final now. If more than that was told early, whether that stood is seen with the rest."""
        if self.eager_text.startswith(told) and self.eager_text != told:
            self.eager_text, rest.eager_text = "", self.eager_text.removeprefix(told).strip()

    def best_cut(self, earliest_sample: int, samples: Samples, samples_start: int) -> int:
        """Where to close speech that does not pause: in the middle of the longest pause after `earliest_sample`, else at the quietest
        200 ms of `samples` (which begin at `samples_start`) from there on: between words more often than not."""
        pauses = [
            (after.start_sample - before.end_sample, (before.end_sample + after.start_sample) // 2)
            for before, after in zip(self._spans, self._spans[1:], strict=False)
            if before.end_sample >= earliest_sample
        ]
        if pauses:
            return max(pauses)[1]
        tail = samples[max(earliest_sample - samples_start, 0) :]
        steps = len(tail) // _QUIET_STEP_SAMPLES
        if steps < 10:
            return samples_start + len(samples)
        energy = np.square(tail[: steps * _QUIET_STEP_SAMPLES], dtype=np.float64).reshape(steps, _QUIET_STEP_SAMPLES).sum(axis=1)
        around = np.convolve(energy, np.ones(10), mode="valid")
        middle = int(np.argmin(around)) + 5
        return samples_start + len(samples) - len(tail) + middle * _QUIET_STEP_SAMPLES
