"""Traces as a collector receives them: real OTLP over loopback, and the library's in-memory exporter where transport is not the point."""

import json
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv._incubating.attributes import rpc_attributes
from opentelemetry.semconv.attributes import error_attributes

from asr_server.errors import BadSettings
from asr_server.watch import attributes as names
from asr_server.watch.observer import CallObserver, NullCallObserver, Observer, SegmentRecord, Stage
from asr_server.watch.telemetry import ExporterChoice, Telemetry, TelemetryOptions, choose_exporters, open_telemetry
from asr_server.watch.telemetry.exporters import Address, Otlp
from tests.watch.otlp_receiver import otlp_grpc, otlp_http

METHOD = "/asr.v1.Speech/StreamingRecognize"
SPAN = METHOD[1:]
OPTIONS = TelemetryOptions(version="1.2.3")
SAID = "the quick brown fox said nothing in telemetry"
TRACE_ID, CALLER_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = {"traceparent": f"00-{TRACE_ID}-{CALLER_ID}-01"}

SEGMENT = SegmentRecord(
    index=3,
    start_s=11.0,
    end_s=11.25,
    stages=(
        Stage("ingest", 11.0, 11.002, {names.SLICE_PLANNED_MS: 10.0, names.SLICE_SPENT_MS: 2.0}),
        Stage("condition", 11.002, 11.01),
        Stage("queue", 11.01, 11.02),
        Stage(
            "asr",
            11.02,
            11.2,
            {names.SLICE_PLANNED_MS: 300.0},
            parts=(
                Stage(names.PART_FEATURES, 11.02, 11.03),
                Stage(names.PART_ENCODE, 11.03, 11.08),
                Stage(names.PART_DECODE, 11.08, 11.18),
                Stage(names.PART_ALIGN, 11.18, 11.2),
            ),
        ),
        Stage("post", 11.2, 11.21),
        Stage("send", 11.21, 11.25),
    ),
    attributes={names.MODEL: "base", names.AUDIO_S: 2.5, names.LATE: False, names.DEGRADED: ("beam", "words"), names.TOKENS: 12},
    text=SAID,
)


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


def report_a_stream(observer: Observer, metadata: dict[str, str] | None = None) -> None:
    call = observer.call(METHOD, metadata or {}, 10.0)
    call.describe({names.ENCODING: "LINEAR16", names.SAMPLE_RATE_HZ: 16000})
    call.event(names.EVENT_SPEECH_STARTED, {names.POSITION_S: 0.25}, 10.3)
    call.event(names.EVENT_PARTIAL, {names.STABLE_CHARS: 9, names.TRANSCRIPT: SAID}, 10.5)
    call.event(names.EVENT_SPEECH_ENDED, {names.POSITION_S: 0.75}, 11.0)
    call.segment(SEGMENT)
    call.close("OK", "", 12.0)


def exported(exporter: InMemorySpanExporter, *reports: Any, transcripts: bool = False) -> list[ReadableSpan]:
    """The spans of a call closed OK after `reports` were made on it."""
    telemetry = Telemetry(TelemetryOptions(version="1", transcripts=transcripts), [exporter], epoch_offset_ns=0)
    call = telemetry.call(METHOD, {}, 1.0)
    for report in reports:
        report(call)
    call.close("OK", "", 2.0)
    assert telemetry.shutdown()
    return list(exporter.get_finished_spans())


# ------------------------------------------------------------------------------------------------------------ real OTLP


@pytest.mark.parametrize(("receiver", "protocol"), [(otlp_grpc, "grpc"), (otlp_http, "http/protobuf")])
def test_a_stream_arrives_at_a_collector_as_one_tree(monkeypatch: pytest.MonkeyPatch, receiver: Any, protocol: str) -> None:
    with receiver() as received:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", received.endpoint)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=42")
        telemetry = open_telemetry(OPTIONS, os.environ)
        report_a_stream(telemetry)
        assert telemetry.shutdown()

        root = received.one(SPAN)
        assert received.tree(root) == (
            SPAN,
            [
                (
                    "asr.segment",
                    [
                        ("ingest", []),
                        ("condition", []),
                        ("queue", []),
                        ("asr", [("asr.features", []), ("asr.encode", []), ("asr.decode", []), ("asr.align", [])]),
                        ("post", []),
                        ("send", []),
                    ],
                )
            ],
        )
        assert {span.trace_id for span in received.spans()} == {root.trace_id}
        assert (root.parent_id, root.kind, root.status) == ("", "SERVER", "UNSET")
        assert root.attributes == {
            "rpc.system.name": "grpc",
            "rpc.method": SPAN,
            "rpc.response.status_code": "OK",
            "asr.encoding": "LINEAR16",
            "asr.sample_rate_hz": 16000,
        }
        assert [event.name for event in root.events] == ["speech_started", "partial", "speech_ended"]
        assert root.resource["service.name"] == "asr-server"
        assert root.resource["service.version"] == "1.2.3"
        segment = received.one("asr.segment")
        assert segment.attributes == {
            "asr.segment": 3,
            "asr.model": "base",
            "asr.audio_s": 2.5,
            "asr.late": False,
            "asr.degraded": ["beam", "words"],
            "asr.tokens": 12,
        }
        assert received.one("ingest").attributes == {"asr.slice.planned_ms": 10.0, "asr.slice.spent_ms": 2.0}
        assert received.headers[0]["x-tenant"] == "42"
        assert {"asr.response.duration", "asr.segments", "rpc.server.call.duration"} <= received.metrics()


def test_no_byte_of_the_transcript_is_exported_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with otlp_grpc() as received:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", received.endpoint)
        telemetry = open_telemetry(OPTIONS, os.environ)
        report_a_stream(telemetry)
        assert telemetry.shutdown()
        everything = b"".join(received.raw)
        assert b"asr.segment" in everything
        assert SAID.encode() not in everything
        assert b"transcript" not in everything


def test_transcripts_are_exported_where_switched_on(exporter: InMemorySpanExporter) -> None:
    spans = exported(exporter, lambda call: call.segment(SEGMENT), transcripts=True)
    (segment,) = [span for span in spans if span.name == "asr.segment"]
    assert segment.attributes is not None
    assert segment.attributes["asr.transcript"] == SAID


def test_times_are_the_reported_ones_moved_to_the_epoch(exporter: InMemorySpanExporter) -> None:
    offset_ns = 1_700_000_000_000_000_000
    telemetry = Telemetry(OPTIONS, [exporter], epoch_offset_ns=offset_ns)
    report_a_stream(telemetry)
    telemetry.shutdown()
    times_ms = {
        span.name: (
            (span.start_time or 0) // 1_000_000 - offset_ns // 1_000_000,
            (span.end_time or 0) // 1_000_000 - offset_ns // 1_000_000,
        )
        for span in exporter.get_finished_spans()
    }
    assert times_ms[SPAN] == (10_000, 12_000)
    assert times_ms["asr.segment"] == (11_000, 11_250)
    assert times_ms["asr.encode"] == (11_030, 11_080)
    (root,) = [span for span in exporter.get_finished_spans() if span.name == SPAN]
    assert [event.timestamp - offset_ns for event in root.events] == [10_300_000_000, 10_500_000_000, 11_000_000_000]


# ---------------------------------------------------------------------------------------------------------- context


def test_the_callers_trace_is_continued(exporter: InMemorySpanExporter) -> None:
    telemetry = Telemetry(OPTIONS, [exporter])
    report_a_stream(telemetry, TRACEPARENT)
    telemetry.shutdown()
    (root,) = [span for span in exporter.get_finished_spans() if span.name == SPAN]
    assert root.context.trace_id == int(TRACE_ID, 16)
    assert root.parent is not None
    assert root.parent.span_id == int(CALLER_ID, 16)
    assert root.parent.is_remote


def test_a_caller_that_does_not_sample_is_not_sampled_here(exporter: InMemorySpanExporter) -> None:
    telemetry = Telemetry(OPTIONS, [exporter])
    report_a_stream(telemetry, {"traceparent": f"00-{TRACE_ID}-{CALLER_ID}-00"})
    telemetry.shutdown()
    assert exporter.get_finished_spans() == ()


@pytest.mark.parametrize("traceparent", ["", "garbage", f"00-{'0' * 32}-{CALLER_ID}-01"])
def test_a_broken_traceparent_begins_a_trace_of_its_own(exporter: InMemorySpanExporter, traceparent: str) -> None:
    telemetry = Telemetry(OPTIONS, [exporter])
    report_a_stream(telemetry, {"traceparent": traceparent})
    telemetry.shutdown()
    (root,) = [span for span in exporter.get_finished_spans() if span.name == SPAN]
    assert root.parent is None


def test_a_span_of_the_embedding_program_is_not_taken_for_a_parent(exporter: InMemorySpanExporter) -> None:
    foreign = trace.NonRecordingSpan(trace.SpanContext(1, 2, is_remote=False, trace_flags=trace.TraceFlags(1)))
    with trace.use_span(foreign):
        spans = exported(exporter)
    assert [span.parent for span in spans] == [None]


def test_the_process_wide_provider_is_left_alone(exporter: InMemorySpanExporter) -> None:
    before = trace.get_tracer_provider()
    exported(exporter)
    assert trace.get_tracer_provider() is before


# ------------------------------------------------------------------------------------------------------------ statuses


@pytest.mark.parametrize("status", ["UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"])
def test_what_the_server_did_wrong_is_an_error(exporter: InMemorySpanExporter, status: str) -> None:
    (span,) = exported(exporter, lambda call: call.close(status, "what happened", 1.5))
    assert span.status.status_code is trace.StatusCode.ERROR
    assert span.status.description == "what happened"
    assert span.attributes is not None
    assert span.attributes["error.type"] == status


@pytest.mark.parametrize("status", ["OK", "CANCELLED", "INVALID_ARGUMENT", "OUT_OF_RANGE", "FAILED_PRECONDITION", "RESOURCE_EXHAUSTED"])
def test_what_the_caller_did_is_no_error(exporter: InMemorySpanExporter, status: str) -> None:
    (span,) = exported(exporter, lambda call: call.close(status, "a message", 1.5))
    assert span.status.status_code is trace.StatusCode.UNSET
    assert span.attributes is not None
    assert span.attributes["rpc.response.status_code"] == status
    assert "error.type" not in span.attributes


def test_a_failed_segment_is_an_error_with_its_reason(exporter: InMemorySpanExporter) -> None:
    record = SegmentRecord(0, 1.0, 1.1, (), {}, failed="the recogniser failed")
    spans = exported(exporter, lambda call: call.segment(record))
    segment = next(span for span in spans if span.name == "asr.segment")
    assert (segment.status.status_code, segment.status.description) == (trace.StatusCode.ERROR, "the recogniser failed")


def test_the_first_close_counts_and_later_events_are_dropped(exporter: InMemorySpanExporter, caplog: pytest.LogCaptureFixture) -> None:
    (span,) = exported(
        exporter,
        lambda call: call.close("CANCELLED", "", 1.5),
        lambda call: call.event("late", {}, 1.6),
        lambda call: call.describe({"asr.model": "base"}),
    )
    assert span.end_time == 1_500_000_000
    assert span.events == ()
    assert span.attributes is not None
    assert "asr.model" not in span.attributes
    assert caplog.records == []


def test_a_segment_that_finishes_after_the_call_still_belongs_to_it(exporter: InMemorySpanExporter) -> None:
    spans = exported(exporter, lambda call: call.close("CANCELLED", "", 1.5), lambda call: call.segment(SEGMENT))
    root = next(span for span in spans if span.name == SPAN)
    segment = next(span for span in spans if span.name == "asr.segment")
    assert segment.parent is not None
    assert segment.parent.span_id == root.context.span_id


# ---------------------------------------------------------------------------------------------------------- never raise


class BrokenExporter(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> Any:
        raise OSError("the collector is on fire")


def test_a_report_that_cannot_be_used_is_logged_once_and_never_raised(
    exporter: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
) -> None:
    telemetry = Telemetry(OPTIONS, [exporter])
    for _ in range(2):
        call = telemetry.call(METHOD, {}, "yesterday")  # type: ignore[arg-type]
        assert isinstance(call, NullCallObserver)
        telemetry.call(METHOD, {}, 1.0).segment(None)  # type: ignore[arg-type]
    telemetry.shutdown()
    (record,) = caplog.records
    assert record.exc_info is not None
    assert "further failures are not logged" in record.message


def test_an_exporter_that_raises_disturbs_nobody(caplog: pytest.LogCaptureFixture) -> None:
    telemetry = Telemetry(OPTIONS, [BrokenExporter()])
    report_a_stream(telemetry)
    assert telemetry.shutdown()
    assert "the collector is on fire" in caplog.text


@pytest.fixture
def silent_address() -> Iterator[str]:
    """Somewhere that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_shutdown_gives_up_on_a_collector_that_does_not_answer(silent_address: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    options = TelemetryOptions(version="1", shutdown_timeout_s=0.01)
    telemetry = open_telemetry(options, {"OTEL_EXPORTER_OTLP_ENDPOINT": silent_address})
    report_a_stream(telemetry)
    assert not telemetry.shutdown()
    assert "the last spans or metrics were not delivered within 0.01 s" in caplog.text


# ------------------------------------------------------------------------------------------------------- which exporters


def test_without_a_variable_nothing_is_exported_and_nobody_listens() -> None:
    telemetry = open_telemetry(OPTIONS, {})
    assert not telemetry.enabled
    assert isinstance(telemetry.call(METHOD, {}, 1.0), NullCallObserver)
    assert telemetry.shutdown()


@pytest.mark.parametrize(
    ("environ", "choice"),
    [
        ({}, ExporterChoice()),
        (
            {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317"},
            ExporterChoice(),
        ),
        ({"OTEL_TRACES_EXPORTER": "", "OTEL_EXPORTER_OTLP_ENDPOINT": " "}, ExporterChoice()),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, ExporterChoice(Otlp("grpc"))),
        ({"OTEL_METRICS_EXPORTER": "otlp"}, ExporterChoice(metrics=Otlp("grpc"))),
        ({"OTEL_TRACES_EXPORTER": "console"}, ExporterChoice(spans_to_console=True)),
        ({"OTEL_TRACES_EXPORTER": "OTLP, console"}, ExporterChoice(Otlp("grpc"), spans_to_console=True)),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317"},
            ExporterChoice(Otlp("grpc", "http://c:4317"), metrics=Otlp("grpc", "http://c:4317")),
        ),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318/", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"},
            ExporterChoice(Otlp("http/protobuf", "http://c:4318/v1/traces"), metrics=Otlp("http/protobuf", "http://c:4318/v1/metrics")),
        ),
        (
            {
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317",
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://t:4318/here",
                "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
                "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
                "OTEL_METRICS_EXPORTER": "prometheus",
                "OTEL_EXPORTER_PROMETHEUS_HOST": "0.0.0.0",
                "OTEL_EXPORTER_PROMETHEUS_PORT": "9000",
            },
            ExporterChoice(Otlp("http/protobuf", "http://t:4318/here"), prometheus=Address("0.0.0.0", 9_000)),
        ),
        ({"OTEL_METRICS_EXPORTER": "prometheus"}, ExporterChoice(prometheus=Address("localhost", 9_464))),
        (
            {"OTEL_METRICS_EXPORTER": "prometheus,otlp"},
            ExporterChoice(metrics=Otlp("grpc"), prometheus=Address("localhost", 9_464)),
        ),
        ({"OTEL_SDK_DISABLED": "TRUE", "OTEL_TRACES_EXPORTER": "otlp"}, ExporterChoice()),
        ({"OTEL_SDK_DISABLED": "false", "OTEL_TRACES_EXPORTER": "otlp"}, ExporterChoice(Otlp("grpc"))),
    ],
)
def test_the_standard_variables_choose_the_exporters(environ: dict[str, str], choice: ExporterChoice) -> None:
    assert choose_exporters(OPTIONS, environ) == choice


def test_options_add_to_the_variables() -> None:
    options = TelemetryOptions(version="1", console=True, prometheus="[::1]:9100")
    chosen = choose_exporters(options, {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_METRICS_EXPORTER": "prometheus"})
    assert chosen == ExporterChoice(Otlp("grpc"), spans_to_console=True, prometheus=Address("::1", 9_100))


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, 'OTEL_TRACES_EXPORTER is "zipkin", accepted are "none", or "otlp" and "console"'),
        ({"OTEL_TRACES_EXPORTER": "none,otlp"}, 'OTEL_TRACES_EXPORTER is "none,otlp"'),
        ({"OTEL_METRICS_EXPORTER": "statsd"}, 'OTEL_METRICS_EXPORTER is "statsd", accepted are "none", or "otlp" and "prometheus"'),
        (
            {"OTEL_METRICS_EXPORTER": "prometheus", "OTEL_EXPORTER_PROMETHEUS_PORT": "many"},
            'OTEL_EXPORTER_PROMETHEUS_PORT: "localhost:many" is not accepted: host:port, a port from 0 to 65535',
        ),
        (
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"},
            'OTEL_EXPORTER_OTLP_PROTOCOL is "http/json", accepted are "grpc" and "http/protobuf"',
        ),
        (
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "udp"},
            'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL is "udp"',
        ),
    ],
)
def test_a_value_that_is_not_accepted_is_named_in_one_line(environ: dict[str, str], message: str) -> None:
    with pytest.raises(BadSettings) as caught:
        open_telemetry(OPTIONS, environ)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_what_the_library_refuses_is_a_bad_setting_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "brotli")
    with pytest.raises(BadSettings, match="brotli"):
        open_telemetry(OPTIONS, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"})


def test_an_unknown_propagator_is_a_bad_setting() -> None:
    """In a process of its own: the library reads the variable once, on import."""
    code = """if True:
        import os
        from asr_server.errors import BadSettings
        from asr_server.watch.telemetry import TelemetryOptions, open_telemetry
        try:
            open_telemetry(TelemetryOptions(version="1"), os.environ)
        except BadSettings as error:
            print(error)
    """
    ran = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"OTEL_PROPAGATORS": "pigeon"}, capture_output=True, text=True, check=True
    )
    assert ran.stdout.startswith("telemetry cannot be set up from the OTEL_* variables: Propagator pigeon not found")


@pytest.mark.parametrize(
    ("variables", "service"),
    [
        ({}, "asr-server"),
        ({"OTEL_SERVICE_NAME": "kitchen"}, "kitchen"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=hall,deployment.environment.name=test"}, "hall"),
    ],
)
def test_the_operator_names_the_service(
    monkeypatch: pytest.MonkeyPatch, exporter: InMemorySpanExporter, variables: dict[str, str], service: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    (span,) = exported(exporter)
    assert span.resource.attributes["service.name"] == service


def test_the_operator_chooses_the_sampler(monkeypatch: pytest.MonkeyPatch, exporter: InMemorySpanExporter) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    assert exported(exporter, lambda call: call.segment(SEGMENT)) == []


def test_the_console_gets_one_json_line_a_span_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry = open_telemetry(TelemetryOptions(version="1", console=True), {})
    report_a_stream(telemetry)
    assert telemetry.shutdown()
    out, err = capsys.readouterr()
    assert out == ""
    lines = [json.loads(line) for line in err.splitlines()]
    assert {line["name"] for line in lines} >= {SPAN, "asr.segment", "asr", "asr.decode"}
    assert SAID not in err


@pytest.mark.parametrize("wrong", [{"service_name": ""}, {"shutdown_timeout_s": 0.0}])
def test_options_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadSettings):
        TelemetryOptions(version="1", **wrong)


# --------------------------------------------------------------------------------------------------------------- names


def test_the_conventions_names_are_the_published_ones() -> None:
    assert names.RPC_SYSTEM_NAME == rpc_attributes.RPC_SYSTEM_NAME
    assert names.RPC_METHOD == rpc_attributes.RPC_METHOD
    assert names.RPC_RESPONSE_STATUS_CODE == rpc_attributes.RPC_RESPONSE_STATUS_CODE
    assert names.ERROR_TYPE == error_attributes.ERROR_TYPE


def test_no_name_is_listed_twice() -> None:
    values = [value for name, value in vars(names).items() if name.isupper()]
    assert len(values) == len(set(values))


def test_telemetry_is_an_observer(exporter: InMemorySpanExporter) -> None:
    telemetry = Telemetry(OPTIONS, [exporter])
    observer: Observer = telemetry
    call: CallObserver = observer.call(METHOD, {}, 1.0)
    call.close("OK", "", 1.0)
    assert telemetry.shutdown()
