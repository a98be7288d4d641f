"""Whether what is heard is recognised worse than it was, by the texts that users have corrected. Pure; words are counted, not seconds.

ADWIN (Bifet and Gavalda, "Learning from Time-Changing Data with Adaptive Windowing", SDM 2007) on one value a word, 1 for an error, over
all segments and client by client: two stretches of words are told apart when their error rates differ by more than chance allows.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from river.drift import ADWIN

from asr_server.accuracy.wer import ErrorCounts

ALL = ("all", "")
MAX_SLICES = 64
LEAST_WORDS = 200
"""For which a slice that became worse is told so."""
DELTA = 0.002
"""How sure: the library's default, since a value a word is plenty."""


@dataclass(slots=True)
class _Watched:
    adwin: ADWIN = field(default_factory=lambda: ADWIN(delta=DELTA))  # type: ignore[no-untyped-call]
    words: int = 0
    worse: bool = False
    before: float = 0.0
    """Error rate of the words that were let go of when it became worse."""
    since: int = 0
    """Words since then."""
    peak: float = 0.0
    """The highest rate since then."""


class ConceptWatch:
    """Not thread-safe."""

    def __init__(self) -> None:
        self._slices: dict[tuple[str, str], _Watched] = {}

    def push(self, errors: ErrorCounts, labels: Mapping[str, str]) -> None:
        """One more segment of which the right text is known, with its errors."""
        for one in (ALL, *labels.items()):
            if one not in self._slices and len(self._slices) >= MAX_SLICES:
                continue
            watched = self._slices.setdefault(one, _Watched())
            for value in _spread(errors):
                self._push(watched, value)

    @property
    def worse(self) -> tuple[tuple[str, str], ...]:
        """Slices whose error rate has risen, and has not come down by half of that."""
        return tuple(one for one, watched in tuple(self._slices.items()) if watched.worse)

    def error_rate(self, one: tuple[str, str] = ALL) -> float | None:
        """Of the last words, as far back as they are alike. None before the first."""
        watched = self._slices.get(one)
        return float(watched.adwin.estimation) if watched is not None and watched.words else None

    @staticmethod
    def _push(watched: _Watched, value: float) -> None:
        before = float(watched.adwin.estimation)
        watched.adwin.update(value)  # type: ignore[no-untyped-call]
        watched.words += 1
        now = float(watched.adwin.estimation)
        if watched.worse:
            watched.peak = max(watched.peak, now)
            watched.since += 1
            watched.worse = watched.since < LEAST_WORDS or now > (watched.before + watched.peak) / 2
        elif watched.adwin.drift_detected and now > before:
            watched.worse, watched.before, watched.peak, watched.since = True, before, now, 0


def _spread(errors: ErrorCounts) -> Iterator[float]:
    """Errors evenly among the words; what was made up counts as a word, too."""
    total = errors.words + errors.insertions
    for number in range(total):
        yield float((number + 1) * errors.errors // total - number * errors.errors // total)
