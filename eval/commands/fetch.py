"""`python -m eval fetch`."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from asr_server.errors import WrongCall
from eval.console import FAILED, GOOD, Interrupted
from eval.fetch.download import Downloader
from eval.fetch.fetching import FetchError, Plan, fetch, is_there, manifest_of
from eval.fetch.suites import SUITES, Absent, Suite
from eval.fetch.unpack import UnpackError, check_safe


def fetch_command(
    name: Annotated[str, typer.Argument(help="Which suite; --list shows those there are.")] = "",
    *,
    to: Annotated[Path, typer.Option(help="Folder in which a folder of that name is made.")] = Path("suites"),
    mirror: Annotated[str | None, typer.Option(help="Another server, http(s)://..., that has the files under the same paths.")] = None,
    list_suites: Annotated[bool, typer.Option("--list", help="Show the suites and fetch nothing.")] = False,
) -> int:
    """A public suite as a folder with a manifest. Goes on where it was interrupted. Exit code 1 when it cannot be fetched."""
    console = Console(soft_wrap=True, highlight=False, markup=False)
    if list_suites:
        console.print("\n".join(_lines()))
        return GOOD
    suite = _suite(name)
    if mirror is not None and not _is_address(mirror):
        raise WrongCall(f"--mirror {mirror}: wanted http:// or https:// and a host")
    if to.exists() and not to.is_dir():
        raise WrongCall(f"--to {to}: is not a folder")
    if is_there(suite, to):
        console.print(f"already there: {manifest_of(suite, to)}")
        return GOOD
    try:
        check_safe()  # not after gigabytes
        with Downloader(told=_say) as downloader:
            console.print(fetch(suite, to, downloader, _Shown(console), mirror=mirror))
    except (FetchError, UnpackError) as error:
        _say(str(error))
        return FAILED
    except KeyboardInterrupt:
        raise Interrupted("interrupted; the same command goes on where it was") from None
    return GOOD


def _is_address(mirror: str) -> bool:
    """Of a server. What cannot be one fails at once, not after all the patience for one that is away."""
    try:
        parts = urlsplit(mirror)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _say(line: str) -> None:
    sys.stderr.write(f"python -m eval: {' '.join(line.split())}\n")


def _suite(name: str) -> Suite:
    known = {suite.name: suite for suite in SUITES}
    if name not in known:
        what = f"no such suite: {name}" if name else "name a suite"
        raise WrongCall(f"{what}; there are {', '.join(known)}")
    return known[name]


def _lines() -> Iterator[str]:
    width = max(len(suite.name) for suite in SUITES)
    for suite in SUITES:
        sizes = [file.size_bytes for file in suite.files if file.size_bytes is not None]
        size = f"{sum(sizes) / 1e6:.0f} MB" if len(sizes) == len(suite.files) else "? MB"
        yield f"{suite.name:{width}}  {size:>7}  {suite.licence.partition(',')[0]}  {suite.title}, {suite.page}"


class _Shown:
    """Licence and size on stdout before anything large comes; bars on stderr."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def planned(self, plan: Plan) -> None:
        suite = plan.suite
        self._console.print(f"{suite.title}\nlicence: {suite.licence}\nsource: {suite.page}\ncite: {suite.citation}")
        self._console.print(f"{plan.size_bytes / 1e6:.1f} MB to fetch")

    def left_out(self, absent: Sequence[Absent]) -> None:
        if absent:
            self._console.print(f"left out, since the archive does not have them: {', '.join(one.audio for one in absent)}")

    @contextmanager
    def step(self, what: str, total_bytes: int) -> Iterator[Callable[[int], None]]:
        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task(what, total=total_bytes or None)
            yield lambda done: bar.advance(task, done)
