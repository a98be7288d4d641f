"""The dashboard, as far as Grafana is not needed to look at it; its queries are asked of a real Prometheus in `test_prometheus`."""

from itertools import combinations

from asr_server.watch.monitoring.dashboard import dashboard

PANELS = dashboard()["panels"]


def test_no_two_panels_are_at_the_same_place_or_of_the_same_number() -> None:
    boxes = [panel["gridPos"] for panel in PANELS]
    for one, other in combinations(boxes, 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, (one, other)
    assert all(box["x"] + box["w"] <= 24 for box in boxes)
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)


def test_every_panel_asks_for_something_of_the_service_that_was_chosen() -> None:
    queries = [target["expr"] for panel in PANELS if panel["type"] != "row" for target in panel["targets"]]
    assert len(queries) > 15
    assert all('service_name=~"$service"' in query for query in queries)


def test_latency_accuracy_drift_and_capacity_have_a_row_each() -> None:
    rows = [panel["title"] for panel in PANELS if panel["type"] == "row"]
    assert rows == ["Latency", "Accuracy", "What users say, and golden clips", "Drift", "Capacity"]
