"""Fields of a JSON object, each read as what it has to be. Pure. All raise ValueError, naming the field, for one that is missing or is
anything else."""

from collections.abc import Iterable, Mapping
from typing import Any

from bench.quantiles import Quantiles, quantiles

LARGEST = 2**53
"""Up to here all readers of JSON take a number for the same one (RFC 8259, 6)."""
SHARES = tuple(quantiles([]))


def value(fields: object, name: str) -> Any:  # noqa: ANN401 - whatever JSON has there
    if not isinstance(fields, Mapping):
        raise _wrong(name, "fields around it", fields)
    if name not in fields:
        raise ValueError(f"it has no {name}")
    return fields[name]


def number(fields: object, name: str, *, least: float = -LARGEST) -> float:
    found = value(fields, name)
    # True is a number to Python; NaN is not between any two.
    if isinstance(found, bool) or not isinstance(found, (int, float)) or not least <= found <= LARGEST:
        raise _wrong(name, "a number" if least < 0 else f"a number from {least:g} on", found)
    return float(found)


def measured(fields: object, name: str, *, least: float = -LARGEST) -> float | None:
    """JSON's null is nothing measured."""
    return None if value(fields, name) is None else number(fields, name, least=least)


def count(fields: object, name: str) -> int:
    found = value(fields, name)
    if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found <= LARGEST:
        raise _wrong(name, "a count", found)
    return found


def flag(fields: object, name: str) -> bool:
    found = value(fields, name)
    if not isinstance(found, bool):
        raise _wrong(name, "true or false", found)
    return found


def text(fields: object, name: str) -> str:
    found = value(fields, name)
    if not isinstance(found, str):
        raise _wrong(name, "a text", found)
    return found


def rows(fields: object, name: str) -> list[Any]:
    found = value(fields, name)
    if not isinstance(found, list):
        raise _wrong(name, "a list", found)
    return found


def texts(fields: object, name: str) -> tuple[str, ...]:
    return tuple(map(str, rows(fields, name)))


def group(fields: object, name: str, wanted: Iterable[str] = ()) -> Mapping[str, Any]:
    """Fields within a field; those that are `wanted` have to be there."""
    found = value(fields, name)
    for one in wanted:
        value(found, one)
    if not isinstance(found, Mapping):
        raise _wrong(name, "fields", found)
    return found


def numbers(fields: object, name: str) -> Mapping[str, float]:
    found = group(fields, name)
    return {one: number(found, one) for one in found}


def times(fields: object, name: str) -> Quantiles:
    found = group(fields, name)
    return {share: measured(found, share) for share in SHARES}


def _wrong(name: str, wanted: str, found: object) -> ValueError:
    shown = f"{found!r:.40}" if found is None or isinstance(found, (bool, int, float, str)) else type(found).__name__
    return ValueError(f"{name}: wanted {wanted}, got {shown}")
