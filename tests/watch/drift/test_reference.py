"""Reference profiles: what is kept of many segments."""

import json
from pathlib import Path

import numpy as np
import pytest

from asr_server.errors import BadSettings
from asr_server.watch.drift.expected import ErrorModel
from asr_server.watch.drift.reference import MAX_VALUES, Origin, Reference, read_reference

ORIGIN = Origin("v1", "base", "ab" * 32, "test")


def reference(values: np.ndarray, origin: Origin = ORIGIN) -> Reference:
    made = Reference(origin)
    for value in values:
        made.add({"snr_db": float(value)})
    return made


def test_ranks_and_quantiles_are_those_of_the_segments() -> None:
    values = np.random.default_rng(1).normal(20, 5, 20_000)
    made = reference(values)
    for value in (10.0, 20.0, 27.0):
        assert made.ranks("snr_db", value)[1] == pytest.approx(float((values <= value).mean()), abs=0.005)
    assert made.quantiles("snr_db", (0.1, 0.5, 0.9)) == pytest.approx(np.quantile(values, (0.1, 0.5, 0.9)), abs=0.15)
    assert (made.segments, made.count("snr_db"), made.features) == (20_000, 20_000, ("snr_db",))


def test_where_many_are_the_same_there_are_fewer_below_than_not_above() -> None:
    made = reference(np.array([0.0] * 90 + [1.0] * 10))
    assert made.ranks("snr_db", 0.0) == pytest.approx((0.0, 0.9), abs=1e-6)
    assert made.ranks("snr_db", 1.0) == pytest.approx((0.9, 1.0), abs=1e-6)
    thirds = reference(np.array([1 / 3] * 50 + [2 / 3] * 50))
    assert thirds.ranks("snr_db", 1 / 3) == pytest.approx((0.0, 0.5), abs=1e-6)
    thirds.add({"snr_db": 1.0})
    assert thirds.ranks("snr_db", 1.0)[1] == 1.0, "it has grown"


def test_two_merged_are_as_one() -> None:
    values = np.random.default_rng(2).normal(size=4_000)
    one, other = reference(values[:1_000]), reference(values[1_000:])
    one.merge(other)
    assert one.segments == 4_000
    assert one.quantiles("snr_db", (0.5,)) == pytest.approx(reference(values).quantiles("snr_db", (0.5,)), abs=0.05)


def test_slices_are_kept_merged_written_and_dropped(tmp_path: Path) -> None:
    one, other = reference(np.zeros(3)), reference(np.zeros(3))
    for number in range(60):
        one.add({"snr_db": float(number)}, {"client": "kiosk", "language": "en"})
        other.add({"snr_db": 100.0 + number}, {"client": "phone", "language": "en"})
    one.merge(other)
    one.write(tmp_path / "p.json")
    read = read_reference(tmp_path / "p.json")
    assert {name: of_it.segments for name, of_it in read.slices.items()} == {
        ("client", "kiosk"): 60,
        ("language", "en"): 120,
        ("client", "phone"): 60,
    }
    kiosk, english = read.of_slice(("client", "kiosk")), read.of_slice(("language", "en"))
    assert kiosk is not None
    assert english is not None
    assert kiosk.quantiles("snr_db", (1.0,)) == (59.0,)
    assert english.quantiles("snr_db", (0.0, 1.0)) == (0.0, 159.0)
    assert read.of_slice(("client", "new")) is read
    assert set(read.without([], labels=["client"]).slices) == {("language", "en")}
    assert not read.without(["snr_db"]).slices["language", "en"].features


def test_labels_of_a_profile_have_no_end_but_its_slices_do() -> None:
    made = reference(np.zeros(3))
    for number in range(MAX_VALUES + 10):
        made.add({"snr_db": 1.0}, {"client": f"app {number}"})
    assert len(made.slices) == MAX_VALUES
    assert made.segments == MAX_VALUES + 13


def test_of_two_error_models_the_one_of_more_words_is_kept() -> None:
    few, many = (ErrorModel(-3.0, -2.0, words) for words in (400, 900))
    for mine, others, kept in ((few, many, many), (many, few, many), (None, few, few), (None, None, None)):
        one, other = reference(np.zeros(3)), reference(np.zeros(3))
        one.error_model, other.error_model = mine, others
        one.merge(other)
        assert one.error_model == kept


def test_profiles_of_other_systems_are_not_merged() -> None:
    other = reference(np.zeros(3), Origin("v2", "base", "ab" * 32, "test"))
    with pytest.raises(ValueError, match="with data definition v2 cannot be merged into one of base"):
        reference(np.zeros(3)).merge(other)


def test_what_is_written_is_read_and_small(tmp_path: Path) -> None:
    made = reference(np.random.default_rng(3).normal(size=50_000))
    made.error_model = ErrorModel(-3.0, -2.0, 400)
    made.write(tmp_path / "profile.json")
    read = read_reference(tmp_path / "profile.json")
    assert (read.origin, read.segments, read.error_model) == (ORIGIN, 50_000, made.error_model)
    assert made.without(["snr_db"]).error_model == made.error_model
    assert read.quantiles("snr_db", (0.1, 0.9)) == made.quantiles("snr_db", (0.1, 0.9))
    assert (tmp_path / "profile.json").stat().st_size < 20_000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not JSON"),
        ("[]", "is not a reference profile"),
        ("{}", "is not a reference profile: 'asr_profile'"),
        ('{"asr_profile": 9}', "its format is 9, this server reads 1"),
        (json.dumps({**reference(np.zeros(3)).as_json(), "features": {"snr_db": "AAAA"}}), "is not a reference profile"),
        (json.dumps({**reference(np.zeros(3)).as_json(), "features": {"snr_db": "!"}}), "is not a reference profile"),
    ],
)
def test_a_file_that_is_none_is_one_clear_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(BadSettings, match=message) as caught:
        read_reference(tmp_path / "p.json")
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match=r"cannot read the reference profile .*p\.json: No such file"):
        read_reference(tmp_path / "p.json")
