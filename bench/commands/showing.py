"""What the commands' tables and last lines have in common."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def show_reasons(console: Console, result: Mapping[str, Any]) -> None:
    """Why a run is not good."""
    for reason in result["failed_because"]:
        console.print(f"FAILED: {reason}")
    for reason in result["invalid_because"]:
        console.print(f"INVALID: {reason}")
