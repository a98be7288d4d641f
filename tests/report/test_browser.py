"""The page in a real browser: it asks no network for anything, nothing of it is refused, and what matters can be seen."""

import math
from pathlib import Path

from selenium.webdriver.common.by import By

from asr_server.report.page import page
from asr_server.report.summary import summarize
from asr_server.watch.journal.reading import Reading
from tests.browser import open_browser
from tests.watch.journal.made import corrected, quieter, segment


def a_day() -> Reading:
    """One app's microphone loses 12 dB in the afternoon."""
    rows = tuple(
        segment(
            number,
            number * 43.2,
            client="kiosk" if number % 3 else "phone",
            outcome="late" if number % 97 == 0 else "in_time",
            response_ms=620.0 if number % 97 == 0 else 5.0 + number % 40,
            endpoint_wait_ms=320.0 + 60 * math.sin(number / 90),
            profile={"loudness_lufs": -26.0 + number % 7 - (12.0 if number % 3 and number > 1_300 else 0.0), "log_probability": -0.2},
        )
        for number in range(2_000)
    )
    feedback = tuple(corrected(number, errors=number % 3) for number in range(0, 2_000, 40))
    return Reading(rows, feedback, (quieter(1_310 * 43.2, 1_300 * 43.2),), ())


def test_a_day_is_one_file_in_which_the_change_is_seen(tmp_path: Path) -> None:
    (tmp_path / "day.html").write_text(page(summarize(a_day(), 0.0, 86_400.0)), encoding="utf-8")
    with open_browser(tmp_path / "profile") as browser:
        browser.open(tmp_path / "day.html")
        assert browser.complaints() == []
        assert browser.asked_for() == [(tmp_path / "day.html").as_uri()]
        titles = [found.text for found in browser.driver.find_elements(By.TAG_NAME, "h2")]
        assert titles == ["Latency against the budget", "Accuracy", "Drift", "Worst segments"]
        assert "loudness_lufs of client kiosk: sudden, severe" in browser.driver.find_element(By.ID, "drift").text
        budget = browser.driver.find_element(By.CSS_SELECTOR, "line.budget").rect
        chart = browser.driver.find_elements(By.TAG_NAME, "svg")[1].rect
        assert chart["y"] <= budget["y"] <= chart["y"] + chart["height"]
        worst = browser.driver.find_elements(By.CSS_SELECTOR, "#worst tbody tr")
        assert len(worst) == 20
        assert "late" in (worst[0].get_attribute("class") or "")
        wide = browser.driver.execute_script("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide == 0, "nothing stands out of the window"
