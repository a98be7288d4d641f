"""The page of results: everything is on it, nothing of it is taken for markup, and nothing is asked of a network."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.by import By

from asr_server.errors import WrongCall
from bench.__main__ import main
from bench.commands.page_option import write_page
from bench.page import page_of
from eval.page.numbers import NO_BREAK, NOTHING
from tests.bench.made_results import MACHINE, SYSTEM, Said, capacity, latency, soak
from tests.browser import Browser, open_browser
from tests.eval.page.page_runs import Element, parse

HOSTILE = "</script><script>alert(1)</script><img src=http://x.example/ onerror=alert(2)>&\"'"
CLIPS = [Said(slices_ms={"queue": 5.0, "asr": 100.0 + 10 * number}, text=f"said {number}") for number in range(20)]
CURVE = [(1, "pp"), (2, "ppf"), (3, "ii"), (4, "ff")]


def text_of(*results: dict[str, Any]) -> str:
    return parse(page_of(results)).text


def row(document: Element, name: str) -> list[str]:
    """Of the first table that has one of that name."""
    rows = (one for one in document.all("tr") if any(cell.text == name for cell in one.all("th")))
    return [cell.text for cell in next(rows).children if isinstance(cell, Element)]


def test_the_figures_everybody_asks_for_first_are_on_top() -> None:
    header = next(parse(page_of([latency(CLIPS)])).all("header")).text.replace(NO_BREAK, " ")
    for figure in (
        "time to final text, 1 stream 805 ms 95 of 100 within it; half within 715, 99 within 815",
        "response 285 ms p95; p50 195",
        "floor, baseline 120, 900 ms",
        "late, lost 0, 0 of 20 finals, 20 clips",
        "word error rate 0.0 % of 40 words",
        "run valid",
        "fake on Made CPU, 2 cores avx2; code 1.0, data definition v1 (0123456789ab), CTranslate2 4.8.",
    ):
        assert figure in header


def test_a_run_that_is_not_valid_says_so_first() -> None:
    header, *_ = text_of(latency(CLIPS, valid=False, invalid_because=["it woke late"])).split("Latency Where")
    assert "NOT VALID" in header
    assert "1 stream: not valid. The bench itself was too slow to tell: it woke late." in header


def test_several_runs_stand_side_by_side_by_their_streams() -> None:
    document = parse(page_of([latency([replace(said, floor_ms=125.0) for said in CLIPS], streams=4), latency(CLIPS)]))
    assert row(document, "floor: engine alone") == ["floor: engine alone", "", "120", "120", "120", "125", "125", "125"]
    assert row(document, "what") == ["what", "1 stream", "4 streams"]
    assert row(document, "asr")[:5] == ["asr", "300", "190", "280", "290"]
    assert row(document, "response, times the floor") == ["response, times the floor", "1.62", "1.56"]


def test_runs_of_the_same_number_of_streams_are_told_apart_by_their_files(tmp_path: Path) -> None:
    paths = [tmp_path / "before.json", tmp_path / "after.json"]
    for path in paths:
        path.write_text(json.dumps(latency(CLIPS)))
    assert main(["report", *map(str, paths), "--html", str(tmp_path / "page.html")]) == 0
    assert "after (1 stream)" in (tmp_path / "page.html").read_text()


def test_every_clip_is_there_with_the_parts_of_its_time() -> None:
    lost, failed = Said(lost=True), Said(error="UNAVAILABLE: gone")
    late = Said(slices_ms={"queue": 400.0, "asr": 150.0}, wrong_words=1, lost_words=1)
    document = parse(page_of([latency([late, lost, failed])]))
    assert row(document, "clip 0")[1:12] == ["1070", "500", "550", "400", "150", "20", "120", "900", "late", "1 of 4", "1"]
    assert row(document, "clip 1")[1:4] + row(document, "clip 1")[9:10] == [NOTHING, NOTHING, NOTHING, "lost"]
    assert row(document, "clip 2")[9] == "UNAVAILABLE: gone"


def test_a_capacity_shows_every_number_of_streams_that_was_tried() -> None:
    document = parse(page_of([capacity(*CURVE)]))
    assert row(document, "2")[:5] == ["2", "kept", "400", "400", "400"]
    assert row(document, "2")[13:] == ["2 of 3 kept it", ""]
    assert row(document, "3")[1] == "cannot tell"
    assert row(document, "4")[1] == "broken"
    assert "time to final text, 95 of 100 clips: 700 ms, wanted 500" in row(document, "4")[-1]
    assert "4.00 requests a second, 22.0 seconds of speech a second" in document.text
    assert "streams carried 2 95 of 100 clips within 500 ms" in document.text


def test_a_capacity_shows_the_percentile_that_is_promised() -> None:
    document = parse(page_of([capacity(*CURVE, percentile=90)]))
    assert row(document, "streams")[2:6] == ["TTFS p50", "p90", "p95", "p99"]
    assert row(document, "2")[2:6] == ["400", "360", "400", "400"]


def test_a_soak_says_whether_the_server_grew() -> None:
    assert "soak passed" in text_of(soak())
    failed = text_of(soak(passed=False, failed_because=["memory grew by 90 MB"], not_judged=["open files: the run was too short"]))
    assert "Failed: memory grew by 90 MB." in failed
    assert "Not judged: open files: the run was too short." in failed


def test_how_it_was_measured_is_told_and_where_it_differs() -> None:
    other = latency(CLIPS, streams=2, machine={**MACHINE, "cpu": "Other CPU"}, system={**SYSTEM, "code": "1.1"})
    text = text_of(latency(CLIPS), other)
    assert "These results are of different machines or libraries: cpu." in text
    assert "These results are of different code, data definitions or weights: code." in text
    assert "weights sha256 " + "0" * 64 in text
    assert "different" not in text_of(latency(CLIPS), latency(CLIPS, streams=2))


@pytest.mark.parametrize(
    "results",
    [
        [latency([Said(text=HOSTILE, error=HOSTILE)], system={**SYSTEM, "code": HOSTILE}, valid=False, invalid_because=[HOSTILE])],
        [capacity(*CURVE, machine={**MACHINE, "cpu": HOSTILE})],
        [soak(passed=False, failed_because=[HOSTILE])],
    ],
)
def test_nothing_from_outside_is_taken_for_markup(results: list[dict[str, Any]]) -> None:
    html = page_of(results)
    document = parse(html)
    assert len(list(document.all("script"))) == 1
    assert not list(document.all("img"))
    assert HOSTILE in html.replace("&lt;", "<").replace("&gt;", ">").replace("&#34;", '"').replace("&#39;", "'").replace("&amp;", "&")


def test_the_page_asks_no_network_and_carries_no_style_that_its_policy_forbids() -> None:
    document = parse(page_of([latency(CLIPS), capacity(*CURVE), soak()]))
    for element in document.all():
        assert "style" not in element.attributes
        for name in ("src", "href", "srcset", "action"):
            assert re.match(r"#|data:|$", element.attributes.get(name, ""))
    ids = [element.attributes["id"] for element in document.all() if "id" in element.attributes]
    assert len(ids) == len(set(ids))


def test_the_same_results_give_the_same_page() -> None:
    results = [latency(CLIPS), capacity(*CURVE), soak()]
    assert page_of(results) == page_of(results)


def test_what_is_no_result_of_this_version_is_a_wrong_call() -> None:
    with pytest.raises(WrongCall, match="result 1 is not a result of this version's"):
        page_of([{"streams": 1}])
    lacks = {"floor_ms": "result 1 is not a result of this .*: it has no floor_ms", "wer": "result 1: not results of .*: .*wer"}
    for name, message in lacks.items():
        lacking = latency(CLIPS)
        del lacking[name]
        with pytest.raises(WrongCall, match=message):
            page_of([lacking])


def test_the_command_writes_a_page_and_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, fields in {"l.json": latency(CLIPS), "c.json": capacity(*CURVE), "s.json": soak()}.items():
        (tmp_path / name).write_text(json.dumps(fields))
    html, png = tmp_path / "page.html", tmp_path / "page.png"
    assert main(["report", *(str(tmp_path / name) for name in ("l.json", "c.json", "s.json")), "--html", str(html), "--png", str(png)]) == 0
    assert html.read_text().startswith("<!doctype html>")
    assert png.read_bytes().startswith(b"\x89PNG\r\n")
    assert f"{png}: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--html p.html", "Missing argument"),
        ("l.json", "'--html'"),
        ("none.json --html p.html", "cannot read none.json: No such file"),
        ("bad.json --html p.html", "bad.json is not a result of this version's `python -m bench`"),
        ("l.json --html no/p.html", "--html no/p.html: no such folder: no"),
        ("l.json --html p.html --png .", "--png .: is a folder"),
        ("l.json --html l.json", "--html l.json: is another file of this command"),
    ],
)
def test_a_wrong_call_is_one_line_and_exit_code_2(
    arguments: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("l.json").write_text(json.dumps(latency(CLIPS)))
    Path("bad.json").write_text("{}")
    assert main(["report", *arguments.split()]) == 2
    said = capsys.readouterr()
    assert (said.err.count("\n"), said.out) == (1, "")
    assert message in said.err
    assert not Path("p.html").exists()


@pytest.mark.parametrize("command", ["latency", "capacity", "soak --minutes 1"])
def test_a_page_that_cannot_be_written_is_told_before_anything_is_measured(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*command.split(), "--manifest", "none.jsonl", "--json", "o.json", "--html", "no/p.html"]) == 2
    assert "--html no/p.html: no such folder: no" in capsys.readouterr().err


def test_a_command_that_measures_writes_its_page_too(tmp_path: Path) -> None:
    write_page(tmp_path / "p.html", soak())
    assert "soak passed" in parse((tmp_path / "p.html").read_text()).text
    write_page(None, soak())


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """With a page of everything open in it."""
    with open_browser(tmp_path_factory.mktemp("profile")) as opened:
        path = tmp_path_factory.mktemp("page") / "page.html"
        path.write_text(page_of([latency(CLIPS), capacity(*CURVE), soak()]), encoding="utf-8")
        opened.open(path)
        yield opened


def test_a_browser_complains_of_nothing_and_asks_for_nothing(browser: Browser) -> None:
    assert browser.complaints() == []
    assert all(address.startswith(("file:", "data:")) for address in browser.asked_for())


def test_charts_take_their_colours_from_the_page(browser: Browser) -> None:
    charts = browser.driver.find_elements(By.CSS_SELECTOR, "svg.chart")
    assert len(charts) == 4
    for chart in charts:
        assert chart.size["height"] > 100
        assert chart.find_elements(By.CSS_SELECTOR, "text")
    blue = browser.driver.find_element(By.CSS_SELECTOR, '[stroke^="var(--chart-blue"]').value_of_css_property("stroke")
    assert blue in {"rgb(0, 114, 178)", "rgb(95, 178, 230)"}


def test_a_click_on_a_heading_sorts_the_clips(browser: Browser) -> None:
    heading = browser.driver.find_element(By.XPATH, "//section[@id='clips']//th[button='TTFS']/button")

    def times() -> list[int]:
        return [int(cell.text) for cell in browser.driver.find_elements(By.CSS_SELECTOR, "#clips tbody td:nth-child(2)")]

    heading.click()
    assert times() == sorted(times())
    heading.click()
    assert times() == sorted(times(), reverse=True)
