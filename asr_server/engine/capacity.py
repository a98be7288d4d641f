"""Whether a machine keeps one more stream in time: at first by what decodes should cost, then by what they did.

Pure: time is passed in.
"""

import math
from dataclasses import dataclass

from asr_server.engine.correction import BESIDE_OTHERS
from asr_server.engine.cost import FULL_BEAM, CostModel
from asr_server.engine.promises import Promises
from asr_server.fading import FadingMean

_MIN_RETRY_AFTER_S, _MAX_RETRY_AFTER_S = 0.5, 30.0

_LIKELY = 1.5
"""Streams that end at any time, one in a second on average, leave a place within one second in 63 of 100 cases, within 1.5 in 78."""


@dataclass(frozen=True, slots=True)
class Caller:
    """What an average stream asks of the recogniser."""

    speech_share: float = 0.6
    """Of the time; the other side of the conversation has the rest."""
    segment_s: float = 3.0
    """Speech in a segment."""
    decodes_a_segment: float = 2.2
    """Speculative ones begun in pauses, that which becomes the final among them. Partials are not counted: they get what is left."""
    beam_size: int = FULL_BEAM
    word_times: bool = True

    def busy_share(self, cost: CostModel, margin_ms: float) -> float:
        """Of one thread's time that one such stream takes, beside others: 0.1 is a tenth."""
        decode_ms = cost.predict(self.segment_s * 1000, margin_ms, self.beam_size, word_times=self.word_times).ms * BESIDE_OTHERS
        return decode_ms / 1000 * self.decodes_a_segment / self.segment_s * self.speech_share


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """What is measured over, and how much is too much."""

    window_s: float = 10.0
    """What happened so long ago counts a third (1/e)."""
    limit: float = 0.7
    """Share of the threads' time that all streams together may take on average. 95th percentile of the time to final text, beside four
    times as many callers, by that of a light load: with 0.6 1.10, with 0.7 1.24, with 0.75 1.11 times (one run each, none late); but with
    0.6 four streams that speak all the time, with partials, are too many."""
    retry_after_s: float = 1.0
    """Between two promised places, until a stream has ended."""

    def __post_init__(self) -> None:
        if not self.window_s > 0:
            raise ValueError(f"load window_s is {self.window_s:g}, must be positive")
        if not 0 < self.limit <= 1:
            raise ValueError(f"load limit is {self.limit:g}, must be above 0 and at most 1")
        if not self.retry_after_s > 0:
            raise ValueError(f"load retry_after_s is {self.retry_after_s:g}, must be positive")


class LoadMeter:
    """How busy the recogniser is, whether one more stream fits, and when a place will be free.

    Fed with what happens, in the order of time. Not thread-safe. Feed finals and speculative decodes only: partials are
    done with what is left, and would make every machine look full.
    """

    def __init__(self, threads: int, typical_share: float, options: LoadOptions | None = None) -> None:
        """`typical_share`: of one thread's time that a stream is taken to need before it was seen, as `Caller.busy_share`."""
        self._threads = threads
        self._typical_share = typical_share
        self._options = options or LoadOptions()
        self._at_s: float | None = None
        # Sums in which what is past fades:
        self._busy_s = 0.0
        self._stream_s = 0.0
        self._streams = 0
        self._stream_lasts_s = FadingMean()
        self._promises = Promises()

    @property
    def streams(self) -> int:
        """Open at present."""
        return self._streams

    def opened(self, now_s: float) -> None:
        """A stream has begun."""
        self._pass_to(now_s)
        self._promises.end(now_s, self._apart_s)
        self._streams += 1

    def closed(self, lasted_s: float | None, now_s: float) -> None:
        """A stream is over. None: it never was one, and tells nothing of how long they last."""
        self._pass_to(now_s)
        self._streams = max(0, self._streams - 1)
        if lasted_s is not None:
            self._stream_lasts_s.add(lasted_s)

    def decoded(self, busy_ms: float, now_s: float) -> None:
        """Decodes have kept threads busy for so long in all since the last event, in equal measure: they fade, too."""
        passed_s = self._pass_to(now_s)
        self._busy_s += busy_ms / 1000 * self._left_of(passed_s)

    def utilisation(self, now_s: float) -> float:
        """Share of the threads' time that decodes took, of about the last `window_s`."""
        self._pass_to(now_s)
        return self._busy_s / (self._options.window_s * self._threads)

    def fits_one_more(self, now_s: float) -> bool:
        """Whether one more average stream leaves the average load under the limit. The first always fits.

        A stream needs what the present ones were seen to need. What is typical counts as much as one stream seen for the whole window, so
        that a rush of new streams, which have not asked for anything yet, does not look like no load at all. A place that was promised to
        somebody who comes before the next one is free is taken.
        """
        self._pass_to(now_s)
        typical_s = self._options.window_s
        share = (self._busy_s + self._typical_share * typical_s) / (self._stream_s + typical_s)
        promised = self._promises.is_near(now_s, self._apart_s)
        return self._streams == 0 or (self._streams + 1 + promised) * share <= self._options.limit * self._threads

    def refused(self, now_s: float) -> float:
        """One more was sent away: after how many seconds it is likely to find a place.

        Places become free as streams end. Each is promised once: who is refused next is sent to the place after it. Those who would have to
        wait for longer than 30 s are asked to come then, and are promised nothing.
        """
        self._pass_to(now_s)
        self._promises.end(now_s, self._apart_s)
        retry_after_s = max(self._promises.last_s(now_s) + self._apart_s - now_s, _MIN_RETRY_AFTER_S)
        if retry_after_s > _MAX_RETRY_AFTER_S:
            return _MAX_RETRY_AFTER_S
        self._promises.add(now_s + retry_after_s)
        return retry_after_s

    @property
    def _apart_s(self) -> float:
        """Between two places that become free."""
        if not self._stream_lasts_s:
            return self._options.retry_after_s
        return _LIKELY * self._stream_lasts_s.value / max(1, self._streams)

    def _left_of(self, spent_s: float) -> float:
        """The part that has not faded of what was spread over the last `spent_s`."""
        if spent_s <= 0:
            return 1.0
        return -math.expm1(-spent_s / self._options.window_s) * self._options.window_s / spent_s

    def _pass_to(self, now_s: float) -> float:
        """Returns how long it is since the last event."""
        before_s = now_s if self._at_s is None else self._at_s
        self._at_s = max(before_s, now_s)
        window_s = self._options.window_s
        kept = math.exp((before_s - self._at_s) / window_s)
        self._busy_s *= kept
        self._stream_s = self._stream_s * kept + self._streams * window_s * (1 - kept)
        return self._at_s - before_s
