"""Metrics as the library hands them out, and as a Prometheus scrapes them."""

import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client.parser import text_string_to_metric_families

from asr_server.errors import BadSettings
from asr_server.watch import attributes as names
from asr_server.watch.observer import Observer, SegmentRecord, Stage
from asr_server.watch.telemetry import Count, Gauge, Telemetry, TelemetryOptions, open_telemetry
from asr_server.watch.telemetry.metrics import SECONDS

METHOD = "/asr.v1.Speech/StreamingRecognize"
OPTIONS = TelemetryOptions(version="1.2.3")
OF_CALL = {"asr.encoding": "LINEAR16"}
OF_SEGMENT = {**OF_CALL, "asr.model": "base", "asr.data_definition": "v1", "asr.language": "en"}

SEGMENT = SegmentRecord(
    index=0,
    start_s=11.0,
    end_s=11.25,
    stages=(
        Stage("condition", 11.0, 11.002, {names.SLICE_SPENT_MS: 2.0}),
        Stage("condition", 11.002, 11.003, {names.SLICE_SPENT_MS: 1.0}),
        Stage("asr", 11.003, 11.203, {names.SLICE_SPENT_MS: 150.0, names.RTF: 0.08}),
    ),
    attributes={
        names.MODEL: "base",
        names.DATA_DEFINITION: "v1",
        names.LANGUAGE: "en",
        names.AUDIO_S: 2.5,
        names.TOKENS: 12,
        names.WORDS: 9,
        names.BATCH_SIZE: 2,
        names.GUARD: "cut",
        names.STABLE_OVERRULED: True,
        names.RESPONSE_MS: 160.0,
        names.ENDPOINT_WAIT_MS: 300.0,
        names.PREDICTED_MS: 160.0,
        names.LATE: False,
        names.DEGRADED: ("beam", "model"),
    },
    text="never in a metric",
)


@pytest.fixture
def reader() -> InMemoryMetricReader:
    return InMemoryMetricReader()


@pytest.fixture
def telemetry(reader: InMemoryMetricReader) -> Iterator[Telemetry]:
    opened = Telemetry(OPTIONS, [], readers=[reader])
    yield opened
    opened.shutdown()


def changed(record: SegmentRecord, **attributes: Any) -> SegmentRecord:
    return replace(record, attributes={**record.attributes, **attributes})


def report(observer: Observer, *records: SegmentRecord, status: str = "OK") -> None:
    call = observer.call(METHOD, {"user": "somebody"}, 10.0)
    call.describe({names.ENCODING: "LINEAR16", names.SESSION: 7, names.SAMPLE_RATE_HZ: 16_000})
    call.event(names.EVENT_SPEECH_STARTED, {names.POSITION_S: 0.1}, 10.1)
    call.event(names.EVENT_PARTIAL, {names.STABLE_CHARS: 3}, 10.5)
    call.event(names.EVENT_PARTIAL, {names.STABLE_CHARS: 5}, 10.8)
    call.event(names.EVENT_EAGER, {}, 10.9)
    call.event(names.EVENT_EAGER_STOOD, {}, 10.95)
    call.event(names.EVENT_DECODE_FAILED, {names.PURPOSE: "partial"}, 10.96)
    call.event(names.EVENT_SPEECH_ENDED, {}, 11.0)
    for record in records:
        call.segment(record)
    call.event(names.EVENT_PARTIAL, {names.STABLE_CHARS: 1}, 14.0)
    call.close(status, "a message with a secret", 15.0)


def measured(reader: InMemoryMetricReader) -> dict[str, list[Any]]:
    data = reader.get_metrics_data()
    assert data is not None
    return {
        metric.name: list(metric.data.data_points)
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


def the_only(points: list[Any]) -> tuple[Any, dict[str, Any]]:
    (point,) = points
    return (point.value if hasattr(point, "value") else point.sum), dict(point.attributes)


def test_a_final_is_counted_with_what_it_spent(telemetry: Telemetry, reader: InMemoryMetricReader) -> None:
    report(telemetry, SEGMENT)
    seen = measured(reader)

    assert the_only(seen["asr.segments"]) == (1, {**OF_SEGMENT, "asr.outcome": "in_time"})
    assert the_only(seen["asr.response.duration"]) == (pytest.approx(0.16), OF_SEGMENT)
    assert the_only(seen["asr.time_to_final.duration"]) == (pytest.approx(0.46), OF_SEGMENT)
    assert the_only(seen["asr.recognition.duration"]) == (pytest.approx(0.2), OF_SEGMENT)
    assert the_only(seen["asr.prediction.ratio"]) == (pytest.approx(1.25), OF_SEGMENT)
    assert the_only(seen["asr.rtf"]) == (pytest.approx(0.08), OF_SEGMENT)
    assert the_only(seen["asr.batch.size"]) == (2, OF_SEGMENT)
    assert the_only(seen["asr.words"]) == (9, OF_SEGMENT)
    assert the_only(seen["asr.tokens"]) == (12, OF_SEGMENT)
    assert the_only(seen["asr.audio"]) == (2.5, OF_SEGMENT)
    assert the_only(seen["asr.guard"]) == (1, {**OF_SEGMENT, "asr.what": "cut"})
    assert the_only(seen["asr.stable_overruled"]) == (1, OF_SEGMENT)
    assert {point.attributes["asr.slice"]: point.sum for point in seen["asr.slice.duration"]} == pytest.approx(
        {"condition": 0.003, "asr": 0.15}
    )
    assert {point.attributes["asr.what"]: point.value for point in seen["asr.degraded"]} == {"beam": 1, "model": 1}


def test_errors_to_expect_are_counted_in_words(telemetry: Telemetry, reader: InMemoryMetricReader) -> None:
    report(telemetry, SEGMENT)
    assert "asr.expected_errors" not in measured(reader), "nothing is known of them"
    report(telemetry, replace(SEGMENT, attributes={**SEGMENT.attributes, "asr.expected_error_rate": 0.1}))
    assert the_only(measured(reader)["asr.expected_errors"]) == (pytest.approx(0.9), OF_SEGMENT)


def test_what_happens_in_a_call_is_counted(telemetry: Telemetry, reader: InMemoryMetricReader) -> None:
    report(telemetry)
    seen = measured(reader)

    assert the_only(seen["asr.partials"]) == (3, OF_CALL)
    assert the_only(seen["asr.partial.interval"]) == (pytest.approx(0.3), OF_CALL), (
        "two partials of one piece of speech, and one of another"
    )
    assert {point.attributes["asr.outcome"]: point.value for point in seen["asr.eager"]} == {"told": 1, "stood": 1}
    assert the_only(seen["asr.decode_failed"]) == (1, {**OF_CALL, "asr.purpose": "partial"})
    rpc = {"rpc.method": METHOD[1:]}
    assert the_only(seen["rpc.server.call.duration"]) == (5.0, {**rpc, "rpc.response.status_code": "OK"})
    assert the_only(seen["rpc.server.active_calls"]) == (0, rpc)


def test_a_call_that_is_open_is_seen_and_closed_once(telemetry: Telemetry, reader: InMemoryMetricReader) -> None:
    call = telemetry.call(METHOD, {}, 1.0)
    assert the_only(measured(reader)["rpc.server.active_calls"])[0] == 1
    for _ in range(2):
        call.close("CANCELLED", "", 2.0)
    seen = measured(reader)
    assert the_only(seen["rpc.server.active_calls"])[0] == 0
    assert seen["rpc.server.call.duration"][0].count == 1


@pytest.mark.parametrize(
    ("record", "outcome"),
    [
        (SEGMENT, "in_time"),
        (changed(SEGMENT, **{names.LATE: True}), "late"),
        (changed(SEGMENT, **{names.WORDS: 0}), "empty"),
        (replace(SEGMENT, failed="broken", attributes={names.MODEL: "base"}), "failed"),
    ],
)
def test_each_segment_has_one_outcome(telemetry: Telemetry, reader: InMemoryMetricReader, record: SegmentRecord, outcome: str) -> None:
    report(telemetry, record)
    ((point,)) = measured(reader)["asr.segments"]
    assert (point.value, point.attributes["asr.outcome"]) == (1, outcome)


def test_audio_that_was_rejected_and_parts_of_running_speech_are_in_no_time_they_did_not_have(
    telemetry: Telemetry, reader: InMemoryMetricReader
) -> None:
    rejected = replace(changed(SEGMENT, **{names.WORDS: 0, names.ENDPOINT_WAIT_MS: 0.0}), stages=SEGMENT.stages[:2])
    report(telemetry, rejected)
    seen = measured(reader)
    assert not {"asr.recognition.duration", "asr.rtf", "asr.batch.size", "asr.prediction.ratio", "asr.time_to_final.duration"} & set(seen)
    assert seen["asr.response.duration"][0].count == 1


def test_no_label_is_of_a_user_a_session_or_a_text(telemetry: Telemetry, reader: InMemoryMetricReader) -> None:
    report(telemetry, SEGMENT)
    allowed = {*OF_SEGMENT, "asr.slice", "asr.outcome", "asr.what", "asr.purpose", "rpc.method", "rpc.response.status_code"}
    points = [point for points in measured(reader).values() for point in points]
    assert {label for point in points for label in point.attributes} <= allowed


def test_the_slices_of_the_budget_are_bounds(telemetry: Telemetry, reader: InMemoryMetricReader) -> None:
    report(telemetry, SEGMENT)
    (point,) = measured(reader)["asr.response.duration"]
    assert tuple(point.explicit_bounds) == SECONDS
    assert {0.01, 0.02, 0.06, 0.08, 0.3, 0.5} <= set(SECONDS)


def test_a_report_that_cannot_be_used_is_logged_and_never_raised(telemetry: Telemetry, caplog: pytest.LogCaptureFixture) -> None:
    call = telemetry.call(METHOD, {}, 1.0)
    for _ in range(2):
        call.segment(changed(SEGMENT, **{names.WORDS: "nine"}))
    call.close("OK", "", 2.0)
    assert caplog.text.count("telemetry failed") == 1


def test_what_is_looked_at_is_read_when_somebody_looks(telemetry: Telemetry, reader: InMemoryMetricReader) -> None:
    depth: list[float | None] = [3.0]
    telemetry.look_at(
        Gauge("asr.queue.depth", "{job}", "", lambda: depth[0]),
        Count("asr.threads.busy", "s", "", (names.PURPOSE,), lambda: {("final",): 1.5, ("partial",): 0.5}),
    )
    assert the_only(measured(reader)["asr.queue.depth"]) == (3.0, {})
    depth[0] = None
    assert not measured(reader).get("asr.queue.depth")
    busy = measured(reader)["asr.threads.busy"]
    assert {point.attributes["asr.purpose"]: point.value for point in busy} == {"final": 1.5, "partial": 0.5}


# ------------------------------------------------------------------------------------------------------------- Prometheus


def scraped(port: int) -> dict[str, Any]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return {family.name: family for family in text_string_to_metric_families(answer.read().decode())}


def test_a_prometheus_that_asks_is_answered_until_the_server_stops(unused_port: int) -> None:
    telemetry = open_telemetry(replace(OPTIONS, prometheus=f"127.0.0.1:{unused_port}"), {})
    report(telemetry, SEGMENT)
    families = scraped(unused_port)
    assert telemetry.shutdown()

    (late,) = families["asr_segments"].samples
    assert late.labels == {
        "service_name": "asr-server",
        "service_version": "1.2.3",
        "asr_encoding": "LINEAR16",
        "asr_model": "base",
        "asr_data_definition": "v1",
        "asr_language": "en",
        "asr_outcome": "in_time",
    }
    buckets = {sample.labels.get("le"): sample.value for sample in families["asr_response_duration_seconds"].samples}
    assert (buckets["0.15"], buckets["0.2"], buckets["0.5"]) == (0.0, 1.0, 1.0)
    with pytest.raises(OSError, match="refused"):
        scraped(unused_port)


def test_a_port_that_is_taken_is_a_bad_setting(unused_port: int) -> None:
    options = replace(OPTIONS, prometheus=f"127.0.0.1:{unused_port}")
    first = open_telemetry(options, {})
    with pytest.raises(BadSettings, match=f"telemetry prometheus: cannot listen on 127.0.0.1:{unused_port}: Address already in use"):
        open_telemetry(options, {})
    first.shutdown()


@pytest.mark.parametrize("address", ["9464", "host:", ":9464", "host:70000", "host:x"])
def test_an_address_that_is_none_is_named(address: str) -> None:
    with pytest.raises(BadSettings, match="telemetry prometheus: "):
        open_telemetry(replace(OPTIONS, prometheus=address), {})
