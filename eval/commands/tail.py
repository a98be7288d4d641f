"""`python -m eval tail`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from eval import tail
from eval.commands.options import OptionalJsonOption
from eval.console import FAILED, GOOD, check_writable, write_json
from eval.result import read_run


def tail_command(
    tested: Annotated[Path, typer.Argument(help="JSON of a run, say --via server.")],
    against: Annotated[Path, typer.Argument(help="JSON of the run to hold it against, say --via engine on the whole clips.")],
    *,
    json: OptionalJsonOption = None,
) -> int:
    """Clips that miss more words at their end in TESTED than in AGAINST. Exit code 1 when there are any."""
    if json is not None:
        check_writable(json, inputs=[tested, against])
    compared, lost = tail.compare(read_run(tested), read_run(against))
    if json is not None:
        write_json(json, {"clips": compared, "lost": [asdict(one) for one in lost]})
    for one in lost:
        Console(soft_wrap=True, markup=False).print(
            f"{one.clip}: {one.missing} missing, {one.missing_before} before; ... {one.reference_end}"
        )
    Console().print(f"{len(lost)} of {compared} clips miss more words at their end")
    return FAILED if lost else GOOD
