"""Words missing at the end: is what was said last still there? The usual loss of streaming recognisers, invisible in a corpus rate."""

from dataclasses import dataclass

from asr_server.accuracy.wer import words_up_to_last_heard
from eval.compare.comparison import in_both
from eval.result import RunResult


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


def compare(tested: RunResult, against: RunResult) -> tuple[int, list[Tail]]:
    """How many clips both runs have, and those that miss more at their end than the same clips do in `against`.

    Raises WrongCall for runs that cannot be compared.
    """
    both = in_both(tested, against)
    found = []
    for clip, before in both:
        missing, missing_before = (missing_at_end(one.reference_words, one.hypothesis_words) for one in (clip, before))
        if missing > missing_before:
            found.append(Tail(clip.id, missing, missing_before, _end(clip.reference_words), _end(clip.hypothesis_words)))
    return len(both), found


def _end(text: str) -> str:
    return " ".join(text.split()[-5:])
