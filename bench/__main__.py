"""`python -m bench COMMAND`. Exit codes: 0 good, 1 what was measured failed, 2 the call was wrong."""

import sys
from collections.abc import Sequence

import typer

from bench.commands.capacity import capacity_command
from bench.commands.compare import compare_command
from bench.commands.curve import curve_command
from bench.commands.day import day_command
from bench.commands.drift import drift_command
from bench.commands.idle import idle_command
from bench.commands.latency import latency_command
from bench.commands.overhead import overhead_command
from bench.commands.overload import overload_command
from bench.commands.report import report_command
from bench.commands.soak import soak_command
from eval.console import run_app

app = typer.Typer(
    help="How fast the words come.", add_completion=False, no_args_is_help=False, pretty_exceptions_enable=False, rich_markup_mode=None
)
app.command("latency")(latency_command)
app.command("capacity")(capacity_command)
app.command("curve")(curve_command)
app.command("soak")(soak_command)
app.command("idle")(idle_command)
app.command("overload")(overload_command)
app.command("overhead")(overhead_command)
app.command("day")(day_command)
app.command("drift")(drift_command)
app.command("compare")(compare_command)
app.command("report")(report_command)


@app.callback()
def common() -> None:
    """How fast the words come, measured from outside at the pace of speech."""


def main(arguments: Sequence[str] | None = None) -> int:
    return run_app(app, arguments, "python -m bench")


if __name__ == "__main__":
    sys.exit(main())
