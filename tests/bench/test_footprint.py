import pytest

from asr_server.api.results import PresetView, ServerInfo
from bench.footprint import audio_mb_at_most, footprint, resident_mb
from bench.process import Usage
from bench.usage import MB, Reading


def read(*resident: float) -> list[Reading]:
    return [Reading(float(at_s), Usage(0.0, round(mb * MB), 1, 1)) for at_s, mb in enumerate(resident)]


def test_memory_is_the_median_of_what_was_read_in_time() -> None:
    readings = read(10, 400, 900, 410, 405, 10)
    assert resident_mb(readings, 1.0, 4.0) == 407.5
    assert resident_mb(readings, 7.0, 9.0) is None


def test_a_stream_takes_its_share_of_what_all_took() -> None:
    found = footprint(200, 400.0, 450.0)
    assert found is not None
    assert found.as_json() == {"before": 400.0, "with_all_open": 450.0, "a_stream": 0.25}


def test_without_streams_none_has_a_share_and_without_readings_nothing_is_told() -> None:
    found = footprint(0, 400.0, 450.0)
    assert found is not None
    assert found.mb_a_stream is None
    assert footprint(1, None, 450.0) is None
    assert footprint(1, 400.0, None) is None


def test_of_its_audio_a_stream_holds_the_longest_segment_and_what_is_heard_again() -> None:
    info = ServerInfo("1", (), (), {}, {"max_segment_ms": 15_000}, (), (), (), 0, 0.0)
    assert audio_mb_at_most(info, PresetView("fast", 200, 200, 2, context_ms=3_000)) == pytest.approx(18 * 0.064)
