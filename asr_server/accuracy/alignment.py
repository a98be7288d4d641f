"""Reference and hypothesis word by word: which word was heard as which. The only importer of jiwer."""

from dataclasses import dataclass
from typing import Literal, cast

import jiwer

Kind = Literal["equal", "substitute", "delete", "insert"]


@dataclass(frozen=True, slots=True)
class Pair:
    """One step of an alignment. Of an insertion `reference` is "", of a deletion `hypothesis`."""

    kind: Kind
    reference: str
    hypothesis: str
    reference_index: int
    """Of the reference word; of an insertion the reference words before it."""
    hypothesis_index: int
    """Of the hypothesis word; of a deletion the hypothesis words before it."""


def align(reference: str, hypothesis: str) -> tuple[Pair, ...]:
    """A shortest way from one to the other, in order. Words are what spaces divide; normalise both sides first."""
    said, heard = reference.split(), hypothesis.split()
    if not said:
        return tuple(Pair("insert", "", word, 0, index) for index, word in enumerate(heard))
    pairs: list[Pair] = []
    for chunk in jiwer.process_words(" ".join(said), " ".join(heard)).alignments[0]:
        for offset in range(max(chunk.ref_end_idx - chunk.ref_start_idx, chunk.hyp_end_idx - chunk.hyp_start_idx)):
            inserted, deleted = chunk.type == "insert", chunk.type == "delete"
            at, found_at = chunk.ref_start_idx + offset * (not inserted), chunk.hyp_start_idx + offset * (not deleted)
            pairs.append(Pair(cast(Kind, chunk.type), "" if inserted else said[at], "" if deleted else heard[found_at], at, found_at))
    return tuple(pairs)
