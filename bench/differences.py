"""What two results were measured on, by and how: where that differs. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bench.result import MACHINE, CapacityResult, LatencyResult
from eval.compare.systems import SystemDifference

Timed = LatencyResult | CapacityResult


def differences(before: Timed, after: Timed) -> Iterator[SystemDifference]:
    """Code, data definition, release, and the machine and libraries under them."""
    for one, other in ((before.system, after.system), (before.machine, after.machine)):
        flat_one, flat_other = _flat(one), _flat(other)
        for name in dict.fromkeys((*flat_one, *flat_other)):
            if flat_one.get(name) != flat_other.get(name) and name != "load_average":
                yield SystemDifference(name, flat_one.get(name, ""), flat_other.get(name, ""))


def same_machine(before: Timed, after: Timed) -> bool:
    return not different(before.machine, after.machine, MACHINE)


def machine_notes(before: Timed, after: Timed) -> Iterator[str]:
    for name in different(before.machine, after.machine, MACHINE):
        yield f"another machine: {name} {shown(before.machine[name])}, then {shown(after.machine[name])}"


def setup_notes(before: Timed, after: Timed, noted: Mapping[str, str]) -> Iterator[str]:
    """`noted`: settings, and what a reader knows them by."""
    for name in different(before.setup, after.setup, noted):
        yield f"{noted[name]}: {said(before.setup[name])}, then {said(after.setup[name])}"


def different(one: Mapping[str, Any], other: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    return [name for name in names if one[name] != other[name]]


def said(setting: object) -> str:
    """A setting for a sentence: "" is one that is not known."""
    return shown(setting) or "not known"


def shown(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, Mapping):
        return " ".join(f"{name} {part}" for name, part in value.items())
    if value is None:
        return "none"
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _flat(fields: Mapping[str, Any], above: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in fields.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{above}{name}.")
        else:
            flat[f"{above}{name}"] = shown(value)
    return flat
