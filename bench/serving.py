"""The server that a bench speaks to: one that runs already, or one started for the run in a process of its own."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from asr_server.api.results import PresetView
from asr_server.local_server import local_server, serve_command
from bench.process import ProcessWatch

MODEL = "base"
"""Of a server that is started, where neither a caller nor a config names one."""


@dataclass(frozen=True, slots=True)
class StopMs:
    """Silence after which a preset closes a segment, in ms."""

    shortest: int
    """When its text is sure."""
    longest: int
    """Whatever its text."""

    @classmethod
    def of(cls, preset: PresetView) -> Self:
        return cls(preset.shortest_stop_ms, preset.longest_stop_ms)


@dataclass(frozen=True, slots=True)
class Serving:
    address: str
    """host:port"""
    process: ProcessWatch | None
    """None for a server whose process is not known: what it uses of its machine is not measured."""
    is_own: bool
    """Started for the run."""


@dataclass(frozen=True, slots=True)
class Config:
    """The file of settings that a server was started with, for the record."""

    name: str
    sha256: str

    @classmethod
    def of(cls, path: Path | None) -> Self | None:
        """None: the server has its defaults. Raises OSError for a file that cannot be read."""
        return None if path is None else cls(path.name, hashlib.sha256(path.read_bytes()).hexdigest())


@asynccontextmanager
async def serving(server: str | None, model: str | None, *, pid: int | None = None, config: Path | None = None) -> AsyncIterator[Serving]:
    """`server`: host:port; None: one is started, with the settings in `config` and with `model`; None: the one that `config` names, without
    any MODEL. `pid`: of a `server` on this machine, to see what it uses.

    Raises SetupError when it does not start, WrongCall for a process that cannot be looked at.
    """
    if server is not None:
        yield Serving(server, ProcessWatch(pid) if pid is not None else None, is_own=False)
    else:
        chosen = model or ("" if config is not None else MODEL)
        async with local_server(serve_command(chosen, config)) as started:
            yield Serving(started.address, ProcessWatch(started.pid), is_own=True)
