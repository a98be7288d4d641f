"""What more than one folder of tests needs: a real server with real weights, real speech, and patience for slow machines."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The larger speech collection, where there is one."""
    if not SHARED_DATA.exists():
        pytest.skip("the larger speech collection is not here")
    return SHARED_DATA


@pytest.fixture(scope="session")
def server_address() -> Iterator[str]:
    """A server of its own process with real weights (tiny.en), started as a user would."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ASR_", "OTEL_"))}
    command = [sys.executable, "-m", "asr_server", "serve", "--port", "0", "--model", "tiny.en"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("ready "), line
        yield line.split()[1]
        process.terminate()
        assert process.wait(timeout=60) == 0
