"""What a process uses of its machine, read from outside. The only importer of psutil."""

from collections.abc import Callable
from dataclasses import dataclass

import psutil

from asr_server.errors import WrongCall


@dataclass(frozen=True, slots=True)
class Usage:
    """At one moment."""

    cpu_s: float
    """Processor time since the process began, user and system, of all its threads."""
    resident_bytes: int
    threads: int
    open_files: int
    """File descriptors, sockets included."""


class ProcessWatch:
    """One running process of this machine."""

    def __init__(self, pid: int, process_of: Callable[[int], psutil.Process] = psutil.Process) -> None:
        """Raises WrongCall when there is none, or it may not be looked at."""
        try:
            self._process = process_of(pid)
            self._read()
        except psutil.Error as error:
            raise WrongCall(f"process {pid} cannot be looked at: {error}") from None

    @property
    def has_ended(self) -> bool:
        try:
            return not self._process.is_running() or self._process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    def usage(self) -> Usage | None:
        """None when the process has ended, or may not be looked at any more: `has_ended` tells which."""
        try:
            return self._read()
        except psutil.Error:
            return None

    def _read(self) -> Usage:
        with self._process.oneshot():
            times = self._process.cpu_times()
            return Usage(
                cpu_s=times.user + times.system,
                resident_bytes=self._process.memory_info().rss,
                threads=self._process.num_threads(),
                # What fails first for a process of another user.
                open_files=self._process.num_fds(),
            )
