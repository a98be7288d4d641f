"""`--require`, the same for every command that has it: read before anything is measured, held against the result once that is written."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import typer
from rich.console import Console

from asr_server.errors import WrongCall
from eval.console import FAILED, GOOD
from eval.requirement import Requirement, check, parse_requirement


def require_option(example: str) -> Any:  # noqa: ANN401 - the command-line library has no public name for what it is
    """`example`: such as "'wer<0.1'", one that the command's own result can be held against."""
    told = f"On the JSON, such as {example}; may be given again. Exit code 1 when not met."
    return typer.Option("--require", metavar="REQUIREMENT", help=told)


def requirements_of(given: Sequence[str] | None, fields: Collection[str]) -> list[Requirement]:
    """`fields`: what the command's result may have at its top. Raises WrongCall for what is no requirement, and for a path that begins with
    none of them."""
    requirements = [parse_requirement(text) for text in given or ()]
    for one in requirements:
        if one.path[0] not in fields:
            raise WrongCall(f"--require {str(one)!r}: the result has no {one.path[0]}; the result has {', '.join(fields)}")
    return requirements


def closing_with(requirements: Sequence[Requirement], result: Mapping[str, object], code: int = GOOD) -> int:
    """The exit code, `code` when all are met. Says on stderr what is not. Raises WrongCall for a path the result does not have."""
    unmet = check(requirements, result)
    for one in unmet:
        Console(stderr=True, soft_wrap=True, highlight=False, markup=False).print(f"required and not met: {one}")
    return FAILED if unmet else code
