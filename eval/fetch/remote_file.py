"""A file on somebody else's server: where it is, how large it is, and by what it is recognised. Knows no HTTP."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

_HEX_LENGTHS = {"sha256": 64, "git-blob": 40}
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Digest:
    """`git-blob` is git's name of a file's content: sha1 of "blob", the length, a zero byte and the content."""

    kind: Literal["sha256", "git-blob"]
    hex: str

    def __post_init__(self) -> None:
        if len(self.hex) != _HEX_LENGTHS[self.kind] or not set(self.hex) <= set("0123456789abcdef"):
            raise ValueError(f"{self.hex!r} is not a {self.kind} in lower case hexadecimal")

    def __str__(self) -> str:
        return f"{self.kind} {self.hex}"


def digest_of(path: Path, kind: Literal["sha256", "git-blob"], advance: Callable[[int], None] = lambda _: None) -> Digest:
    """Of a whole file; `advance` gets the bytes read."""
    git_header = f"blob {path.stat().st_size}\0".encode()
    state = hashlib.sha256() if kind == "sha256" else hashlib.sha1(git_header, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            state.update(block)
            advance(len(block))
    return Digest(kind, state.hexdigest())


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """Where a file is, and what was published about it ahead."""

    url: str
    size_bytes: int | None = None
    """None: the server says."""
    digest: Digest | None = None
    """None: the server says, and a server that does not is refused."""

    @property
    def name(self) -> str:
        """The last part of its path."""
        return urlsplit(self.url).path.rpartition("/")[2]

    def mirrored(self, mirror: str | None) -> "RemoteFile":
        """The same file from another server, which has it under the same path below `mirror`, a URL. None changes nothing."""
        if mirror is None:
            return self
        return RemoteFile(mirror.rstrip("/") + urlsplit(self.url).path, self.size_bytes, self.digest)
