"""What every call shares and none may change: the worker, the data definition, the release."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from asr_server.api.admission import Load
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
    smaller: Release | None = None
    """The model that takes over where the main one would be late, where there is one."""

    def system_of(self, release: Release) -> pb.SystemVersion:
        """What makes a text that `release` decoded."""
        if self.smaller is None or release != self.smaller:
            return self.system
        return system_version(self.system.code, (self.definition.version, self.definition.digest), release)
