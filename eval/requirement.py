"""Requirements on a result, as `--require` takes them: `ttfs_ms.p95<500`, `wer <= 0.1`, `curve[0].late==0`.

A path into the result's JSON, an operator, a number. Keys are joined by dots, places of a list stand in brackets and count from 0,
or from the end when negative. A truth value counts as 1 or 0. Knows nothing of what was measured.
"""

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from asr_server.errors import WrongCall

Step = str | int
"""A key, or a place in a list."""

COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
ACCEPTED = f"wanted PATH OPERATOR NUMBER such as ttfs_ms.p95<500, with one of {' '.join(COMPARISONS)}"

_REQUIREMENT = re.compile(r"\s*(?P<path>[^<>=!]*[^<>=!\s])\s*(?P<comparison>[<>=!]+)\s*(?P<bound>[^<>=!]*)")
_KEY_AND_PLACES = re.compile(r"(?P<key>[^\[\]]+)(?P<places>(?:\[-?[0-9]{1,9}\])*)")


@dataclass(frozen=True, slots=True)
class Requirement:
    path: tuple[Step, ...]
    comparison: str
    """One of COMPARISONS."""
    bound: float

    def __str__(self) -> str:
        """What `parse_requirement` reads."""
        return f"{_named(self.path)}{self.comparison}{_number(self.bound)}"


@dataclass(frozen=True, slots=True)
class Unmet:
    """A requirement that a result does not meet. As text: one line for the user."""

    requirement: Requirement
    value: float | None
    """None when nothing was measured."""

    def __str__(self) -> str:
        found = "was not measured" if self.value is None else f"is {_number(self.value)}"
        wanted = self.requirement
        return f"{_named(wanted.path)} {found}, required: {wanted.comparison} {_number(wanted.bound)}"


def parse_requirement(text: str) -> Requirement:
    """Raises WrongCall for what is not a path, an operator and a finite number."""
    match = _REQUIREMENT.fullmatch(text)
    if match is None or match["comparison"] not in COMPARISONS:
        raise WrongCall(f"--require {text!r}: {ACCEPTED}")
    try:
        bound = float(match["bound"])
    except ValueError:
        bound = math.nan
    if not math.isfinite(bound):
        raise WrongCall(f"--require {text!r}: {match['bound'].strip()!r} is not a number; {ACCEPTED}")
    return Requirement(tuple(_steps(match["path"], text)), match["comparison"], bound)


def check(requirements: Iterable[Requirement], result: Mapping[str, object]) -> list[Unmet]:
    """Those that are not met, in the order given. A value that is null, or lies inside a null, was not measured and meets nothing.

    Raises WrongCall for a path that the result does not have, naming what it has in that place.
    """
    unmet = []
    for one in requirements:
        value = _value(one, result)
        if value is None or not COMPARISONS[one.comparison](value, one.bound):
            unmet.append(Unmet(one, value))
    return unmet


def _steps(path: str, text: str) -> Iterable[Step]:
    for part in path.split("."):
        match = _KEY_AND_PLACES.fullmatch(part.strip())
        if match is None:
            raise WrongCall(f"--require {text!r}: cannot read the path {path!r}; wanted keys with dots between, as in curve[0].ttfs_ms.p95")
        yield match["key"]
        yield from (int(place) for place in re.findall(r"-?[0-9]+", match["places"]))


def _value(requirement: Requirement, result: Mapping[str, object]) -> float | None:
    found: object = result
    for depth, step in enumerate(requirement.path):
        if found is None:
            return None
        found = _inside(found, step, requirement, depth)
    if found is None:
        return None
    if not isinstance(found, (int, float)):
        raise WrongCall(f"--require {str(requirement)!r}: {_named(requirement.path)} is not a number; {_offers(found, requirement.path)}")
    return float(found)


def _inside(found: object, step: Step, requirement: Requirement, depth: int) -> object:
    if isinstance(step, str) and isinstance(found, Mapping) and step in found:
        return found[step]
    if isinstance(step, int) and isinstance(found, (list, tuple)) and -len(found) <= step < len(found):
        return found[step]
    there = _offers(found, requirement.path[:depth])
    raise WrongCall(f"--require {str(requirement)!r}: the result has no {_named(requirement.path[: depth + 1])}; {there}")


def _offers(found: object, path: tuple[Step, ...]) -> str:
    """What there is in a place."""
    place = _named(path) if path else "the result"
    if isinstance(found, Mapping):
        return f"{place} has {', '.join(map(str, found)) or 'nothing'}"
    if isinstance(found, (list, tuple)):
        return f"{place} is a list: {place}[0] to {place}[{len(found) - 1}]" if found else f"{place} is an empty list"
    return f"{place} is {found!r}"


def _named(path: Iterable[Step]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def _number(value: float) -> str:
    return str(value).removesuffix(".0")
