"""What a process uses of its machine, read from outside. The only importer of psutil."""

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

    def __init__(self, pid: int) -> None:
        """Raises WrongCall when there is none, or it may not be looked at."""
        try:
            self._process = psutil.Process(pid)
        except psutil.Error as error:
            raise WrongCall(f"process {pid} cannot be looked at: {error}") from None

    def usage(self) -> Usage | None:
        """None when the process has ended, or may no longer be looked at."""
        try:
            with self._process.oneshot():
                times = self._process.cpu_times()
                return Usage(
                    cpu_s=times.user + times.system,
                    resident_bytes=self._process.memory_info().rss,
                    threads=self._process.num_threads(),
                    open_files=self._process.num_fds(),
                )
        except psutil.Error:
            return None
