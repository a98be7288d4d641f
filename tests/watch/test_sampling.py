"""Which traces are kept."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from asr_server.errors import BadSettings
from asr_server.watch import attributes as names
from asr_server.watch.observer import CallObserver, SegmentRecord
from asr_server.watch.telemetry import Telemetry, TelemetryOptions
from asr_server.watch.telemetry.sampling import MAX_HELD

METHOD = "/asr.v1.Speech/StreamingRecognize"
DULL = SegmentRecord(0, 1.0, 1.1, (), {names.LATE: False, names.DEGRADED: ()})
LATE = replace(DULL, attributes={names.LATE: True, names.DEGRADED: ()})


def kept(*reports: Callable[[CallObserver], None], share: float = 0.0, status: str = "OK", calls: int = 1) -> list[str]:
    """Names of the spans that were exported of calls of which that was reported."""
    exporter = InMemorySpanExporter()
    telemetry = Telemetry(TelemetryOptions(version="1", keep_share=share), [exporter])
    for _ in range(calls):
        call = telemetry.call(METHOD, {}, 1.0)
        for report in reports:
            report(call)
        call.close(status, "", 2.0)
    assert telemetry.shutdown()
    return [span.name for span in exporter.get_finished_spans()]


def test_a_trace_in_which_nothing_happened_is_let_go() -> None:
    assert kept(lambda call: call.segment(DULL)) == []


@pytest.mark.parametrize(
    "report",
    [
        lambda call: call.segment(LATE),
        lambda call: call.segment(replace(DULL, attributes={names.DEGRADED: ("beam",)})),
        lambda call: call.segment(replace(DULL, failed="broken")),
        lambda call: call.segment(replace(DULL, attributes={names.DRIFTING: ("snr_db",)})),
        lambda call: call.event(names.EVENT_DECODE_FAILED, {}, 1.5),
    ],
)
def test_a_trace_with_something_late_degraded_failed_or_drifting_is_kept_whole(report: Callable[[CallObserver], None]) -> None:
    spans = kept(lambda call: call.segment(DULL), report, lambda call: call.segment(DULL))
    assert spans.count(METHOD[1:]) == 1
    assert spans.count("asr.segment") >= 2


def test_a_call_that_failed_is_kept() -> None:
    assert kept(status="INTERNAL") == [METHOD[1:]]
    assert kept(status="CANCELLED") == []


@pytest.mark.parametrize(("share", "least", "most"), [(1.0, 400, 400), (0.25, 60, 145), (0.0, 0, 0)])
def test_of_the_rest_a_share_is_kept_each_whole(share: float, least: int, most: int) -> None:
    spans = kept(lambda call: call.segment(DULL), share=share, calls=400)
    assert least <= spans.count(METHOD[1:]) <= most
    assert spans.count("asr.segment") == spans.count(METHOD[1:])


def test_of_a_call_that_lasts_for_hours_no_more_is_held_than_may_be_wanted() -> None:
    spans = kept(*[lambda call: call.segment(DULL)] * (3 * MAX_HELD), lambda call: call.segment(LATE))
    assert spans.count("asr.segment") == MAX_HELD
    assert spans.count(METHOD[1:]) == 1


def test_a_segment_that_ends_after_its_call_is_judged_by_itself() -> None:
    exporter = InMemorySpanExporter()
    telemetry = Telemetry(TelemetryOptions(version="1", keep_share=0.0), [exporter])
    call = telemetry.call(METHOD, {}, 1.0)
    call.close("CANCELLED", "", 2.0)
    call.segment(DULL)
    call.segment(LATE)
    telemetry.shutdown()
    assert [span.name for span in exporter.get_finished_spans()] == ["asr.segment"]


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_is_between_none_and_all(share: float) -> None:
    with pytest.raises(BadSettings, match="keep_share"):
        TelemetryOptions(version="1", keep_share=share)
