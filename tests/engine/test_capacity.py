import pytest

from asr_server.engine.capacity import Caller, LoadMeter, LoadOptions
from asr_server.engine.cost import CostModel
from asr_server.engine.promises import EARLY_S, KEPT_S

# 3 s of speech and 1 s of margin: 40 ms for the encoder, 14 tokens of 10 ms, 20 for its words: 200 ms, beside others 250.
COST = CostModel(encode_ms=0, encode_ms_per_frame=0.1, token_ms=10, beam_factor=1.0, align_ms=20)
MARGIN_MS = 1000.0


def test_a_caller_takes_what_its_segments_cost_for_the_time_it_speaks() -> None:
    # A segment in 5 s, 2.2 decodes of 250 ms each.
    assert Caller().busy_share(COST, MARGIN_MS) == pytest.approx(2.2 * 0.25 / 5)
    assert Caller(word_times=False).busy_share(COST, MARGIN_MS) == pytest.approx(2.2 * 0.225 / 5)


TYPICAL_SHARE = 0.2


def meter_of(streams: int, threads: int = 2) -> LoadMeter:
    meter = LoadMeter(threads, TYPICAL_SHARE, LoadOptions(limit=0.85))
    for _ in range(streams):
        meter.opened(0.0)
    return meter


def run(meter: LoadMeter, busy_ms: float, seconds: int, start_s: int = 0) -> float:
    """So many ms of decodes each second. Returns the time it is then."""
    for second in range(start_s, start_s + seconds):
        meter.decoded(busy_ms, second + 1.0)
    return float(start_s + seconds)


def test_utilisation_is_the_share_of_the_threads_time_and_fades() -> None:
    meter = meter_of(streams=3)
    now_s = run(meter, busy_ms=600, seconds=100)

    assert meter.utilisation(now_s) == pytest.approx(0.3, rel=0.06)
    assert meter.utilisation(now_s + 10) == pytest.approx(0.3 / 2.718, rel=0.06)
    assert meter.utilisation(now_s + 100) == pytest.approx(0.0, abs=1e-4)


def test_what_was_spread_over_a_long_time_counts_as_if_it_had_been_told_bit_by_bit() -> None:
    often, once = meter_of(streams=1), meter_of(streams=1)
    run(often, busy_ms=600, seconds=300)
    once.decoded(300 * 600, 300.0)

    assert once.utilisation(300.0) == pytest.approx(often.utilisation(300.0), rel=0.001)


def test_time_before_the_first_decode_was_idle() -> None:
    meter = meter_of(streams=1)
    meter.decoded(1000, now_s=0.0)

    assert meter.utilisation(0.0) == pytest.approx(0.05)


def test_one_more_fits_while_streams_like_those_seen_stay_under_the_limit() -> None:
    # 8 streams that take 0.15 threads each: 9 are 1.35 of 2 threads, 10 would be 1.5, 11 1.65, 12 1.8 and more than 1.7.
    meter = meter_of(streams=8)
    now_s = run(meter, busy_ms=8 * 150, seconds=100)
    fitting = 8
    while meter.fits_one_more(now_s):
        meter.opened(now_s)
        fitting += 1

    assert fitting == 10
    assert meter.streams == 10


def test_streams_that_are_heavier_than_typical_leave_less_room() -> None:
    light, heavy = meter_of(streams=4), meter_of(streams=4)
    now_s = run(light, busy_ms=4 * 100, seconds=100)
    run(heavy, busy_ms=4 * 400, seconds=100)

    assert light.fits_one_more(now_s)
    assert not heavy.fits_one_more(now_s)


def test_a_rush_of_streams_that_have_said_nothing_yet_counts_as_typical() -> None:
    meter = meter_of(streams=0)
    while meter.fits_one_more(0.0):
        meter.opened(0.0)

    assert meter.streams == 8  # 8 times 0.2 is less than 1.7, 9 times is more


def test_the_first_stream_always_fits() -> None:
    assert LoadMeter(threads=1, typical_share=3.0).fits_one_more(0.0)


def test_a_place_is_likely_to_be_free_when_the_next_of_the_present_streams_has_ended() -> None:
    meter = meter_of(streams=5)
    assert meter.refused(0.0) == 1.0

    meter.closed(lasted_s=60.0, now_s=60.0)
    assert meter.refused(60.0) == pytest.approx(1.5 * 60 / 4)
    meter.closed(lasted_s=30.0, now_s=100.0)
    assert meter.refused(100.0) == pytest.approx(1.5 * 45 / 3)


def test_each_place_is_promised_once_and_again_when_its_time_is_over() -> None:
    meter = meter_of(streams=5)
    meter.closed(lasted_s=8.0, now_s=8.0)

    assert [meter.refused(8.0) for _ in range(3)] == pytest.approx([3.0, 6.0, 9.0])
    assert meter.refused(12.0) == pytest.approx(8.0), "who came first is back; two are still to come, the last at 17"
    assert meter.refused(100.0) == pytest.approx(3.0)


def full() -> LoadMeter:
    """After 12 s, eight streams of 12 s: as many as fit. One ends every 1.5 s, so a place is promised every 2.25 s."""
    meter = meter_of(streams=9)
    meter.closed(lasted_s=12.0, now_s=run(meter, busy_ms=9 * 200, seconds=12))
    assert not meter.fits_one_more(12.0)
    return meter


def test_a_place_that_was_promised_is_for_whoever_comes_at_its_time() -> None:
    meter = full()
    assert meter.refused(12.0) == pytest.approx(1.5 * 12 / 8)
    meter.closed(lasted_s=12.0, now_s=12.5)
    run(meter, busy_ms=8 * 200, seconds=2, start_s=12)

    assert not meter.fits_one_more(14.0), "a newcomer: the place is somebody else's"
    assert meter.fits_one_more(14.3)
    meter.opened(14.3)
    assert not meter.fits_one_more(14.4), "it was one place"


def test_a_place_that_nobody_comes_for_is_free_again() -> None:
    meter = full()
    at_s = 12.0 + meter.refused(12.0)
    meter.closed(lasted_s=12.0, now_s=12.5)
    run(meter, busy_ms=8 * 200, seconds=2, start_s=12)

    assert not meter.fits_one_more(at_s - EARLY_S - 0.05)
    run(meter, busy_ms=8 * 200, seconds=1, start_s=14)
    assert meter.fits_one_more(at_s + KEPT_S + 0.1)


def test_promises_for_later_places_keep_nobody_out_of_one_that_is_free() -> None:
    meter = full()
    for _ in range(3):
        meter.refused(12.0)
    meter.decoded(0.5 * 9 * 200, 12.5)
    for _ in range(2):
        meter.closed(lasted_s=12.0, now_s=12.5)

    assert meter.fits_one_more(12.6), "two are free, and one of them is promised soon"
    meter.opened(12.6)
    assert not meter.fits_one_more(12.7)


def test_callers_who_were_told_to_come_much_later_keep_nobody_out() -> None:
    meter = meter_of(streams=9)
    meter.closed(lasted_s=600.0, now_s=run(meter, busy_ms=9 * 200, seconds=12))
    assert [meter.refused(12.0) for _ in range(40)] == [30.0] * 40
    for _ in range(5):
        meter.closed(lasted_s=600.0, now_s=13.0)

    assert meter.fits_one_more(13.1)


def test_whoever_was_due_and_found_no_place_is_promised_another_and_only_that() -> None:
    meter = full()
    at_s = 12.0 + meter.refused(12.0)
    run(meter, busy_ms=8 * 200, seconds=2, start_s=12)
    assert not meter.fits_one_more(at_s)
    later_s = at_s + meter.refused(at_s)
    meter.closed(lasted_s=12.0, now_s=at_s + 0.1)

    assert not meter.fits_one_more(at_s + 0.2), "his first time is over"
    assert meter.fits_one_more(later_s)


def test_recent_streams_count_more() -> None:
    meter = meter_of(streams=200)
    for _ in range(50):
        meter.closed(lasted_s=1000.0, now_s=0.0)
    for _ in range(100):
        meter.closed(lasted_s=500.0, now_s=0.0)

    assert meter.refused(0.0) == pytest.approx(1.5 * 500 / 50, rel=0.05)


@pytest.mark.parametrize(("lasted_s", "streams", "retry_after_s"), [(1.0, 100, 0.5), (3600.0, 2, 30.0), (10.0, 1, 15.0)])
def test_the_advice_is_neither_impatient_nor_forever(lasted_s: float, streams: int, retry_after_s: float) -> None:
    meter = meter_of(streams)
    meter.closed(lasted_s, now_s=1.0)

    assert meter.refused(1.0) == pytest.approx(retry_after_s)


def test_a_clock_that_seems_to_go_back_changes_nothing() -> None:
    meter = meter_of(streams=1)
    meter.decoded(1000, now_s=5.0)

    assert meter.utilisation(4.0) == meter.utilisation(5.0)


def test_whoever_would_have_to_wait_for_longer_than_half_a_minute_is_asked_to_come_then() -> None:
    meter = LoadMeter(threads=2, typical_share=0.1)
    meter.opened(0.0)
    meter.opened(0.0)
    meter.closed(3600.0, 1.0)
    assert [meter.refused(1.0), meter.refused(1.0), meter.refused(2.0)] == [30.0, 30.0, 30.0]


@pytest.mark.parametrize(("field", "value"), [("window_s", 0.0), ("limit", 0.0), ("limit", 1.5), ("retry_after_s", 0.0)])
def test_options_that_cannot_work_are_refused(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"load {field} is"):
        LoadOptions(**{field: value})
