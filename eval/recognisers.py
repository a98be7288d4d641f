"""What `eval` asks of anything that recognises, what it gets, and how it is told that there is nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from asr_server.accuracy.manifest import Clip
from asr_server.engine.engine import Release


class Skipped(Exception):
    """The clip was not recognised, and why. It counts nowhere and is reported."""


class Failed(Exception):
    """The clip should have been recognised and was not. Every word of it counts as missing."""


@dataclass(frozen=True, slots=True)
class HeardSegment:
    """What was heard in one stretch of a clip; seconds from its beginning."""

    text: str
    start_s: float
    end_s: float
    confidence: float
    """0 to 1, as the recogniser has it."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What was heard in a clip."""

    segments: tuple[HeardSegment, ...] = ()
    given_s: float | None = None
    """Audio the recogniser was given after the data definition; None where that is not known."""
    given_lufs: float | None = None
    """Its loudness (BS.1770-4); None where that is not known or cannot be measured."""

    @property
    def text(self) -> str:
        return " ".join(text for segment in self.segments if (text := segment.text.strip()))

    @property
    def confidence(self) -> float | None:
        """Mean over the words; None when none were heard."""
        words = [len(segment.text.split()) for segment in self.segments]
        if not sum(words):
            return None
        return sum(segment.confidence * count for segment, count in zip(self.segments, words, strict=True)) / sum(words)


@dataclass(frozen=True, slots=True)
class System:
    """Code, data definition and release: what made the texts."""

    code: str
    data_definition: str
    """Version, with the digest of its rules where known."""
    release: Release

    def as_json(self) -> dict[str, object]:
        release = {"model": self.release.model, "weights_sha256": self.release.weights_sha256, "options": dict(self.release.options)}
        return {"code": self.code, "data_definition": self.data_definition, "release": release}

    @classmethod
    def from_json(cls, fields: Mapping[str, object]) -> "System":
        """What `as_json` wrote. Raises KeyError or TypeError for anything else."""
        release = fields["release"]
        if not isinstance(release, Mapping):
            raise TypeError("release is not an object")
        made = Release(str(release["model"]), str(release["weights_sha256"]), {str(k): str(v) for k, v in release["options"].items()})
        return cls(str(fields["code"]), str(fields["data_definition"]), made)


class Recogniser(Protocol):
    @property
    def system(self) -> System: ...

    async def hear(self, clip: Clip) -> Heard:
        """What is said in the clip. Raises Skipped or Failed. Several clips may be heard at a time."""
