"""A profile of recordings: a server of one's own hears them, and writes what they were like when it stops."""

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import yaml

from asr_server.accuracy.manifest import ManifestError, read_manifest
from asr_server.api.client import Client
from asr_server.api.options import StreamOptions
from asr_server.errors import WrongCall
from asr_server.local_server import local_server, serve_command
from asr_server.watch.drift.features import FEATURES
from asr_server.watch.drift.reference import Reference, read_reference

AT_A_TIME = 4


def recordings_of(manifest: Path) -> list[Path]:
    """The audio of a manifest. Raises `WrongCall`, naming the line that is wrong."""
    try:
        return [clip.audio for clip in read_manifest(manifest, want_text=False)]
    except ManifestError as error:
        raise WrongCall(str(error)) from None


async def build(recordings: Sequence[Path], model: str, preset: str, heard: Callable[[], None]) -> Reference:
    """Of all segments of the recordings. `heard` is told of each recording.

    Spoken in real time, since segments are closed otherwise where texts come too late. What is of the machine is left out: it has something
    else to do in production.

    Raises `WrongCall` for one that is not there, and what the server and its client do.
    """
    missing = [path for path in recordings if not path.is_file()]
    if missing or not recordings:
        raise WrongCall(f"there is no {missing[0]}" if missing else "no recording was named")
    with tempfile.TemporaryDirectory(prefix="asr-profile-") as folder:
        gathered, config = Path(folder) / "profile.json", Path(folder) / "config.yaml"
        config.write_text(yaml.safe_dump({"telemetry": {"gather": str(gathered)}}), encoding="utf-8")
        async with local_server(serve_command(model, config)) as server, Client(server.address) as client:
            left = iter(recordings)

            async def hear() -> None:
                for path in left:
                    async for _ in client.stream_file(path, StreamOptions(preset=preset), realtime=True):
                        pass
                    heard()

            async with asyncio.TaskGroup() as group:
                for _ in range(AT_A_TIME):
                    group.create_task(hear())
        return read_reference(gathered).without(one.name for one in FEATURES if one.kind == "system")
