import asyncio
import os
import sys

import psutil
import pytest

from asr_server.errors import WrongCall
from bench.process import ProcessWatch


def test_this_process_is_seen_as_it_is() -> None:
    usage = ProcessWatch(os.getpid()).usage()
    assert usage is not None
    assert usage.cpu_s > 0
    assert usage.resident_bytes > 10_000_000
    assert usage.threads >= 1


def test_what_a_process_opens_and_takes_is_seen() -> None:
    watch = ProcessWatch(os.getpid())
    before = watch.usage()
    files = [os.open(os.devnull, os.O_RDONLY) for _ in range(10)]
    held = bytearray(b"x") * 50_000_000
    after = watch.usage()
    for file in files:
        os.close(file)
    assert before is not None
    assert after is not None
    assert after.open_files >= before.open_files + 10
    assert after.resident_bytes >= before.resident_bytes + len(held) // 2


async def test_a_process_that_has_ended_is_not_seen_any_more() -> None:
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", "input()", stdin=asyncio.subprocess.PIPE)
    watch = ProcessWatch(child.pid)
    assert watch.usage() is not None
    assert not watch.has_ended
    await child.communicate(b"\n")
    assert watch.usage() is None
    assert watch.has_ended
    with pytest.raises(WrongCall, match=f"process {child.pid} cannot be looked at"):
        ProcessWatch(child.pid)


class FakeProcess(psutil.Process):
    """This process, whose open files only the first `looks` may see: then it belongs to somebody else."""

    def __init__(self, pid: int, looks: int) -> None:
        super().__init__(pid)
        self._left = looks

    def num_fds(self) -> int:
        self._left -= 1
        if self._left < 0:
            raise psutil.AccessDenied(self.pid)
        return super().num_fds()


def test_a_process_that_may_not_be_looked_at_is_a_wrong_call_and_not_taken_for_one_that_ended() -> None:
    with pytest.raises(WrongCall, match=f"process {os.getpid()} cannot be looked at"):
        ProcessWatch(os.getpid(), lambda pid: FakeProcess(pid, looks=0))
    watch = ProcessWatch(os.getpid(), lambda pid: FakeProcess(pid, looks=1))
    assert (watch.usage(), watch.has_ended) == (None, False)
