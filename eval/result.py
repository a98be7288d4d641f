"""Results of `python -m eval run`, read back: what `compare`, `slices`, `labels`, `tail` and the page work on."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from asr_server.accuracy.normalize import is_spaceless
from asr_server.accuracy.wer import ErrorCounts
from asr_server.errors import WrongCall
from audio_norm import Inspection
from eval.recognisers import Heard, HeardSegment, System
from eval.via import Via

Kind = Literal["words", "characters", "silence"]
"""What a clip's errors are of: words; characters, in languages without word spaces; words heard where nobody speaks. They do not add."""


@dataclass(frozen=True, slots=True)
class ClipResult:
    """One clip as it was said and as it was heard."""

    id: str
    set: str
    language: str
    speaker: str | None
    conditions: tuple[str, ...]
    reference: str
    """As the manifest has it."""
    reference_words: str
    """Normalised, as compared."""
    hypothesis_words: str
    """Normalised, as compared."""
    counts: ErrorCounts
    heard: Heard
    audio: Inspection | None
    """None when the recogniser failed."""
    error: str

    @property
    def is_silence(self) -> bool:
        """Nobody speaks in it, by its reference."""
        return not self.reference.strip()

    @property
    def kind(self) -> Kind:
        return "silence" if self.is_silence else "characters" if is_spaceless(self.language) else "words"


@dataclass(frozen=True, slots=True)
class RunResult:
    """One run."""

    path: Path
    clips: Mapping[str, ClipResult]
    """By id, in the order of the manifest."""
    text_rules: str
    system: System
    manifest: Path
    """Where the recordings are listed; in the JSON as seen from the folder of `path`."""
    fields: Mapping[str, Any]
    """All of the JSON: rates by set and so on."""

    @property
    def knows_loudness(self) -> bool:
        """Of the audio that the recogniser was given: a server tells its length only."""
        return self.fields.get("via") != Via.SERVER


def read_run(path: Path) -> RunResult:
    """Raises WrongCall for a file that is not the result of a run."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise WrongCall(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None
    except json.JSONDecodeError:
        raise WrongCall(f"{path} is not JSON: wanted a result of `python -m eval run --json`") from None
    try:
        clips = [_clip(one) for one in fields["hypotheses"]]
        system, text_rules = System.from_json(fields["system"]), str(fields["text_rules"])
        manifest = path.parent / fields["data"]["manifest"]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WrongCall(f"{path} is not a result of this version's `python -m eval run`: {type(error).__name__}: {error}") from None
    return RunResult(path, {clip.id: clip for clip in clips}, text_rules, system, manifest, fields)


def _clip(row: Mapping[str, Any]) -> ClipResult:
    segments = tuple(HeardSegment(**segment) for segment in row["segments"])
    return ClipResult(
        id=row["id"],
        set=row["set"],
        language=row["language"],
        speaker=row["speaker"],
        conditions=tuple(row["conditions"]),
        reference=row["ref"],
        reference_words=row["ref_words"],
        hypothesis_words=row["hyp_words"],
        counts=ErrorCounts(row["S"], row["D"], row["I"], row["words"]),
        heard=Heard(segments, row["given_s"], row["given_lufs"]),
        audio=Inspection(**row["audio"]) if row["audio"] is not None else None,
        error=row["error"],
    )
