"""Charts as they stand in a page and as a picture."""

import io
import re
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from matplotlib.image import imread

from bench.charts import IN_A_PAGE, Chart, capacity_curve, distribution, png_of, soak_series, svg_of, waterfall
from bench.result import CapacityResult, LatencyResult, SoakResult, result_of
from bench.svg import inline
from tests.bench.made_results import Said, capacity, latency, soak

CLIPS = [Said(slices_ms={"queue": 5.0, "asr": 100.0 + 10 * number}) for number in range(20)]


def run_of(clips: list[Said], streams: int = 1) -> LatencyResult:
    result = result_of(latency(clips, streams=streams), "made")
    assert isinstance(result, LatencyResult)
    return result


def carried(*points: tuple[int, str], **changed: Any) -> Chart:
    result = result_of(capacity(*points, **changed), "made")
    assert isinstance(result, CapacityResult)
    return capacity_curve(result)


def soaked(**changed: object) -> Chart:
    result = result_of(soak(**changed), "made")  # type: ignore[arg-type]
    assert isinstance(result, SoakResult)
    return soak_series(result)


CHARTS = [
    distribution([run_of(CLIPS)], ["1 stream"]),
    waterfall([run_of(CLIPS), run_of(CLIPS, 4)], ["1 stream", "4 streams"]),
    carried((1, "pp"), (2, "ppf"), (3, "ii"), (4, "ff")),
    soaked(),
]


def texts(chart: Chart) -> list[str]:
    return ["".join(element.itertext()) for element in ET.fromstring(svg_of(chart)).iter() if element.tag.endswith("}text")]


def test_the_same_result_gives_the_same_bytes() -> None:
    assert [svg_of(chart) for chart in CHARTS] == [svg_of(chart) for chart in CHARTS]
    assert png_of(CHARTS) == png_of(CHARTS)


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.key)
def test_a_chart_brings_no_style_and_no_colour_of_its_own_into_a_page(chart: Chart) -> None:
    drawing = svg_of(chart)
    assert "style" not in drawing
    assert "font-family" not in drawing
    bare = set(re.findall(r'"(#[0-9a-f]{6})"', drawing))
    assert bare <= {"#000000"}
    assert not set(IN_A_PAGE) & bare


def test_two_charts_of_a_page_have_no_id_in_common() -> None:
    ids = [set(re.findall(r' id="([^"]+)"', svg_of(chart))) for chart in CHARTS]
    assert sum(map(len, ids)) == len(set().union(*ids)) > 0


def test_references_within_a_chart_lead_somewhere() -> None:
    for chart in CHARTS:
        drawing = svg_of(chart)
        ids = set(re.findall(r' id="([^"]+)"', drawing))
        assert set(re.findall(r"url\(#([^)]+)\)|href=\"#([^\"]+)\"", drawing)) <= {(one, "") for one in ids} | {("", one) for one in ids}


def test_a_chart_is_told_to_those_who_do_not_see_it() -> None:
    root = ET.fromstring(svg_of(CHARTS[0]))
    assert (root.get("role"), root.get("aria-label")) == ("img", CHARTS[0].told)


def test_the_parts_drawn_add_up_to_the_time_that_is_reported() -> None:
    """The clip at the median: VAD stop 500, queue 5, asr 190, outside 20."""
    assert run_of(CLIPS).fields["ttfs_ms"]["p50"] == 715
    written = texts(waterfall([run_of(CLIPS)], ["1 stream"]))
    assert {"715 ms", "500", "190"} <= set(written)
    assert "1000 ms" in written
    # From below: an axis counts upwards.
    assert [name for name in written if name == "planned" or "stream" in name] == ["1 stream, p95", "1 stream, p50", "planned"]


def test_an_end_of_speech_that_was_taken_too_early_begins_the_bars_before_it() -> None:
    early = [Said(outside_ms=-60.0)] * 3
    assert "595 ms" in texts(waterfall([run_of(early)], ["1 stream"]))


def test_what_a_capacity_chart_marks_has_a_name() -> None:
    assert {"kept", "broken", "cannot tell: the bench was too slow", "promised: 95 of 100 within 500 ms"} <= set(texts(CHARTS[2]))
    assert "broken" not in texts(carried((1, "pp")))


@pytest.mark.parametrize(("percentile", "shown"), [(50, {"p50"}), (90, {"p90", "p50"}), (95, {"p95", "p50"}), (99, {"p99", "p50"})])
def test_a_capacity_chart_shows_the_percentile_that_is_promised(percentile: int, shown: set[str]) -> None:
    written = texts(carried((1, "pp"), (2, "ff"), percentile=percentile))
    assert {name.removeprefix("time to final text, ") for name in written if name.startswith("time to")} == shown


def test_a_result_that_does_not_tell_the_promised_percentile_is_shown_by_its_p95() -> None:
    fields = capacity((1, "pp"), (2, "ff"), percentile=90)
    old = [{**point, "at_percentile_ms": {"lowest": 1.0, "highest": 2.0}} for point in fields["curve"]]
    assert "time to final text, p95" in texts(carried((1, "pp"), percentile=90, curve=old))


def test_what_was_not_seen_of_a_server_has_no_panel() -> None:
    unseen = [{"at_s": 1.0 * number, "resident_mb": None, "threads": None, "open_files": None, "sessions": 2} for number in range(3)]
    written = texts(soaked(samples=unseen))
    assert "sessions" in written
    assert "memory, MB" not in written


@pytest.mark.parametrize(
    "chart",
    [
        distribution([run_of([Said(lost=True)])], ["1 stream"]),
        waterfall([run_of([Said(lost=True)])], ["1 stream"]),
        carried(),
        soaked(samples=[]),
        distribution([run_of(CLIPS)] * 2, ["$x^{2}", "a\\b <i>&"]),
    ],
)
def test_nothing_measured_and_odd_names_can_be_drawn(chart: Chart) -> None:
    ET.fromstring(svg_of(chart))
    assert png_of([chart])


def test_the_picture_shows_all_charts_below_one_another() -> None:
    one, all_of_them = (imread(io.BytesIO(png_of(charts))) for charts in (CHARTS[:1], CHARTS))
    assert one.shape[1] == all_of_them.shape[1] == 1440
    assert all_of_them.shape[0] > 3 * one.shape[0]
    assert np.ptp(one[..., :3]) > 0.5


def test_a_picture_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no charts"):
        png_of([])


def test_a_drawing_loses_its_style_sheet_fonts_and_sizes() -> None:
    drawing = """<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="9" height="9" viewBox="0 0 9 9">
    <metadata>who</metadata><defs><style>*{a:b}</style><path id="m1" style="stroke: #0072b2"/></defs>
    <g id="figure_1"><use xlink:href="#m1" style="fill: red; stroke-width: 2"/>
    <text style="font: bold 9px 'Sans', serif; text-anchor: end">a &amp; b</text></g></svg>"""
    assert re.sub(r"\s*\n\s*", "", inline(drawing, key="k", label='a "label"', colours={"#0072b2": "var(--blue)"})) == (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9" role="img" aria-label="a &quot;label&quot;" class="chart">'
        '<defs><path stroke="var(--blue)" id="k-m1" /></defs><g><use fill="red" stroke-width="2" href="#k-m1" />'
        '<text font-size="9px" text-anchor="end">a &amp; b</text></g></svg>'
    )
