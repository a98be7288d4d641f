"""The bench of drift: its sequences, its changes, and one short run."""

import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from asr_server.accuracy.wer import ErrorCounts
from asr_server.watch.drift.reference import Origin, Reference
from audio_norm import Span
from bench.__main__ import main
from bench.changed import CHANGES, Recorded, pink_noise
from bench.drift import (
    AFTER_SEGMENTS,
    BEFORE_SEGMENTS,
    RAMP_SEGMENTS,
    Heard,
    Search,
    alarms,
    changed_sequence,
    drawn,
    halves,
    quiet_sequence,
    reference_of,
    search,
    watched,
)
from bench.predictors import Judged, expected, means_of, predictors
from tests.recordings import recording

ORIGIN = Origin("v1", "base", "ab" * 32, "test")


def heard(mean: float, clips: int = 200, seed: int = 0) -> list[Heard]:
    draw = np.random.default_rng(seed)
    return [Heard(f"{mean} {number}", tuple({"loudness_lufs": draw.normal(mean, 3)} for _ in range(3))) for number in range(clips)]


@pytest.fixture(scope="module")
def reference() -> Reference:
    return reference_of(heard(-26.0, seed=1), ORIGIN)


def test_every_recording_comes_before_any_comes_again() -> None:
    clips = heard(-26.0, clips=10)
    first = [one.numbers["loudness_lufs"] for one in islice(drawn(clips, np.random.default_rng(3)), 30)]
    assert sorted(first) == sorted(numbers["loudness_lufs"] for clip in clips for numbers in clip.segments)


def test_a_ramp_brings_more_and_more_of_what_is_new() -> None:
    wanted = Search("louder", "ramped", heard(0.0), heard(100.0))
    new = np.array([one.numbers["loudness_lufs"] > 50 for one in changed_sequence(wanted, seed=1)])
    assert len(new) == BEFORE_SEGMENTS + AFTER_SEGMENTS
    assert not new[:BEFORE_SEGMENTS].any()
    assert 0.4 < new[BEFORE_SEGMENTS : BEFORE_SEGMENTS + RAMP_SEGMENTS].mean() < 0.6
    assert new[BEFORE_SEGMENTS + RAMP_SEGMENTS :].all()


def test_what_changed_is_found_and_how_soon_is_told(reference: Reference) -> None:
    before, after = heard(-26.0, seed=2), heard(-38.0, seed=3)
    sudden, ramped = (search(reference, Search("quieter", how, before, after), sequences=3) for how in ("sudden", "ramped"))
    assert len(sudden.delays) == len(ramped.delays) == 3
    assert max(sudden.delays) < 20 < min(ramped.delays)
    told = sudden.as_json()
    assert (told["change"], told["how"], told["found"], told["first"]) == ("quieter", "sudden", 3, {"loudness_lufs": 3})


def test_where_nothing_changes_nothing_is_told(reference: Reference) -> None:
    assert list(alarms(reference, quiet_sequence(heard(-26.0, seed=2), seed=5))) == []


def test_halves_share_no_recording() -> None:
    one, other = halves(heard(-26.0, clips=11))
    assert (len(one), len(other)) == (5, 6)
    assert not {clip.clip for clip in one} & {clip.clip for clip in other}


def test_what_is_of_the_machine_is_left_out() -> None:
    assert watched({"loudness_lufs": -26.0, "rtf": 0.3, "response_ms": 5.0}) == {"loudness_lufs": -26.0}


@pytest.mark.parametrize("name", CHANGES)
def test_each_change_does_what_it_is_called(name: str) -> None:
    rate_hz = 16_000
    times = np.arange(2 * rate_hz) / rate_hz
    tone = (0.1 * np.sin(2 * np.pi * 440 * times) + 0.05 * np.sin(2 * np.pi * 6_000 * times)).astype(np.float32)
    frames = np.concatenate([np.full(8_000, 1e-3, np.float32), tone])[:, np.newaxis]
    changed = CHANGES[name](Recorded(frames, rate_hz, (Span(8_000, 40_000),), seed=1))
    level = float(np.sqrt(np.square(changed[8_400:]).mean()) / np.sqrt(np.square(frames[8_400:]).mean()))
    match name:
        case "12 dB quieter":
            assert level == pytest.approx(10 ** (-12 / 20), rel=0.01)
        case "8 kHz band":
            spectrum = np.abs(np.fft.rfft(changed[8_000:, 0]))
            assert spectrum[12_000] < 0.02 * spectrum[880]
        case "noise at 10 dB SNR":
            noise = changed - frames
            assert float(np.square(tone).mean() / np.square(noise).mean()) == pytest.approx(10.0, rel=0.1)
        case "5 % clipped":
            assert 0.03 < (np.abs(changed[8_000:]) >= 0.999).mean() < 0.15
        case "leading silence cut":
            assert len(frames) - len(changed) == 8_000 + 320
        case "speed 1.2":
            assert len(changed) == pytest.approx(len(frames) / 1.2, abs=20)
        case "DC offset 0.02":
            assert float((changed - frames).mean()) == pytest.approx(0.02, abs=1e-4)
        case "5 % of packets lost":
            assert (changed[:, 0] == 0).any()
        case _:
            raise AssertionError(f"no word of {name}")


def test_pink_noise_falls_by_three_db_an_octave() -> None:
    power = np.square(np.abs(np.fft.rfft(pink_noise(1 << 16, seed=1))))
    low, high = power[1_000:2_000].mean(), power[2_000:4_000].mean()
    assert 10 * np.log10(low / high) == pytest.approx(3.0, abs=0.5)


def test_a_short_run_on_real_speech(tmp_path: Path) -> None:
    manifest, out = tmp_path / "m.jsonl", tmp_path / "o.json"
    lines = [{"audio": str(recording(name)), "text": "x", "id": name} for name in ("hello_world", "quick_brown_fox", "counting")]
    lines.append({"audio": str(recording("hello_world")), "text": "x", "id": "other", "language": "de"})
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
    given = ["drift", "--manifest", str(manifest), "--json", str(out), "--model", "tiny.en", "--sequences", "1"]
    assert main([*given, "--require", "false_alarms.sequences==1"]) == 0
    told = json.loads(out.read_text())
    assert set(told["segments"]) == {"as recorded", *CHANGES, "another language"}
    assert {(one["change"], one["how"]) for one in told["found"]} >= {("12 dB quieter", "sudden"), ("another language", "ramped")}
    assert told["cost_us"] > 0
    assert set(told["predictors"]) == {"log_probability", "no_speech_probability", "empty", "second_opinion"}
    assert told["wer"]["as recorded"] > 0
    assert main(["drift", "--manifest", str(manifest), "--json", str(out), "--language", "fr"]) == 2


def judged(condition: str, errors: int, log_probability: float, doubts: int) -> Judged:
    return Judged(
        condition,
        f"{condition} {errors}",
        ErrorCounts(errors, 0, 0, 10),
        {"log_probability": log_probability},
        ErrorCounts(doubts, 0, 0, 10),
    )


def test_what_tells_the_error_rate_correlates_with_it_and_what_does_not_does_not() -> None:
    some = [judged(f"c{number % 6}", number % 6, -0.1 * (number % 6), number // 6 % 2) for number in range(60)]
    told = predictors(some)
    assert told["log_probability"] == {"recordings": -1.0, "conditions": -1.0}
    assert abs(told["second_opinion"]["recordings"]) < 0.3
    assert told["empty"] == {"recordings": None, "conditions": None}, "nobody said anything of it"


def test_the_expected_rate_is_held_against_the_real_one_condition_by_condition() -> None:
    fitted_on = [judged("as recorded", errors, -0.1 * errors - 0.1, 0) for errors in (0, 1, 2) for _ in range(20)]
    told = expected([*fitted_on, *(judged("noise", 4, -0.4, 0) for _ in range(20))], fitted_on)
    assert told["as recorded"] == {"wer": 0.1, "expected": pytest.approx(0.1, abs=0.01)}
    assert told["noise"]["wer"] == 0.4
    assert told["noise"]["expected"] is not None
    assert 0.2 < told["noise"]["expected"] < 0.8
    assert expected(fitted_on, fitted_on[:3]) == {}, "too few to fit a model on"


def test_means_are_of_the_segments_that_have_a_feature() -> None:
    assert means_of([{"a": 1.0}, {"a": 3.0, "b": 5.0}]) == {"a": 2.0, "b": 5.0}
    assert means_of([]) == {}
