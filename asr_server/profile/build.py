"""A profile of recordings: a server of one's own hears them, and writes what they were like when it stops."""

import asyncio
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from asr_server.accuracy.manifest import ManifestError, read_manifest
from asr_server.accuracy.texts import text_errors
from asr_server.api.client import Client
from asr_server.api.options import ClientOptions, StreamOptions
from asr_server.api.results import Result
from asr_server.errors import WrongCall
from asr_server.local_server import local_server, serve_command
from asr_server.watch.drift.expected import Judged, fit
from asr_server.watch.drift.features import FEATURES
from asr_server.watch.drift.reference import Reference, read_reference
from asr_server.watch.journal.reading import read_journal
from asr_server.watch.journal.rows import SegmentRow
from asr_server.watch.labels import CLIENT

AT_A_TIME = 4


@dataclass(frozen=True, slots=True)
class Recording:
    audio: Path
    text: str = ""
    """What is said in it; empty: not known."""
    language: str = ""
    """Empty: the server's default."""


def recordings_of(manifest: Path) -> list[Recording]:
    """Those of a manifest. Raises `WrongCall`, naming the line that is wrong."""
    try:
        return [Recording(clip.audio, clip.text, clip.language) for clip in read_manifest(manifest, want_text=False)]
    except ManifestError as error:
        raise WrongCall(str(error)) from None


async def build(recordings: Sequence[Recording], model: str, preset: str, heard: Callable[[], None]) -> Reference:
    """Of all segments of the recordings, with an error model where enough of their texts are known. `heard` is told of each recording.

    Spoken in real time, since segments are closed otherwise where texts come too late. What is of the machine is left out: it has something
    else to do in production.

    Raises `WrongCall` for one that is not there, and what the server and its client do.
    """
    missing = [one.audio for one in recordings if not one.audio.is_file()]
    if missing or not recordings:
        raise WrongCall(f"there is no {missing[0]}" if missing else "no recording was named")
    with tempfile.TemporaryDirectory(prefix="asr-profile-") as folder:
        gathered, journal, config = (Path(folder) / name for name in ("profile.json", "journal.db", "config.yaml"))
        config.write_text(yaml.safe_dump({"telemetry": {"gather": str(gathered), "journal": str(journal)}}), encoding="utf-8")
        texts: dict[int, str] = {}
        async with local_server(serve_command(model, config)) as server:
            left = iter(enumerate(recordings))

            async def hear() -> None:
                for number, one in left:
                    texts[number] = await _spoken(server.address, one, str(number), preset)
                    heard()

            async with asyncio.TaskGroup() as group:
                for _ in range(AT_A_TIME):
                    group.create_task(hear())
        made = read_reference(gathered).without(
            [one.name for one in FEATURES if one.kind == "system"],
            labels=["client"],  # each recording was one, to be found again
        )
        made.error_model = fit(_judged(recordings, texts, read_journal(journal).segments))
        return made


async def _spoken(address: str, recording: Recording, app: str, preset: str) -> str:
    """Its text."""
    options = StreamOptions(preset=preset, language_code=recording.language)
    async with Client(address, options=ClientOptions(metadata=((CLIENT, app),))) as client:
        heard = client.stream_file(recording.audio, options, realtime=True)
        return " ".join([result.text async for result in heard if isinstance(result, Result) and result.is_final])


def _judged(recordings: Sequence[Recording], texts: Mapping[int, str], rows: Sequence[SegmentRow]) -> Iterator[Judged]:
    """Recordings of which the right text is known, and something was recognised."""
    by_app: dict[str, list[SegmentRow]] = {}
    for row in rows:
        if row.words and "log_probability" in row.profile:
            by_app.setdefault(row.client, []).append(row)
    for number, one in enumerate(recordings):
        of_it = by_app.get(str(number), [])
        if one.text and of_it:
            words = sum(row.words for row in of_it)
            doubt = sum(row.words * row.profile["log_probability"] for row in of_it) / words
            yield Judged(doubt, text_errors(one.text, texts[number], one.language))
