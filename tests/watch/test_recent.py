"""The last segments, by what they spent of what was planned."""

from dataclasses import replace

from asr_server.watch import attributes as names
from asr_server.watch.observer import SegmentRecord, Stage
from asr_server.watch.recent import MAX_AGE_S, RecentSegments
from asr_server.watch.status import Latency
from tests.fake_clock import FakeClock

METHOD = "/asr.v1.Speech/StreamingRecognize"
ASR = Stage("asr", 1.0, 1.1, {names.SLICE_PLANNED_MS: 300.0, names.SLICE_SPENT_MS: 100.0})
SEGMENT = SegmentRecord(
    0,
    1.0,
    1.2,
    (ASR,),
    {names.RESPONSE_MS: 110.0, names.ENDPOINT_WAIT_MS: 320.0, names.BUDGET_MS: 500.0, names.WORDS: 3, names.LATE: False},
)


def test_quantiles_are_of_the_last_five_minutes() -> None:
    clock = FakeClock()
    recent = RecentSegments(clock)
    assert recent.recent().segments == 0
    assert recent.recent().latency[0] == Latency("time to final text", None, None, None, None)
    call = recent.call(METHOD, {}, 0.0)
    call.segment(replace(SEGMENT, attributes={**SEGMENT.attributes, names.LATE: True}))
    clock.advance_ms(1000 * (MAX_AGE_S + 1))
    call.segment(SEGMENT)
    call.segment(replace(SEGMENT, attributes={**SEGMENT.attributes, names.RESPONSE_MS: 210.0, names.DEGRADED: ("beam",)}))
    call.segment(SegmentRecord(1, 1.0, 1.2, (), {}, failed="broken"))
    call.segment(replace(SEGMENT, attributes={**SEGMENT.attributes, names.WORDS: 0}))
    call.close("OK", "", 2.0)
    told = recent.recent()
    assert (told.segments, told.late, told.empty, told.failed, told.degraded) == (4, 0, 1, 1, 1)
    assert told.latency == (
        Latency("time to final text", None, 430.0, 530.0, 530.0),
        Latency("response", 500.0, 110.0, 210.0, 210.0),
        Latency("asr", 300.0, 100.0, 100.0, 100.0),
    )
