"""Whose a clip is, wherever clips are counted or drawn by speaker."""

from collections.abc import Sequence


def owners(speakers: Sequence[str | None]) -> list[str | int]:
    """Of each clip its speaker; a clip without one is a speaker of its own."""
    return [index if speaker is None else speaker for index, speaker in enumerate(speakers)]
