"""`--require`, the same for every command that has it: read before anything is measured, held against the result once that is written."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer
from rich.console import Console

from eval.console import FAILED, GOOD
from eval.requirement import Requirement, check, parse_requirement

RequireOption = Annotated[
    list[str] | None,
    typer.Option("--require", metavar="REQUIREMENT", help="On the JSON, such as 'wer<0.1'; may be given again. Exit code 1 when not met."),
]


def requirements_of(given: Sequence[str] | None) -> list[Requirement]:
    """Raises WrongCall for what is none."""
    return [parse_requirement(text) for text in given or ()]


def closing_with(requirements: Sequence[Requirement], result: Mapping[str, object], code: int = GOOD) -> int:
    """The exit code, `code` when all are met. Says on stderr what is not. Raises WrongCall for a path the result does not have."""
    unmet = check(requirements, result)
    for one in unmet:
        Console(stderr=True, soft_wrap=True, highlight=False, markup=False).print(f"required and not met: {one}")
    return FAILED if unmet else code
