"""`python -m eval COMMAND`. Exit codes: 0 good, 1 what was measured failed, 2 the call was wrong."""

import sys
from collections.abc import Sequence

import typer

from eval.commands.compare import compare_command
from eval.commands.fetch import fetch_command
from eval.commands.labels import labels_command
from eval.commands.noise import noise_command
from eval.commands.report import report_command
from eval.commands.robustness import robustness_command
from eval.commands.run import run_command
from eval.commands.slices import slices_command
from eval.commands.tail import tail_command
from eval.console import run_app

app = typer.Typer(
    help="How right the words are.", add_completion=False, no_args_is_help=False, pretty_exceptions_enable=False, rich_markup_mode=None
)
app.command("run")(run_command)
app.command("noise")(noise_command)
app.command("robustness")(robustness_command)
app.command("tail")(tail_command)
app.command("fetch")(fetch_command)
app.command("labels")(labels_command)
app.command("compare")(compare_command)
app.command("slices")(slices_command)
app.command("report")(report_command)


def main(arguments: Sequence[str] | None = None) -> int:
    return run_app(app, arguments, "python -m eval")


if __name__ == "__main__":
    sys.exit(main())
