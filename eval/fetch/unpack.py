"""Archives unpacked: wholly or not at all, and nowhere but into their folder."""

import shutil
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType


class UnpackError(Exception):
    """An archive that was not unpacked. One line: which, and why."""


def check_safe(library: ModuleType = tarfile) -> None:
    """Raises UnpackError when this Python's tarfile lacks the filter that keeps members in their folder."""
    if not hasattr(library, "data_filter"):
        raise UnpackError("unpacking needs Python 3.11.4 or newer: before, tarfile cannot keep an archive in its folder")


def unpack(archive: Path, folder: Path, advance: Callable[[int], None] = lambda _: None) -> None:
    """Make `folder`, which must not be there, from a tar file of any compression. `advance` gets the bytes read of the archive.

    Raises UnpackError, and leaves nothing, for a damaged archive, for members that lead out of the folder (absolute paths, "..", links,
    devices: Python's "data" filter), for a Python without that filter and for a full disk.
    """
    check_safe()
    unfinished = folder.with_name(f"{folder.name}.unpacking")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        with archive.open("rb") as file, tarfile.open(fileobj=file, mode="r|*") as tar:
            read = 0
            for member in tar:
                tar.extract(member, unfinished, filter="data")
                advance(file.tell() - read)
                read = file.tell()
        unfinished.rename(folder)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise UnpackError(f"{archive.name}: {error}") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
