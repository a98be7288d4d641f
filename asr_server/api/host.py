"""What every call shares and none may change: the worker, the data definition, the release."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from asr_server.api.admission import Load
from asr_server.api.feedback import Feedback
from asr_server.api.second import SecondOpinions
from asr_server.api.wire import Served, system_version
from asr_server.engine.engine import Engine, Release
from asr_server.engine.worker import Worker
from asr_server.pb import asr_pb2 as pb
from audio_norm import DataDefinition


@dataclass(frozen=True, slots=True)
class Host:
    worker: Worker
    engine: Engine
    definition: DataDefinition
    served: Served
    system: pb.SystemVersion
    """Of what the main engine decodes."""
    load: Load | None = None
    now: Callable[[], float] = time.monotonic
    smaller: Engine | None = None
    """What decodes in its stead where there is more hurry than weight."""
    feedback: Feedback | None = None
    """Takes what users say of segments; None: nobody does."""
    second: SecondOpinions | None = None
    """Decodes a few segments once more; None: nobody does."""
    instance: str = field(default_factory=lambda: secrets.token_hex(4))
    """Unlike that of any other server, or of this one before it was started again."""

    @property
    def engines(self) -> tuple[Engine, ...]:
        """The main one first."""
        return (self.engine,) if self.smaller is None else (self.engine, self.smaller)

    def system_of(self, release: Release) -> pb.SystemVersion:
        """What makes a text that `release` decoded."""
        if self.smaller is None or release != self.smaller.release:
            return self.system
        return system_version(self.system.code, (self.definition.version, self.definition.digest), release)
