import os

import pytest

from asr_server.errors import SetupError, WrongCall
from bench.serving import serving


async def test_a_server_that_runs_is_taken_as_it_is_and_its_process_is_not_known() -> None:
    async with serving("127.0.0.1:4711", "base") as served:
        assert (served.address, served.process, served.is_own) == ("127.0.0.1:4711", None, False)


async def test_the_process_of_a_server_that_runs_may_be_named() -> None:
    async with serving("127.0.0.1:4711", "base", pid=os.getpid()) as served:
        assert served.process is not None
        assert served.process.usage() is not None


async def test_a_process_that_is_not_there_is_a_wrong_call() -> None:
    with pytest.raises(WrongCall, match="process 999999999 cannot be looked at"):
        async with serving("127.0.0.1:4711", "base", pid=999_999_999):
            pass


async def test_a_server_of_ones_own_that_does_not_start_is_told_with_its_last_words() -> None:
    with pytest.raises(SetupError, match="no-such-model"):
        async with serving(None, "no-such-model"):
            pass
