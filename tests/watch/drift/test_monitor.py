"""Segments as they are reported, watched slice by slice."""

import numpy as np
import pytest

from asr_server.watch import attributes as names
from asr_server.watch.drift.expected import ErrorModel
from asr_server.watch.drift.monitor import DriftMonitor, described
from asr_server.watch.drift.reference import MAX_VALUES, Origin, Reference
from asr_server.watch.drift.slices import ALL, OTHER, Change, Segment, SliceWatch
from asr_server.watch.labels import CLIENT
from asr_server.watch.observer import NullObserver, SegmentRecord
from tests.fake_observer import FakeObserver

METHOD = "/asr.v1.Speech/StreamingRecognize"
ORIGIN = Origin("v1", "base", "ab" * 32, "test")


def numbers(draw: np.random.Generator, louder_db: float = 0.0) -> dict[str, float]:
    return {"loudness_lufs": draw.normal(-26 + louder_db, 3), "snr_db": draw.normal(25, 5), "empty": float(draw.random() < 0.02)}


@pytest.fixture
def draw() -> np.random.Generator:
    return np.random.default_rng(11)


@pytest.fixture
def reference(draw: np.random.Generator) -> Reference:
    made = Reference(ORIGIN)
    for _ in range(2_000):
        made.add(numbers(draw))
    return made


def report(monitor: DriftMonitor, measured: dict[str, float], client: str = "", trace_id: str = "", failed: str = "") -> None:
    call = monitor.call(METHOD, {CLIENT: client} if client else {}, 0.0)
    call.describe({names.ENCODING: "LINEAR16", names.LANGUAGE: "en", names.SESSION: 3})
    attributes = {f"{names.PROFILE}{name}": value for name, value in measured.items()}
    call.segment(SegmentRecord(0, 0.0, 1.0, (), attributes, failed=failed, trace_id=trace_id))
    call.close("OK", "", 2.0)


def test_a_microphone_that_loses_12_db_in_one_app_is_found_there_and_the_others_stay_quiet(
    reference: Reference, draw: np.random.Generator, caplog: pytest.LogCaptureFixture
) -> None:
    monitor = DriftMonitor(NullObserver(), reference)
    apps = ("kiosk", "phone", "desk", "car")
    for number in range(400):
        report(monitor, numbers(draw), apps[number % 4])
    assert not monitor.changes
    for number in range(100):
        app = apps[number % 4]
        report(monitor, numbers(draw, -12.0 if app == "kiosk" else 0.0), app, trace_id=f"{number:032x}")

    found = next(change for change in monitor.changes if change.slice == ("client", "kiosk"))
    assert (found.feature, found.kind, found.severity) == ("loudness_lufs", "sudden", "severe")
    assert found.shift < -3
    assert found.before[1] == pytest.approx(-26, abs=0.5)
    assert found.after[1] == pytest.approx(-38, abs=4), "of eight segments or a few more"
    assert int(found.trace_id, 16) % 4 == 0, "an example is one of the app's"
    assert (("client", "kiosk"), "loudness_lufs") in monitor.drifting
    assert {one for one, _ in monitor.drifting} <= {("client", "kiosk"), ALL, ("encoding", "LINEAR16"), ("language", "en")}
    assert "loudness_lufs of client kiosk has changed, sudden, severe: median -25" in caplog.text
    assert "it moves with microphones, their gain and distance" in described(found)


def test_what_is_back_is_told_too(reference: Reference, draw: np.random.Generator, caplog: pytest.LogCaptureFixture) -> None:
    monitor = DriftMonitor(NullObserver(), reference)
    for louder_db in (*[0.0] * 100, *[12.0] * 60, *[0.0] * 300):
        report(monitor, numbers(draw, louder_db))
    mine = [change for change in monitor.changes if change.slice == ALL and change.feature == "loudness_lufs"]
    assert [change.is_back for change in mine] == [False, True]
    assert not monitor.drifting
    assert "loudness_lufs of all segments is as it was" in caplog.text


def test_a_new_reference_is_filled_with_what_is_heard(draw: np.random.Generator) -> None:
    made = Reference(ORIGIN)
    monitor = DriftMonitor(NullObserver())
    monitor.fill(made)
    for _ in range(50):
        report(monitor, numbers(draw))
    report(monitor, numbers(draw), failed="broken")
    assert (made.segments, set(made.features)) == (50, {"loudness_lufs", "snr_db", "empty"})
    assert not monitor.changes
    assert not monitor.drifting


def test_with_an_error_model_each_segment_is_told_the_errors_to_expect(reference: Reference, draw: np.random.Generator) -> None:
    reference.error_model = ErrorModel(bias=-3.0, slope=-2.0, words=1_000)
    behind = FakeObserver()
    monitor = DriftMonitor(behind, reference)
    report(monitor, {**numbers(draw), "log_probability": -0.5})
    report(monitor, numbers(draw))
    report(monitor, {"log_probability": -0.5}, failed="broken")
    told = [record.attributes.get(names.EXPECTED_ERROR_RATE) for record in behind.calls[0].segments + behind.calls[1].segments]
    assert told == [pytest.approx(0.1192, abs=1e-4), None], "of -3 + 1; without a log probability nothing"
    assert names.EXPECTED_ERROR_RATE not in behind.calls[2].segments[0].attributes


def test_a_slice_is_held_against_what_is_normal_for_it(draw: np.random.Generator) -> None:
    """A telephone line is unlike all the others together, every day."""
    made, lines = Reference(ORIGIN), ("8000", "16000", "16000", "16000")
    for number in range(800):
        made.add(numbers(draw, -12.0 if lines[number % 4] == "8000" else 0.0), {"rate_hz": lines[number % 4]})
    watch = SliceWatch(made)

    def heard(quieter_db: float, segments: int) -> set[tuple[tuple[str, str], str]]:
        told = set()
        for number in range(segments):
            line = lines[number % 4]
            measured = numbers(draw, -12.0 if line == "8000" else quieter_db)
            told |= {(change.slice, change.feature) for change in watch.push(Segment(measured, {"rate_hz": line}, float(number)))}
        return told

    assert heard(0.0, 800) == set()
    assert (("rate_hz", "16000"), "loudness_lufs") in heard(-12.0, 100)


def test_a_slice_that_was_never_seen_is_held_against_all_and_one_seen_too_seldom_against_nothing(draw: np.random.Generator) -> None:
    made = Reference(ORIGIN)
    for number in range(500):
        made.add(numbers(draw), {"client": "rare"} if number % 50 == 0 else {})
    watch = SliceWatch(made)
    told = set()
    for number in range(120):
        client = ("rare", "new")[number % 2]
        told |= {change.slice for change in watch.push(Segment(numbers(draw, -12.0), {"client": client}, float(number)))}
    assert ("client", "new") in told
    assert ("client", "rare") not in told
    assert ALL in told


def test_labels_from_outside_make_no_more_slices_than_can_be_watched(reference: Reference, draw: np.random.Generator) -> None:
    watch = SliceWatch(reference)
    for number in range(3 * MAX_VALUES):
        list(watch.push(Segment(numbers(draw), {"client": f"app {number}"}, 0.0)))
    slices = {one for one, _ in watch._watches}
    assert len(slices) == 1 + MAX_VALUES + 1
    assert ("client", OTHER) in slices


def test_a_feature_that_the_reference_does_not_know_is_left_alone(reference: Reference) -> None:
    watch = SliceWatch(reference)
    assert list(watch.push(Segment({"tilt_db_per_octave": 3.0}, {}, 0.0))) == []


def test_who_stands_behind_is_told_what_of_a_segment_is_drifting(reference: Reference, draw: np.random.Generator) -> None:
    """Only of the segments of the slices that drift; and everything else as it came."""
    behind, changed = FakeObserver(), list[Change]()
    monitor = DriftMonitor(behind, reference, changed.append)
    for number in range(200):
        report(monitor, numbers(draw, -12.0 if number >= 100 else 0.0), "kiosk" if number % 2 else "phone")
    assert changed == list(monitor.changes)
    told = [call.segments[0].attributes.get(names.DRIFTING) for call in behind.calls]
    assert told[:100] == [None] * 100
    assert told[-1] == ["loudness_lufs"]
    last = behind.calls[-1]
    assert (last.described[names.ENCODING], last.closes[0][0]) == ("LINEAR16", "OK")


def test_a_slice_that_does_not_drift_is_not_said_to(reference: Reference, draw: np.random.Generator) -> None:
    watch = SliceWatch(reference)
    for number in range(400):
        app = "kiosk" if number % 20 == 0 else "phone"
        list(watch.push(Segment(numbers(draw, -15.0 if app == "kiosk" else 0.0), {"client": app}, 0.0)))
    assert watch.drifting_in({"client": "kiosk"}) == {"loudness_lufs"}
    assert watch.drifting_in({"client": "phone"}) == frozenset()
