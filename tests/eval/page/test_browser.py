"""The page in a real browser: it sorts, it filters, it plays, and it asks no network for anything."""

from collections.abc import Iterator

import pytest
import soundfile
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from asr_server.accuracy.manifest import Clip
from eval.compare.comparison import compare
from eval.page.audio import sound_of
from eval.page.page import page
from tests.browser import Browser, open_browser
from tests.eval.page.page_runs import RECORDING, outcome, write

CLIPS = {
    "deleted": ("a good day to sail", "a good day", "sea"),
    "substituted": ("<b>fine</b> weather", "wine weather", "sea"),
    "inserted": ("home again", "home again and away" + "y" * 200, "land"),
}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """With the page of three clips open in it, one error kind each; all three were right before."""
    with open_browser(tmp_path_factory.mktemp("profile")) as opened:
        folder = tmp_path_factory.mktemp("page")
        run = write(folder / "run.json", *(outcome(name, said, heard, set_name=where) for name, (said, heard, where) in CLIPS.items()))
        before = write(folder / "old.json", *(outcome(name, said, said, set_name=where) for name, (said, _, where) in CLIPS.items()))
        sounds = {name: sound_of(Clip(name, RECORDING, said), said) for name, (said, _, _) in CLIPS.items()}
        (folder / "run.html").write_text(page(run, sounds, comparison=compare(before, run)), encoding="utf-8")
        opened.open(folder / "run.html")
        yield opened


def shown(browser: Browser) -> list[str]:
    return [
        article.find_element(By.TAG_NAME, "h3").text
        for article in browser.driver.find_elements(By.CSS_SELECTOR, "#clips article")
        if article.is_displayed()
    ]


def first_column(browser: Browser) -> list[str]:
    return [cell.text for cell in browser.driver.find_elements(By.CSS_SELECTOR, "#sets tbody th")]


def test_nothing_is_asked_of_a_network_and_the_console_is_silent(browser: Browser) -> None:
    asked = browser.asked_for()
    assert asked
    assert {address.partition(":")[0] for address in asked} <= {"file", "data"}
    assert browser.complaints() == []


def test_a_click_on_a_heading_sorts_and_a_second_one_turns_it_round(browser: Browser) -> None:
    assert first_column(browser) == ["land", "sea"]
    words = browser.driver.find_element(By.XPATH, "//section[@id='sets']//th/button[.='words']")
    words.click()
    assert first_column(browser) == ["land", "sea"]
    words.click()
    assert first_column(browser) == ["sea", "land"]
    assert words.find_element(By.XPATH, "..").get_attribute("aria-sort") == "descending"
    browser.driver.find_element(By.XPATH, "//section[@id='sets']//th/button[.='set']").click()
    assert first_column(browser) == ["land", "sea"]


def test_clips_are_filtered_by_text_by_set_and_by_kind_of_error(browser: Browser) -> None:
    assert shown(browser) == ["inserted", "deleted", "substituted"]
    search = browser.driver.find_element(By.NAME, "search")
    search.send_keys("HOME away")
    assert shown(browser) == ["inserted"]
    assert browser.driver.find_element(By.TAG_NAME, "output").text == "1 of 3 shown"
    search.clear()
    search.send_keys(" ")
    Select(browser.driver.find_element(By.NAME, "set")).select_by_visible_text("sea")
    assert shown(browser) == ["deleted", "substituted"]
    Select(browser.driver.find_element(By.NAME, "kind")).select_by_value("S")
    assert shown(browser) == ["substituted"]
    Select(browser.driver.find_element(By.NAME, "set")).select_by_value("")
    Select(browser.driver.find_element(By.NAME, "kind")).select_by_value("")
    assert len(shown(browser)) == 3


def test_a_recording_can_be_played_from_inside_the_page(browser: Browser) -> None:
    def durations_s() -> list[float | None]:
        """None: not known yet."""
        found = browser.driver.execute_script("return [...document.querySelectorAll('audio')].map((one) => one.duration)")
        return [None if duration is None else float(duration) for duration in found]

    WebDriverWait(browser.driver, 30).until(lambda _: all(durations_s()))
    assert durations_s() == [pytest.approx(soundfile.info(RECORDING).duration)] * 3


def test_texts_with_markup_in_them_stay_texts(browser: Browser) -> None:
    assert not browser.driver.find_elements(By.TAG_NAME, "b")
    browser.driver.execute_script("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert "<b>fine</b> weather" in browser.driver.find_element(By.TAG_NAME, "body").text


@pytest.mark.parametrize(("medium", "width"), [("screen", 400), ("screen", 1200), ("print", 700)])
def test_the_page_is_never_wider_than_screen_or_paper(browser: Browser, medium: str, width: int) -> None:
    """700 pixels are what a sheet of A4 or letter has between its margins."""
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": medium})
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    found = browser.driver.execute_script("return [innerWidth, document.documentElement.scrollWidth]")
    browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert found[0] == width
    assert found[1] <= width


def test_the_policy_refuses_scripts_styles_and_pictures_from_elsewhere(browser: Browser) -> None:
    """What could only come in by mistake does nothing: a picture from a network, a script, a style in an attribute."""
    refused = browser.driver.execute_async_script(
        """
        const done = arguments[arguments.length - 1], refused = [];
        document.addEventListener("securitypolicyviolation", (event) => {
          refused.push(event.effectiveDirective);
          if (refused.length === 3) done(refused);
        });
        document.body.insertAdjacentHTML("beforeend", '<img src="http://127.0.0.1:9/x.png"><i style="color: red"></i>');
        const script = document.createElement("script");
        script.textContent = "window.taken = true";
        document.body.append(script);
        """
    )
    assert sorted(refused) == ["img-src", "script-src-elem", "style-src-attr"]
    assert browser.driver.execute_script("return window.taken") is None
    assert not [address for address in browser.asked_for() if address.startswith("http")]
    browser.complaints()
