"""What every call shares and none may change: the worker, the data definition, the release."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from asr_server.api.admission import Load
from asr_server.api.wire import Served
from asr_server.engine.engine import Engine
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
    load: Load | None = None
    now: Callable[[], float] = time.monotonic
