"""What `eval` asks of anything that recognises, and how it says that it did not."""

from dataclasses import dataclass
from typing import Protocol

from asr_server.engine.engine import Release
from eval.manifest import Clip


class Skipped(Exception):
    """The clip was not recognised, and why. It counts nowhere and is reported."""


class Failed(Exception):
    """The clip should have been recognised and was not. Every word of it counts as missing."""


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


class Recogniser(Protocol):
    @property
    def system(self) -> System: ...

    async def hear(self, clip: Clip) -> str:
        """What is said in the clip. Raises Skipped or Failed. Several clips may be heard at a time."""
