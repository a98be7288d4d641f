import os
from pathlib import Path

import pytest

from asr_server.errors import SetupError, WrongCall
from bench.serving import Config, serving


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


async def test_a_server_of_ones_own_reads_the_config_and_runs_the_model_that_it_names(tmp_path: Path) -> None:
    config = tmp_path / "s.yaml"
    config.write_text("model: no-such-model")
    with pytest.raises(SetupError, match="no-such-model"):
        async with serving(None, None, config=config):
            pass


async def test_a_model_that_is_asked_for_outranks_the_one_in_the_config(tmp_path: Path) -> None:
    config = tmp_path / "s.yaml"
    config.write_text("model: base")
    with pytest.raises(SetupError, match="no-such-model"):
        async with serving(None, "no-such-model", config=config):
            pass


async def test_a_config_that_is_wrong_is_told_in_the_servers_words(tmp_path: Path) -> None:
    config = tmp_path / "s.yaml"
    config.write_text("modle: base")
    with pytest.raises(SetupError, match="modle: unknown; accepted: "):
        async with serving(None, None, config=config):
            pass


def test_a_config_is_recorded_by_its_name_and_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_bytes(b"")
    assert Config.of(tmp_path / "s.yaml") == Config("s.yaml", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    assert Config.of(None) is None
