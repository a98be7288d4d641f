"""Word error rates as counts that add. A corpus rate comes from summed counts, never from a mean of rates.

assert count_errors("a b c", "a x c d") == ErrorCounts(substitutions=1, insertions=1, words=3)
assert count_errors("", "hello there") == ErrorCounts(insertions=2)     # nothing was said: every word heard is an insertion
assert count_errors("", "hello").rate is None                           # and there is no rate, for there is nothing to divide by
assert (count_errors("", "hello") + count_errors("a b", "a b")).rate == 0.5   # but in a corpus it counts
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, fields

from asr_server.accuracy.alignment import align


@dataclass(frozen=True, slots=True)
class ErrorCounts:
    """Errors of some hypotheses against references of `words` words in all. Frozen: a count that changes cannot be trusted."""

    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    words: int = 0
    """Words of the references."""

    def __post_init__(self) -> None:
        if any(getattr(self, field.name) < 0 for field in fields(self)):
            raise ValueError(f"counts must not be negative: {self}")
        if self.substitutions + self.deletions > self.words:
            raise ValueError(f"more words wrong or missing than there are: {self}")

    @classmethod
    def zero(cls) -> "ErrorCounts":
        """The start of a sum."""
        return cls()

    def __add__(self, other: "ErrorCounts") -> "ErrorCounts":
        return ErrorCounts(
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
            self.words + other.words,
        )

    @property
    def errors(self) -> int:
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float | None:
        """Errors a reference word, 0.08 for 8 %; above 1 when much was invented. None without reference words."""
        return self.errors / self.words if self.words else None


def count_errors(reference: str, hypothesis: str) -> ErrorCounts:
    """Errors of one hypothesis. Words are what spaces divide; normalise both sides first.

    The total is the edit distance; how it divides into substitutions, deletions and insertions is one of the shortest ways.
    """
    kinds = Counter(pair.kind for pair in align(reference, hypothesis))
    return ErrorCounts(kinds["substitute"], kinds["delete"], kinds["insert"], len(reference.split()))


def words_up_to_last_heard(reference: str, hypothesis: str) -> int:
    """How many reference words there are up to the last one that was heard at all, rightly or wrongly."""
    heard = (pair.reference_index + 1 for pair in align(reference, hypothesis) if pair.kind in {"equal", "substitute"})
    return max(heard, default=0)


def total(counts: Iterable[ErrorCounts]) -> ErrorCounts:
    return sum(counts, start=ErrorCounts.zero())
