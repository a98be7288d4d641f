"""Manifests: JSON lines, one recording a line.

`audio` (or NeMo's `audio_filepath`), relative to the manifest, and `text`, what is said; optionally `id`, `set`, `language`, `duration_s`
(or NeMo's `duration`), `speaker`, `conditions` (a list), `words` (a list of `{"word", "start", "end"}`, seconds). Other fields are let be.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


class ManifestError(ValueError):
    """A manifest that cannot be used. The message names file, line and field."""


@dataclass(frozen=True, slots=True)
class TimedWord:
    """A reference word with where it is in the audio."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording with what is said in it."""

    id: str
    audio: Path
    text: str
    set: str = "all"
    language: str = "en"
    duration_s: float | None = None
    speaker: str | None = None
    conditions: tuple[str, ...] = ()
    words: tuple[TimedWord, ...] = ()

    @property
    def speech_end_s(self) -> float | None:
        """End of the last word, where the manifest tells."""
        return max((word.end_s for word in self.words), default=None)


def read_manifest(path: Path, *, want_audio: bool = True, want_text: bool = True) -> list[Clip]:
    """Every clip, in order. Raises ManifestError: no file, not JSON, a field missing or of the wrong kind, no audio file, an id twice.

    Without `want_audio` audio files may be missing, without `want_text` texts.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ManifestError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ManifestError(f"{path}: not UTF-8 text") from error
    clips: dict[str, Clip] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        clip = _clip(path, number, line, want_audio=want_audio, want_text=want_text)
        if clip.id in clips:
            raise ManifestError(f"{path}:{number}: id {clip.id!r} stands on an earlier line already")
        clips[clip.id] = clip
    if not clips:
        raise ManifestError(f"{path}: no clips in it")
    return list(clips.values())


def _clip(path: Path, number: int, line: str, *, want_audio: bool, want_text: bool) -> Clip:
    row = _Row(f"{path}:{number}", line)
    audio = row.text("audio") or row.text("audio_filepath")
    if not audio:
        raise ManifestError(f"{row.place}: audio (or audio_filepath) is missing")
    text = row.text("text")
    if text is None and want_text:
        raise ManifestError(f'{row.place}: text is missing; "" says that nothing is spoken')
    if row.seconds("offset"):
        raise ManifestError(f"{row.place}: offset is not supported, one file a clip is")
    file = path.parent / audio
    if want_audio and not file.is_file():
        raise ManifestError(f"{row.place}: audio: no such file: {file}")
    duration_s = row.seconds("duration_s")
    return Clip(
        id=row.text("id") or audio,
        audio=file,
        text=text or "",
        set=row.text("set") or "all",
        language=row.text("language") or "en",
        duration_s=duration_s if duration_s is not None else row.seconds("duration"),
        speaker=row.text("speaker"),
        conditions=row.texts("conditions"),
        words=row.words(),
    )


class _Row:
    """One line's fields, read by kind. null counts as absent."""

    def __init__(self, place: str, line: str) -> None:
        self.place = place
        try:
            fields = json.loads(line)
        except json.JSONDecodeError as error:
            raise ManifestError(f"{place}: not JSON: {error.msg} at column {error.colno}") from error
        if not isinstance(fields, dict):
            raise ManifestError(f"{place}: not a JSON object")
        self._fields: Mapping[str, object] = fields

    def text(self, field: str) -> str | None:
        value = self._fields.get(field)
        if value is None or isinstance(value, str):
            return value
        raise ManifestError(f"{self.place}: {field} is {value!r}, wanted text")

    def seconds(self, field: str) -> float | None:
        value = self._fields.get(field)
        return None if value is None else self._number(field, value)

    def texts(self, field: str) -> tuple[str, ...]:
        values = self._list(field)
        if not all(isinstance(value, str) for value in values):
            raise ManifestError(f"{self.place}: {field} is not a list of texts")
        return tuple(str(value) for value in values)

    def words(self) -> tuple[TimedWord, ...]:
        words = []
        for index, value in enumerate(self._list("words")):
            if not isinstance(value, dict):
                raise ManifestError(f"{self.place}: words[{index}] is not an object")
            start_s, end_s = (self._number(f"words[{index}].{name}", value.get(name)) for name in ("start", "end"))
            if start_s > end_s:
                raise ManifestError(f"{self.place}: words[{index}] ends before it starts")
            words.append(TimedWord(str(value.get("word", "")), start_s, end_s))
        return tuple(words)

    def _list(self, field: str) -> list[object]:
        value = self._fields.get(field)
        if value is None:
            return []
        if not isinstance(value, list):
            raise ManifestError(f"{self.place}: {field} is {value!r}, wanted a list")
        return value

    def _number(self, field: str, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
            raise ManifestError(f"{self.place}: {field} is {value!r}, wanted seconds, not negative")
        return float(value)
