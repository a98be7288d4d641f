"""Files fetched over HTTP: taken up where they broke off, checked before they get their name. The only importer of httpx2.

What is unfinished lies beside the target as NAME.partial, with the validator of the server's version of it in NAME.partial.version: a
download goes on only while the server still has that version (If-Range, RFC 9110 section 13.1.5), else it begins anew. A file that does
not have its size and digest never gets its name.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpx2

from eval.fetch.remote_file import Digest, RemoteFile, digest_of

# Audio does not get smaller by compression on the way, and sizes and ranges are of the bytes as they are sent.
_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "asr-server-eval"}
_WHOLE, _PART, _RANGE_NOT_SATISFIABLE = 200, 206, 416
_TRY_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
_HEX_64, _HEX_40 = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{40}")
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


class DownloadError(Exception):
    """A file that could not be fetched. One line: which, and why."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to try."""

    attempts: int = 6
    """In a row that bring nothing."""
    first_wait_s: float = 1.0
    """After the first; doubled after each further one."""
    longest_wait_s: float = 30.0
    silence_s: float = 30.0
    """Without a byte for so long, a connection counts as lost."""

    def wait_s(self, failed: int) -> float:
        """Before the next attempt, after so many in vain."""
        return float(min(self.first_wait_s * 2 ** max(failed - 1, 0), self.longest_wait_s))


PATIENT = Patience()


@dataclass(frozen=True, slots=True)
class Known:
    """What is to come, before it comes."""

    file: RemoteFile
    size_bytes: int
    digest: Digest
    published: bool
    """The digest was known ahead; else the server stated it, which tells damage from the whole but proves nothing about the server."""


class _Lost(Exception):
    """The connection, or the server for now. Worth another attempt."""


class Downloader:
    """Fetches files, one at a time. A context that closes its connections. `told` gets a line before each wait."""

    def __init__(
        self, patience: Patience = PATIENT, sleep: Callable[[float], None] = time.sleep, told: Callable[[str], None] = lambda _: None
    ) -> None:
        self._patience = patience
        self._sleep = sleep
        self._told = told
        self._client = httpx2.Client(headers=_HEADERS, follow_redirects=True, timeout=httpx2.Timeout(patience.silence_s))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def ask(self, file: RemoteFile) -> Known:
        """Size and digest, published or stated by the server. Raises DownloadError: not there, no digest, another size than published."""
        failed = 0
        while True:
            try:
                return self._ask(file)
            except _Lost as lost:
                failed += 1
                self._wait(file, failed, lost)

    def fetch(self, known: Known, target: Path, advance: Callable[[int], None] = lambda _: None) -> None:
        """Put the file at `target`; nothing is asked when it is there. `advance` gets the bytes that came, negative when they were in vain.

        Raises DownloadError; what came by then is kept for the next call, unless it is wrong.
        """
        if target.exists():
            return
        partial = _Partial(target)
        failed, had = 0, partial.size
        advance(had)
        while partial.size != known.size_bytes:
            try:
                self._go_on(known, partial, advance)
            except _Lost as lost:
                failed = failed + 1 if partial.size <= had else 0
                had = partial.size
                self._wait(known.file, failed, lost)
        found = digest_of(partial.path, known.digest.kind)
        if found != known.digest:
            partial.remove()
            raise DownloadError(f"{known.file.url}: expected {known.digest}, got {found}; what came was removed")
        partial.finish()

    def _wait(self, file: RemoteFile, failed: int, lost: _Lost) -> None:
        if failed >= self._patience.attempts:
            raise DownloadError(f"{file.url}: {lost}; gave up after {failed} attempts") from lost
        wait_s = self._patience.wait_s(failed)
        self._told(f"{file.name}: {lost}; trying again in {wait_s:g} s")
        self._sleep(wait_s)

    def _ask(self, file: RemoteFile) -> Known:
        try:
            response = self._client.head(file.url)
        except (httpx2.TransportError, httpx2.TooManyRedirects) as error:
            raise _Lost(_reason(error)) from error
        except httpx2.InvalidURL as error:
            raise DownloadError(f"{file.url}: {error}") from error
        _check_status(file, response)
        # A hub answers with a redirect to where the bytes lie, and what it knows of the file stands in that answer, not in the last.
        answers = [*response.history, response]
        size_bytes = _stated_size(answers)
        if file.size_bytes is not None and size_bytes not in {None, file.size_bytes}:
            raise DownloadError(f"{file.url}: the server has {size_bytes} bytes, {file.size_bytes} were published")
        size_bytes = file.size_bytes if file.size_bytes is not None else size_bytes
        digest = file.digest or _stated_digest(answers)
        if size_bytes is None:
            raise DownloadError(f"{file.url}: the server does not say how large the file is")
        if digest is None:
            raise DownloadError(f"{file.url}: no digest was published and the server states none, so the file could not be checked")
        return Known(file, size_bytes, digest, published=file.digest is not None)

    def _go_on(self, known: Known, partial: "_Partial", advance: Callable[[int], None]) -> None:
        headers = partial.range_headers()
        try:
            with self._client.stream("GET", known.file.url, headers=headers) as response:
                if not (headers and response.status_code == _RANGE_NOT_SATISFIABLE):
                    _check_status(known.file, response)
                self._take(known, partial, response, advance)
        except (httpx2.TransportError, httpx2.TooManyRedirects) as error:
            raise _Lost(_reason(error)) from error

    def _take(self, known: Known, partial: "_Partial", response: httpx2.Response, advance: Callable[[int], None]) -> None:
        if partial.size and not _continues(response, partial.size, known.size_bytes):
            advance(-partial.size)
            partial.remove()
            if response.status_code != _WHOLE:  # another place, or there is no such place: the whole has to be asked for
                raise _Lost("the server could not go on where it had stopped")
        partial.version = _validator(response)
        with partial.path.open("ab") as file:
            for block in response.iter_raw():
                if partial.size + len(block) > known.size_bytes:
                    file.close()
                    partial.remove()
                    raise DownloadError(f"{known.file.url}: more than the {known.size_bytes} bytes it should have; what came was removed")
                file.write(block)
                file.flush()
                advance(len(block))
        if partial.size < known.size_bytes:
            raise _Lost(f"only {partial.size} of {known.size_bytes} bytes came")


class _Partial:
    """What came of a file so far."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self.path = target.with_name(f"{target.name}.partial")
        self._version_path = target.with_name(f"{target.name}.partial.version")
        if self.version is None:
            self.remove()

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def version(self) -> str | None:
        """The server's validator of it; None: it cannot be gone on with."""
        return self._version_path.read_text(encoding="utf-8") if self._version_path.exists() else None

    @version.setter
    def version(self, validator: str | None) -> None:
        if validator is None:
            self._version_path.unlink(missing_ok=True)
        else:
            self._version_path.write_text(validator, encoding="utf-8")

    def range_headers(self) -> dict[str, str]:
        """For the rest only, and only of the same version."""
        if not self.size or self.version is None:
            self.remove()
            return {}
        return {"Range": f"bytes={self.size}-", "If-Range": self.version}

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
        self._version_path.unlink(missing_ok=True)

    def finish(self) -> None:
        """Checked: it gets its name."""
        self.path.replace(self._target)
        self._version_path.unlink(missing_ok=True)


def _check_status(file: RemoteFile, response: httpx2.Response) -> None:
    if response.status_code in _TRY_AGAIN:
        raise _Lost(f"the server answers {response.status_code} {response.reason_phrase}")
    if not response.is_success:
        raise DownloadError(f"{file.url}: the server answers {response.status_code} {response.reason_phrase}")


def _continues(response: httpx2.Response, size: int, whole: int) -> bool:
    found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    return response.status_code == _PART and found is not None and (int(found[1]), int(found[2])) == (size, whole)


def _validator(response: httpx2.Response) -> str | None:
    """Something that stands for this version byte by byte; a weak entity tag does not."""
    tag: str = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified")


def _stated_size(answers: list[httpx2.Response]) -> int | None:
    linked = [answer.headers["X-Linked-Size"] for answer in answers if "X-Linked-Size" in answer.headers]
    stated = linked[0] if linked else answers[-1].headers.get("Content-Length", "")
    return int(stated) if stated.isdecimal() else None


def _stated_digest(answers: list[httpx2.Response]) -> Digest | None:
    """As the Hugging Face hub states it: sha256 of a large file, git's name of a small one."""
    for answer in answers:
        for header in ("X-Linked-ETag", "ETag"):
            tag = answer.headers.get(header, "").removeprefix("W/").strip('"')
            if _HEX_64.fullmatch(tag):
                return Digest("sha256", tag)
            if _HEX_40.fullmatch(tag):
                return Digest("git-blob", tag)
    return None


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
