"""`python -m bench COMMAND`. Exit codes: 0 good, 1 what was measured failed, 2 the call was wrong."""

import sys
from collections.abc import Sequence

import typer

from bench.commands.latency import latency_command
from eval.console import run_app

app = typer.Typer(
    help="How fast the words come.", add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None
)
app.command("latency")(latency_command)


@app.callback()
def common() -> None:
    """How fast the words come, measured from outside at the pace of speech."""


def main(arguments: Sequence[str] | None = None) -> int:
    return run_app(app, arguments, "python -m bench")


if __name__ == "__main__":
    sys.exit(main())
