"""One profile held against another: what is alike is called so, what has drifted is found, however many features there are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_server.watch.drift.compare import compare, holm
from asr_server.watch.drift.reference import Origin, Reference

ORIGIN = Origin("v1", "base", "ab" * 32, "test")
FEATURES = ("loudness_lufs", "snr_db", "peak_dbfs", "noise_dbfs", "tilt_db_per_octave")


def profile(seed: int, segments: int = 400, **shifts: float) -> Reference:
    """Normal features, some of them shifted by so many spreads; and one that is 0 in nineteen of twenty segments."""
    made, draw = Reference(ORIGIN), np.random.default_rng(seed)
    for _ in range(segments):
        numbers = {name: draw.normal(shifts.get(name, 0.0), 1.0) for name in FEATURES}
        made.add({**numbers, "empty": float(draw.random() < shifts.get("empty", 0.05))})
    return made


def drifted(reference: Reference, now: Reference) -> list[str]:
    return [one.feature for one in compare(reference, now) if one.is_drift]


def test_profiles_of_the_same_are_alike() -> None:
    assert [drifted(profile(seed), profile(seed + 1_000)) for seed in range(40)] == [[]] * 40


def test_what_has_shifted_is_found_told_how_far_and_comes_first() -> None:
    found = compare(profile(1, 4_000), profile(2, 4_000, loudness_lufs=-1.0))
    assert [one.feature for one in found if one.is_drift] == ["loudness_lufs"]
    first = found[0]
    assert first.feature == "loudness_lufs"
    assert first.shift == pytest.approx(-1.0, abs=0.06)
    assert first.distance == pytest.approx(1.0, abs=0.06)
    assert first.before[1] == pytest.approx(0.0, abs=0.2)
    assert first.now[1] == pytest.approx(-1.0, abs=0.2)
    assert first.p < 1e-10
    assert first.segments == 4_000


def test_a_share_that_grows_is_found() -> None:
    assert drifted(profile(3), profile(4, empty=0.6)) == ["empty"]


def test_what_is_surely_different_but_little_is_not_called_drift() -> None:
    (found,) = [one for one in compare(profile(5, 20_000), profile(6, 20_000, snr_db=0.2)) if one.feature == "snr_db"]
    assert found.p < 0.001
    assert not found.is_drift


def test_what_only_one_of_them_has_is_left_out() -> None:
    assert "empty" not in {one.feature for one in compare(profile(7), profile(8).without(["empty"]))}
    assert compare(profile(7), Reference(ORIGIN)) == []


def test_replicas_together_show_what_each_has_seen_too_seldom() -> None:
    reference, together = profile(9, 2_000), profile(10, 6, loudness_lufs=0.8)
    assert drifted(reference, together) == [], "six segments are no proof"
    for seed in range(11, 41):
        together.merge(profile(seed, 6, loudness_lufs=0.8))
    assert drifted(reference, together) == ["loudness_lufs"]


def test_holms_correction_is_the_published_one() -> None:
    # Of 0.01, 0.04, 0.03, 0.005 for a level of 0.05 Holm rejects the first and the last.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.floats(0, 1), max_size=20))
def test_corrected_ps_are_no_smaller_keep_their_order_and_stay_probabilities(ps: list[float]) -> None:
    corrected = holm(ps)
    assert all(before <= after <= 1 for before, after in zip(ps, corrected, strict=True))
    order = sorted(range(len(ps)), key=lambda place: ps[place])
    assert [corrected[place] for place in order] == sorted(corrected)
