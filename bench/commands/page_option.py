"""`--html`, the same for every command that measures: the result as a page, beside its JSON."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.page import page_of
from eval.console import check_writable, write_text

HtmlOption = Annotated[Path | None, typer.Option("--html", help="Where the result goes as a page; `report` makes one of several results.")]


def check_page(html: Path | None, *, inputs: Iterable[Path] = ()) -> None:
    """Before anything is measured. Raises WrongCall where no page can be written. `inputs`: the other files of the same command."""
    if html is not None:
        check_writable(html, "--html", inputs=inputs)


def write_page(html: Path | None, result: Mapping[str, Any]) -> None:
    """`result`: as it goes into JSON. The page is made of what a reader of that file would have, lists for tuples and all."""
    if html is not None:
        write_text(html, page_of([json.loads(json.dumps(result))]))
