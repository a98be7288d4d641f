"""`python -m bench report`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench.charts import png_of
from bench.page import charts_of, page
from bench.result import read_result
from eval.console import GOOD, check_writable, write_text
from eval.page.numbers import size


def report_command(
    results: Annotated[list[Path], typer.Argument(metavar="RESULT...", help="JSON of latency, capacity or soak, in any mixture.")],
    *,
    html: Annotated[Path, typer.Option(help="Where the page goes.")],
    png: Annotated[Path | None, typer.Option(help="Where its charts go as one picture.")] = None,
) -> int:
    """Results as one HTML page that can be opened anywhere and mailed; several side by side, such as latency with 1, 2, 4 and 8 streams."""
    check_writable(html, "--html", inputs=results)
    if png is not None:
        check_writable(png, "--png", inputs=[*results, html])
    found = [read_result(path) for path in results]
    text = page(found)
    write_text(html, text)
    console = Console(soft_wrap=True, highlight=False, markup=False)
    console.print(f"{html}: {size(len(text.encode()))}")
    if png is not None:
        picture = png_of(charts_of(found))
        png.write_bytes(picture)
        console.print(f"{png}: {size(len(picture))}")
    return GOOD
