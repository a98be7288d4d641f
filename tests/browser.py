"""A real browser for tests of pages: headless Chromium that tells what its console said and what it asked for."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1200,900",
)


@dataclass(frozen=True)
class Browser:
    driver: webdriver.Chrome

    def open(self, page: Path) -> None:
        self.complaints()
        self.asked_for()
        self.driver.get(page.as_uri())

    def complaints(self) -> list[str]:
        """What the console said since the last call or `open`: errors of scripts, things the page's policy refused."""
        return [str(entry["message"]) for entry in self._log("browser")]

    def asked_for(self) -> list[str]:
        """Every address a page asked for since the last call or `open`, its own included; not what its policy stopped, and not what the
        browser's own first page asks for while it starts."""
        messages = [json.loads(str(entry["message"]))["message"] for entry in self._log("performance")]
        asked = [one["params"] for one in messages if one["method"] == "Network.requestWillBeSent"]
        failed = [one["params"] for one in messages if one["method"] == "Network.loadingFailed"]
        stopped = {one["requestId"] for one in failed if one.get("blockedReason") == "csp"}
        by_pages = (one for one in asked if not one["documentURL"].startswith(("chrome:", "chrome-untrusted:")))
        return [one["request"]["url"] for one in by_pages if one["requestId"] not in stopped]

    def _log(self, kind: str) -> list[dict[str, object]]:
        entries: list[dict[str, object]] = self.driver.get_log(kind)  # type: ignore[no-untyped-call]  # selenium has no types for it
        return entries


@contextmanager
def open_browser(profile: Path) -> Iterator[Browser]:
    """`profile`: an empty folder for what the browser keeps. Skips the test where Chromium or its driver is not installed."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("Chromium and chromedriver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*_FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield Browser(chrome)
    finally:
        chrome.quit()
