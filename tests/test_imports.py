"""Importing is free of consequences: no threads, no weights, no environment, no output."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for package in ("audio_norm", "asr_server", "eval", "bench")
    for path in (ROOT / package).rglob("*.py")
    if path.name != "__main__.py"
)

# Run in a fresh interpreter: what is watched there has not been imported by other tests yet. Only our own reading of the environment
# counts; libraries have their habits.
WATCHED_IMPORT = """
import importlib, os, sys, threading, types
import ctranslate2, faster_whisper

def refuse(*args, **kwargs):
    raise AssertionError("weights are loaded at import")

ctranslate2.models.Whisper = faster_whisper.WhisperModel = refuse

ROOT = sys.argv[1]

class Watched(type(os.environ)):
    def __getitem__(self, key):
        frame = sys._getframe(1)
        while frame.f_code.co_filename.startswith(("<frozen", os.__file__)):
            frame = frame.f_back
        name = frame.f_code.co_filename
        if name.startswith(ROOT) and "site-packages" not in name:
            raise AssertionError(f"{name} reads {key} from the environment at import")
        return super().__getitem__(key)

os.environ.__class__ = Watched
for module in sys.argv[2:]:
    importlib.import_module(module)
assert threading.enumerate() == [threading.main_thread()], threading.enumerate()
"""


@pytest.fixture(scope="module")
def imported() -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WATCHED_IMPORT, str(ROOT), *MODULES]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_importing_starts_no_thread_loads_no_weights_and_reads_no_environment(imported: subprocess.CompletedProcess[str]) -> None:
    assert imported.returncode == 0, imported.stderr


def test_importing_says_nothing(imported: subprocess.CompletedProcess[str]) -> None:
    assert (imported.stdout, imported.stderr) == ("", "")
