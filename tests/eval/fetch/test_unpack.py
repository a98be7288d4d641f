import io
import tarfile
from pathlib import Path
from types import ModuleType

import pytest

from eval.fetch.unpack import UnpackError, check_safe, unpack
from tests.eval.fetch.made_suites import packed


def test_an_archive_becomes_a_folder(tmp_path: Path) -> None:
    content = packed({"a/b.txt": b"hello", "c": b""})
    (tmp_path / "it.tar.gz").write_bytes(content)
    read: list[int] = []
    unpack(tmp_path / "it.tar.gz", tmp_path / "folder", read.append)
    assert (tmp_path / "folder/a/b.txt").read_bytes() == b"hello"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "it.tar.gz"]
    assert 0 < sum(read) <= len(content)


@pytest.mark.parametrize("name", ["../escaped", "a/../../escaped"])
def test_a_member_that_leads_out_leaves_nothing_behind(tmp_path: Path, name: str) -> None:
    (tmp_path / "it.tar.gz").write_bytes(packed({"fine": b"", name: b"gotcha"}))
    with pytest.raises(UnpackError, match=r"it\.tar\.gz: .*outside the destination"):
        unpack(tmp_path / "it.tar.gz", tmp_path / "in" / "folder")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["in", "it.tar.gz"]


def test_an_absolute_path_stays_inside(tmp_path: Path) -> None:
    (tmp_path / "it.tar.gz").write_bytes(packed({f"{tmp_path}/absolute": b""}))
    unpack(tmp_path / "it.tar.gz", tmp_path / "folder")
    assert not (tmp_path / "absolute").exists()


def test_a_link_that_leads_out_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "../../secret"
        tar.addfile(link)
    (tmp_path / "it.tar.gz").write_bytes(buffer.getvalue())
    with pytest.raises(UnpackError, match="link"):
        unpack(tmp_path / "it.tar.gz", tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


def test_a_python_whose_tarfile_does_not_keep_members_inside_is_told_at_once() -> None:
    check_safe(tarfile)
    with pytest.raises(UnpackError, match=r"needs Python 3\.11\.4 or newer"):
        check_safe(ModuleType("tarfile"))


@pytest.mark.parametrize("content", [b"", b"no archive", packed({"a": bytes(range(256)) * 100})[:300]])
def test_a_damaged_archive_leaves_no_folder(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "it.tar.gz").write_bytes(content)
    with pytest.raises(UnpackError, match=r"it\.tar\.gz: "):
        unpack(tmp_path / "it.tar.gz", tmp_path / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["it.tar.gz"]


def test_what_an_interrupted_call_left_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / "folder.unpacking").mkdir()
    (tmp_path / "folder.unpacking/old").touch()
    (tmp_path / "it.tar.gz").write_bytes(packed({"new": b""}))
    unpack(tmp_path / "it.tar.gz", tmp_path / "folder")
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["new"]
