"""Whether what is heard is recognised worse than it was, by texts that are known to be right. Pure; words are counted, not seconds.

ADWIN (Bifet and Gavalda, "Learning from Time-Changing Data with Adaptive Windowing", SDM 2007) on one value a word, 1 for an error, over
all segments and slice by slice: two stretches of words are told apart when their error rates differ by more than chance allows. A slice
that became worse stays so until the rate of its last words has come down by half of what it rose.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from river.drift import ADWIN

from asr_server.accuracy.wer import ErrorCounts

ALL = ("all", "")
MAX_SLICES = 64
MAX_WORDS = 500
"""Of one segment so many count, with its error rate: a text comes from outside, and may be of any length."""
RECENT_WORDS = 400
DELTA = 1e-6
"""How sure. Far below the library's 0.002, since words of a segment are misheard together: of 162 clips in random order, 20 times 500 and
three slices, 60 false alarms with 0.002, 14 with 1e-4, 3 with 1e-6. A new name in place of every fifth word is found after 6, 7 and 10
clips."""

Slice = tuple[str, str]


@dataclass(frozen=True, slots=True)
class RateChange:
    """The error rate of a slice has risen, or has come down again."""

    slice: Slice
    is_back: bool
    before: float
    now: float


@dataclass(slots=True)
class _Watched:
    adwin: ADWIN = field(default_factory=lambda: ADWIN(delta=DELTA))  # type: ignore[no-untyped-call]
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT_WORDS))
    words: int = 0
    errors: float = 0.0
    """Both since ADWIN last began anew."""
    risen: tuple[float, float] | None = None
    """While it is worse: the rate before, and the rate that was found then."""


class ConceptWatch:
    """Not thread-safe, but for `worse`."""

    def __init__(self) -> None:
        self._slices: dict[Slice, _Watched] = {}
        self._worse: frozenset[Slice] = frozenset()

    def push(self, errors: ErrorCounts, labels: Mapping[str, str]) -> Iterator[RateChange]:
        """One more segment of which the right text is known, with its errors; what changed with it."""
        for one in (ALL, *labels.items()):
            if one not in self._slices and len(self._slices) >= MAX_SLICES:
                continue
            watched = self._slices.setdefault(one, _Watched())
            for value in _spread(errors):
                change = _pushed(watched, value, one)
                if change is not None:
                    self._worse = self._worse - {one} if change.is_back else self._worse | {one}
                    yield change

    @property
    def worse(self) -> frozenset[Slice]:
        """Slices whose error rate has risen, and has not come down again. May be read from any thread."""
        return self._worse

    def error_rate(self, one: Slice = ALL) -> float | None:
        """Of the last words. None before the first."""
        watched = self._slices.get(one)
        return _rate(watched.recent) if watched is not None and watched.recent else None


def _pushed(watched: _Watched, value: float, one: Slice) -> RateChange | None:
    watched.adwin.update(value)  # type: ignore[no-untyped-call]
    watched.recent.append(value)
    watched.words += 1
    watched.errors += value
    if watched.risen is not None:
        before, found = watched.risen
        now = _rate(watched.recent)
        if watched.words >= RECENT_WORDS and now <= (before + found) / 2:
            watched.risen = None
            return RateChange(one, is_back=True, before=before, now=now)
    if not watched.adwin.drift_detected:
        return None
    # What is left in its window is what differs from all that came before it. With the next value it begins anew.
    width, now = float(watched.adwin.width), float(watched.adwin.estimation)
    old_words = watched.words - width
    before = (watched.errors - now * width) / old_words if old_words > 0 else now
    watched.words, watched.errors = 0, 0.0
    if watched.risen is not None or now <= before:
        return None
    watched.risen = (before, now)
    return RateChange(one, is_back=False, before=before, now=now)


def _rate(values: deque[float]) -> float:
    return sum(values) / len(values)


def _spread(errors: ErrorCounts) -> Iterator[float]:
    """Errors evenly among the words; what was made up counts as a word, too."""
    total = errors.words + errors.insertions
    count = min(total, MAX_WORDS)
    for number in range(count):
        yield float((number + 1) * errors.errors // total - number * errors.errors // total) if count == total else errors.errors / total
