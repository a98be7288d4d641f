"""A file server on the loopback that can do what real ones do: ranges, redirects, connections that break, files that change."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Served:
    """One file as the server has it. Tests change it between requests."""

    content: bytes
    headers: dict[str, str] = field(default_factory=dict)
    """Of every answer."""
    cuts: list[int] = field(default_factory=list)
    """After so many bytes the connection breaks: one entry a GET, then no more."""
    statuses: list[int] = field(default_factory=list)
    """Answered instead, one entry a request, then no more."""
    knows_ranges: bool = True
    redirect_to: str = ""
    tag: bool = True
    """Answers have an ETag: the sha256 of the content, shortened, so that it is no digest."""

    @property
    def etag(self) -> str:
        return f'"{hashlib.sha256(self.content).hexdigest()[:16]}"'


@dataclass
class FileServer:
    """What it serves, and what it was asked."""

    url: str
    files: dict[str, Served] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, path and Range of each request."""


@contextmanager
def file_server() -> Iterator[FileServer]:
    state = FileServer("")

    class Handler(_Handler):
        served = state

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    served: FileServer

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def do_HEAD(self) -> None:
        self._answer(with_content=False)

    def do_GET(self) -> None:
        self._answer(with_content=True)

    def _answer(self, *, with_content: bool) -> None:
        self.served.asked.append((self.command, self.path, self.headers.get("Range", "")))
        file = self.served.files.get(self.path)
        if file is None or file.statuses:
            self.send_response(file.statuses.pop(0) if file else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start = self._start(file)
        status = 302 if file.redirect_to else 206 if start else 200
        content = b"" if file.redirect_to else file.content[start:]
        if start is not None and start >= len(file.content) > 0:
            status, content = 416, b""
        self.send_response(status)
        for name, value in file.headers.items():
            self.send_header(name, value)
        if file.redirect_to:
            self.send_header("Location", file.redirect_to)
        if file.tag:
            self.send_header("ETag", file.etag)
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{len(file.content) - 1}/{len(file.content)}")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if with_content and content:
            self._send(content, file)

    def _start(self, file: Served) -> int:
        wanted = self.headers.get("Range", "")
        if not wanted or not file.knows_ranges or self.headers.get("If-Range", file.etag) != file.etag:
            return 0
        return int(wanted.removeprefix("bytes=").partition("-")[0])

    def _send(self, content: bytes, file: Served) -> None:
        if file.cuts:
            self.wfile.write(content[: file.cuts.pop(0)])
            self.close_connection = True
        else:
            self.wfile.write(content)
