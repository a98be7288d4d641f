"""Downloads against a real server on the loopback that breaks off, changes its files and states digests."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from eval.fetch.download import Downloader, DownloadError, Known, Patience
from eval.fetch.remote_file import Digest, RemoteFile, digest_of
from tests.eval.fetch.file_server import FileServer, Served, file_server

CONTENT = bytes(range(256)) * 400
PATH = "/data/speech.tar.gz"


@pytest.fixture
def server() -> Iterator[FileServer]:
    with file_server() as server:
        server.files[PATH] = Served(CONTENT)
        yield server


class Waits:
    """Sleeps for no time and remembers for how long it should have."""

    def __init__(self) -> None:
        self.waited_s: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.waited_s.append(seconds)


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def downloader(waits: Waits) -> Iterator[Downloader]:
    with Downloader(Patience(attempts=3, silence_s=5), waits) as downloader:
        yield downloader


def sha256(content: bytes) -> Digest:
    return Digest("sha256", hashlib.sha256(content).hexdigest())


def published(server: FileServer, content: bytes = CONTENT) -> RemoteFile:
    return RemoteFile(server.url + PATH, len(content), sha256(content))


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_gets_its_name_when_it_is_whole_and_checked(server: FileServer, downloader: Downloader, tmp_path: Path) -> None:
    came: list[int] = []
    downloader.fetch(downloader.ask(published(server)), tmp_path / "it", came.append)
    assert (tmp_path / "it").read_bytes() == CONTENT
    assert left_in(tmp_path) == ["it"]
    assert sum(came) == len(CONTENT)


def test_a_file_that_is_there_is_not_asked_for(server: FileServer, downloader: Downloader, tmp_path: Path) -> None:
    known = downloader.ask(published(server))
    downloader.fetch(known, tmp_path / "it")
    before = len(server.asked)
    downloader.fetch(known, tmp_path / "it")
    assert len(server.asked) == before


def test_a_broken_connection_is_gone_on_with_where_it_broke(
    server: FileServer, downloader: Downloader, waits: Waits, tmp_path: Path
) -> None:
    server.files[PATH].cuts = [30_000, 20_000]
    came: list[int] = []
    downloader.fetch(downloader.ask(published(server)), tmp_path / "it", came.append)
    assert (tmp_path / "it").read_bytes() == CONTENT
    assert [wanted for method, _, wanted in server.asked if method == "GET"] == ["", "bytes=30000-", "bytes=50000-"]
    assert waits.waited_s == [1.0, 1.0]
    assert sum(came) == len(CONTENT)


def test_a_later_call_goes_on_with_what_an_earlier_one_left(
    server: FileServer, downloader: Downloader, waits: Waits, tmp_path: Path
) -> None:
    server.files[PATH].cuts = [30_000, 0, 0, 0]
    known = downloader.ask(published(server))
    with pytest.raises(DownloadError, match=r"speech.tar.gz: .*; gave up after 3 attempts"):
        downloader.fetch(known, tmp_path / "it")
    assert left_in(tmp_path) == ["it.partial", "it.partial.version"]
    assert waits.waited_s == [1.0, 1.0, 2.0]
    server.files[PATH].cuts = []
    came: list[int] = []
    downloader.fetch(known, tmp_path / "it", came.append)
    assert came[0] == 30_000
    assert server.asked[-1] == ("GET", PATH, "bytes=30000-")
    assert (tmp_path / "it").read_bytes() == CONTENT


def test_a_file_that_changed_meanwhile_is_not_glued_together(server: FileServer, downloader: Downloader, tmp_path: Path) -> None:
    changed = bytes(reversed(CONTENT))
    server.files[PATH].cuts = [30_000, 0, 0, 0]
    with pytest.raises(DownloadError, match="gave up"):
        downloader.fetch(downloader.ask(published(server)), tmp_path / "it")
    server.files[PATH] = Served(changed)
    came: list[int] = []
    downloader.fetch(downloader.ask(published(server, changed)), tmp_path / "it", came.append)
    assert (tmp_path / "it").read_bytes() == changed
    assert sum(came) == len(changed)


def test_a_server_without_ranges_sends_the_whole_again(server: FileServer, downloader: Downloader, tmp_path: Path) -> None:
    server.files[PATH].knows_ranges = False
    server.files[PATH].cuts = [30_000]
    downloader.fetch(downloader.ask(published(server)), tmp_path / "it")
    assert (tmp_path / "it").read_bytes() == CONTENT


def test_without_a_version_to_hold_it_against_nothing_is_gone_on_with(server: FileServer, downloader: Downloader, tmp_path: Path) -> None:
    server.files[PATH].tag = False
    server.files[PATH].cuts = [30_000]
    downloader.fetch(downloader.ask(published(server)), tmp_path / "it")
    assert [wanted for method, _, wanted in server.asked if method == "GET"] == ["", ""]
    assert (tmp_path / "it").read_bytes() == CONTENT


def test_more_than_there_is_is_thrown_away(server: FileServer, downloader: Downloader, tmp_path: Path) -> None:
    known = downloader.ask(published(server))
    (tmp_path / "it.partial").write_bytes(CONTENT + b"more")
    (tmp_path / "it.partial.version").write_text(server.files[PATH].etag)
    downloader.fetch(known, tmp_path / "it")
    assert (tmp_path / "it").read_bytes() == CONTENT


def test_a_wrong_digest_removes_what_came(server: FileServer, downloader: Downloader, tmp_path: Path) -> None:
    wrong = RemoteFile(server.url + PATH, len(CONTENT), sha256(b"other"))
    with pytest.raises(DownloadError, match=r"expected sha256 d9298a.*, got sha256 .*; what came was removed"):
        downloader.fetch(downloader.ask(wrong), tmp_path / "it")
    assert left_in(tmp_path) == []


def test_a_file_that_is_longer_than_it_was_said_to_be_is_removed(server: FileServer, downloader: Downloader, tmp_path: Path) -> None:
    known = Known(published(server), 1_000, sha256(CONTENT[:1_000]), published=True)
    with pytest.raises(DownloadError, match="more than the 1000 bytes"):
        downloader.fetch(known, tmp_path / "it")
    assert left_in(tmp_path) == []


def test_another_size_than_published_is_refused_before_anything_comes(server: FileServer, downloader: Downloader) -> None:
    with pytest.raises(DownloadError, match="the server has 102400 bytes, 5 were published"):
        downloader.ask(RemoteFile(server.url + PATH, 5, sha256(b"hello")))


def test_a_digest_the_server_states_is_taken_when_none_was_published(server: FileServer, downloader: Downloader, tmp_path: Path) -> None:
    server.files[PATH].headers = {"X-Linked-ETag": f'"{sha256(CONTENT).hex}"'}
    known = downloader.ask(RemoteFile(server.url + PATH))
    assert (known.digest, known.size_bytes, known.published) == (sha256(CONTENT), len(CONTENT), False)
    downloader.fetch(known, tmp_path / "it")
    server.files[PATH].headers = {"X-Linked-ETag": f'"{sha256(b"other").hex}"'}
    with pytest.raises(DownloadError, match="what came was removed"):
        downloader.fetch(downloader.ask(RemoteFile(server.url + PATH)), tmp_path / "that")


def test_what_a_hub_states_stands_in_its_redirect(server: FileServer, downloader: Downloader, tmp_path: Path) -> None:
    headers = {"X-Linked-ETag": f'"{sha256(CONTENT).hex}"', "X-Linked-Size": str(len(CONTENT))}
    server.files["/hub"] = Served(b"", headers, redirect_to=server.url + PATH)
    known = downloader.ask(RemoteFile(f"{server.url}/hub"))
    assert (known.digest, known.size_bytes) == (sha256(CONTENT), len(CONTENT))
    server.files[PATH].cuts = [30_000]
    downloader.fetch(known, tmp_path / "it")
    assert server.asked[-1] == ("GET", PATH, "bytes=30000-")


def test_a_small_file_of_a_hub_is_held_against_gits_name_of_it(server: FileServer, downloader: Downloader, tmp_path: Path) -> None:
    name = hashlib.sha1(b"blob 6\0hello\n").hexdigest()
    server.files["/small"] = Served(b"hello\n", {"ETag": f'W/"{name}"'}, tag=False)
    known = downloader.ask(RemoteFile(f"{server.url}/small"))
    assert known.digest == Digest("git-blob", name) == Digest("git-blob", "ce013625030ba8dba906f756967f9e9ca394464a")
    downloader.fetch(known, tmp_path / "it")


def test_a_file_that_could_not_be_checked_is_refused(server: FileServer, downloader: Downloader) -> None:
    with pytest.raises(DownloadError, match="no digest was published and the server states none"):
        downloader.ask(RemoteFile(server.url + PATH))


def test_a_file_that_is_not_there_is_not_asked_for_twice(server: FileServer, downloader: Downloader, waits: Waits) -> None:
    with pytest.raises(DownloadError, match="/none: the server answers 404 Not Found"):
        downloader.ask(RemoteFile(f"{server.url}/none"))
    assert waits.waited_s == []


def test_a_server_that_is_busy_is_asked_again(server: FileServer, downloader: Downloader, waits: Waits, tmp_path: Path) -> None:
    server.files[PATH].statuses = [503, 429]
    downloader.fetch(downloader.ask(published(server)), tmp_path / "it")
    assert waits.waited_s == [1.0, 2.0]


def test_a_wait_is_told_with_its_reason(server: FileServer) -> None:
    told: list[str] = []
    server.files[PATH].statuses = [503]
    with Downloader(Patience(), lambda _: None, told.append) as downloader:
        downloader.ask(published(server))
    assert told == ["speech.tar.gz: the server answers 503 Service Unavailable; trying again in 1 s"]


def test_a_server_that_is_not_there_is_given_up(downloader: Downloader) -> None:
    with pytest.raises(DownloadError, match="gave up after 3 attempts"):
        downloader.ask(RemoteFile("http://127.0.0.1:1/it", 1, sha256(b"x")))


def test_waits_double_up_to_the_longest() -> None:
    assert [Patience().wait_s(failed) for failed in range(8)] == [1, 1, 2, 4, 8, 16, 30, 30]


@pytest.mark.parametrize("digest", ["", "xyz", "A" * 64, "0" * 40])
def test_what_is_no_sha256_is_refused(digest: str) -> None:
    with pytest.raises(ValueError, match="is not a sha256"):
        Digest("sha256", digest)


def test_a_mirror_has_the_files_under_the_same_paths() -> None:
    file = RemoteFile("https://www.openslr.org/resources/12/dev-clean.tar.gz", 5)
    assert file.mirrored("http://mirror:8000/speech/").url == "http://mirror:8000/speech/resources/12/dev-clean.tar.gz"
    assert file.mirrored("http://mirror").size_bytes == 5
    assert file.mirrored(None) is file
    assert file.name == "dev-clean.tar.gz"


def test_the_digest_of_a_file_is_of_all_of_it(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * 3_000_000)
    read: list[int] = []
    assert digest_of(tmp_path / "large", "sha256", read.append) == sha256(b"x" * 3_000_000)
    assert sum(read) == 3_000_000
