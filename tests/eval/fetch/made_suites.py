"""Tiny suites in the layout of the real ones, packed as they are, of the short recordings every test may use."""

import hashlib
import io
import tarfile
from pathlib import Path

import soundfile

from eval.fetch.remote_file import Digest, RemoteFile
from eval.fetch.suites import Suite
from tests.recordings import recording

SPEAKERS = """; a comment
;ID  |SEX| SUBSET           |MINUTES| NAME
61   | M | test-clean       | 8.08  | Paul | Someone
1089 | F | test-clean       | 8.1   | Ann
"""


def packed(files: dict[str, bytes]) -> bytes:
    """A .tar.gz of them; the same every time."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def flac(name: str) -> bytes:
    samples, rate_hz = soundfile.read(recording(name))
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate_hz, format="FLAC")
    return buffer.getvalue()


def librispeech_files() -> dict[str, bytes]:
    """Of test-clean: two speakers, three recordings, of which one has a text and did not come."""
    top = "LibriSpeech/test-clean"
    return {
        "LibriSpeech/SPEAKERS.TXT": SPEAKERS.encode(),
        f"{top}/61/70968/61-70968.trans.txt": b"61-70968-0000 HELLO WORLD\n61-70968-0001 NOT THERE\n",
        f"{top}/61/70968/61-70968-0000.flac": flac("hello_world"),
        f"{top}/1089/134686/1089-134686.trans.txt": b"1089-134686-0000 ONE TWO THREE\n",
        f"{top}/1089/134686/1089-134686-0000.flac": flac("counting"),
    }


def fleurs_files() -> dict[str, bytes]:
    return {"test/100.wav": recording("hello_world").read_bytes(), "test/200.wav": recording("counting").read_bytes()}


def fleurs_tsv() -> bytes:
    rows = [
        ("7", "100.wav", 'Hello, "world".', "hello world", "h e l l o", "48000", "FEMALE"),
        ("8", "200.wav", "One, two.", "one two", "o n e", "48000", "OTHER"),
    ]
    return "".join("\t".join(row) + "\n" for row in rows).encode()


def same_but_for_files(suite: Suite, contents: dict[str, bytes]) -> Suite:
    """A suite with the digests of these contents; by the names of its files."""
    files = tuple(
        RemoteFile(file.url, len(contents[file.name]), Digest("sha256", hashlib.sha256(contents[file.name]).hexdigest()))
        for file in suite.files
    )
    return Suite(suite.name, suite.title, suite.language, suite.licence, suite.page, suite.citation, files, suite.read)


def laid_out(files: dict[str, bytes], folder: Path) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
