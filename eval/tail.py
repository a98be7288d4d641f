"""Words missing at the end: is what was said last still there? The usual loss of streaming recognisers, invisible in a corpus rate."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from eval.wer import words_up_to_last_heard

Hypothesis = Mapping[str, Any]
"""One of the `hypotheses` in a result of `eval run`: `id`, and the normalised `ref_words` and `hyp_words`."""


@dataclass(frozen=True, slots=True)
class Tail:
    """One clip's words missing at the end, in the result under test and in the one it is held against."""

    clip: str
    missing: int
    missing_before: int
    reference_end: str
    heard_end: str


def missing_at_end(reference: str, hypothesis: str) -> int:
    """Reference words after the last one that was heard at all, rightly or wrongly.

    assert missing_at_end("a b c d", "a b") == 2
    assert missing_at_end("a b c d", "a b c x") == 0
    """
    return len(reference.split()) - words_up_to_last_heard(reference, hypothesis)


def compare(tested: Iterable[Hypothesis], against: Iterable[Hypothesis]) -> tuple[int, list[Tail]]:
    """How many clips both sides have, and those that miss more at their end than the same clips do in `against`."""
    before = {one["id"]: one for one in against}
    both = [(one, before[one["id"]]) for one in tested if one["id"] in before]
    found = []
    for one, other in both:
        missing, missing_before = missing_at_end(one["ref_words"], one["hyp_words"]), missing_at_end(other["ref_words"], other["hyp_words"])
        if missing > missing_before:
            found.append(Tail(one["id"], missing, missing_before, _end(one["ref_words"]), _end(one["hyp_words"])))
    return len(both), found


def _end(text: str) -> str:
    return " ".join(text.split()[-5:])
