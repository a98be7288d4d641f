"""Where the short recordings of real speech are that every test may use: files of an installed package whose code is not run."""

from importlib.resources import files
from pathlib import Path


def recording(name: str, language: str = "en") -> Path:
    """A WAV of a few seconds, such as "hello_world", "counting", "quick_brown_fox"."""
    return Path(str(files("pytest_audioeval") / "samples" / "audio" / language / f"{name}.wav"))
