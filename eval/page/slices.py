"""Slices as rows of a page: slices of the very same clips are one row with several names."""

from collections.abc import Sequence
from dataclasses import dataclass

from eval.slices.slicing import Slice


@dataclass(frozen=True, slots=True)
class Name:
    """Of a slice; `dimension` is "" where the slice's own name tells it."""

    dimension: str
    slice: str


@dataclass(frozen=True, slots=True)
class ShownSlice:
    names: tuple[Name, ...]
    one: Slice


def merged(slices: Sequence[Slice]) -> tuple[ShownSlice, ...]:
    """In the order they come."""
    same: dict[frozenset[str], list[Slice]] = {}
    for one in slices:
        same.setdefault(frozenset(one.clip_ids), []).append(one)
    return tuple(ShownSlice(tuple(_name(one) for one in of_same), of_same[0]) for of_same in same.values())


def _name(one: Slice) -> Name:
    dimension = one.dimension.replace("_", " ")
    return Name("" if one.slice.lower().startswith(dimension) else dimension, one.slice)
