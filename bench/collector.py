"""What a watched server tells, taken by somebody who only counts it: OTLP over HTTP, and a Prometheus that asks every few seconds."""

import asyncio
import threading
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SCRAPE_EVERY_S = 5.0
SCRAPE_TIMEOUT_S = 5.0


@dataclass(slots=True)
class Taken:
    """Bytes by what they were, so that a run in which nothing was told is seen."""

    traces: int = 0
    metrics: int = 0
    scraped: int = 0
    scrapes_failed: int = 0


@contextmanager
def collector(taken: Taken) -> Iterator[str]:
    """Its address, as `OTEL_EXPORTER_OTLP_ENDPOINT` wants it."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = len(self.rfile.read(int(self.headers.get("Content-Length", 0))))
            if self.path == "/v1/traces":
                taken.traces += length
            elif self.path == "/v1/metrics":
                taken.metrics += length
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its base's name
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, name="collector", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@asynccontextmanager
async def scraping(address: str, taken: Taken, every_s: float = SCRAPE_EVERY_S) -> AsyncIterator[None]:
    """As a Prometheus does it, for as long as this is open. `address`: host:port."""

    async def scrape() -> None:
        while True:
            try:
                taken.scraped += await asyncio.to_thread(_get, f"http://{address}/metrics")
            except (urllib.error.URLError, TimeoutError, ConnectionError):
                taken.scrapes_failed += 1
            await asyncio.sleep(every_s)

    scraper = asyncio.create_task(scrape(), name="scraper")
    try:
        yield
    finally:
        scraper.cancel()
        await asyncio.wait([scraper])


def _get(url: str) -> int:
    with urllib.request.urlopen(url, timeout=SCRAPE_TIMEOUT_S) as answer:  # noqa: S310 - an address of our own
        return len(answer.read())
