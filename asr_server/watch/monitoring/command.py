"""`asr-server monitoring`: what Prometheus and Grafana are to be given."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
import yaml

from asr_server.errors import BadSettings
from asr_server.watch.monitoring.dashboard import dashboard
from asr_server.watch.monitoring.slo import rules

app = typer.Typer(no_args_is_help=True, help="Alerting rules for Prometheus and a dashboard for Grafana, of what the server measures.")

OutOption = Annotated[Path | None, typer.Option("--out", help="File to write; without it, standard output.")]


@app.command("rules")
def rules_command(
    *,
    out: OutOption = None,
    time_scale: Annotated[
        float, typer.Option(min=0.001, max=1.0, help="What an hour of the windows lasts, in hours: 0.01 to try alerts out in seconds.")
    ] = 1.0,
) -> None:
    """Objectives as Prometheus rules: recorded ratios, and alerts when an error budget burns too fast."""
    _write(yaml.safe_dump(rules(time_scale=time_scale), sort_keys=False, width=160), out)


@app.command("dashboard")
def dashboard_command(*, out: OutOption = None) -> None:
    """A dashboard to import into Grafana: latency by slice, accuracy, capacity."""
    _write(json.dumps(dashboard(), indent=2) + "\n", out)


def _write(text: str, out: Path | None) -> None:
    if out is None:
        sys.stdout.write(text)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadSettings(f"cannot write {out}: {error.strerror or error}") from None
