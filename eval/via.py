"""The three ways to have a recording recognised: our engine, our server, plain faster-whisper."""

from dataclasses import dataclass
from enum import StrEnum


class Via(StrEnum):
    """Who recognises."""

    ENGINE = "engine"
    SERVER = "server"
    FASTER_WHISPER = "faster-whisper"


HOW = ("via", "realtime", "budget_ms", "preset", "jobs")
"""Fields of a result that say how the clips were heard; all but the first where a server heard them."""


@dataclass(frozen=True, slots=True)
class ViaOptions:
    via: Via
    model: str = "base"
    server: str | None = None
    """host:port of a running server; None: one is started for the run."""
    realtime: bool = False
    budget_ms: int = 0
    """Latency budget asked of the server for each final; 0: the server's."""
    preset: str = ""
    """How the server weighs accuracy against time; "": its own choice."""
    definition: str = "v1"
    """Data definition of the engine: a name, a file, or "none"."""
    beam_size: int = 5
    """Of the engine."""
    jobs: int = 1
    """Clips at a time."""
    threads: int = 1
    """Of faster-whisper."""

    def as_json(self) -> dict[str, object]:
        """What shapes the texts beside the system, for the record."""
        of_server = {"realtime": self.realtime, "budget_ms": self.budget_ms, "preset": self.preset, "jobs": self.jobs}
        return {"via": str(self.via), **(of_server if self.via is Via.SERVER else {})}
