"""Suites fetched from a server on the loopback, which has tiny archives in the layout of the real ones."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from asr_server.accuracy.manifest import read_manifest
from asr_server.errors import WrongCall
from eval.__main__ import main
from eval.fetch.download import Downloader, Patience
from eval.fetch.fetching import NOTES, FetchError, Plan, fetch
from eval.fetch.suites import SUITES, Absent, Suite
from tests.eval.fetch.file_server import FileServer, Served, file_server
from tests.eval.fetch.made_suites import fleurs_files, fleurs_tsv, librispeech_files, packed, same_but_for_files

LIBRISPEECH = packed(librispeech_files())
LIBRISPEECH_PATH = "/resources/12/test-clean.tar.gz"
FLEURS_PATH = "/datasets/google/fleurs/resolve/70bb2e84b976b7e960aa89f1c648e09c59f894dd/data/de_de"


def named(name: str) -> Suite:
    return next(suite for suite in SUITES if suite.name == name)


TEST_CLEAN = same_but_for_files(named("librispeech-test-clean"), {"test-clean.tar.gz": LIBRISPEECH})


class FakeWatch:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.plans: list[Plan] = []
        self.absent: list[Absent] = []
        self.steps: list[str] = []

    def planned(self, plan: Plan) -> None:
        self.plans.append(plan)

    def left_out(self, absent: Sequence[Absent]) -> None:
        self.absent += absent

    @contextmanager
    def step(self, what: str, total_bytes: int) -> Iterator[Callable[[int], None]]:
        self.steps.append(what)
        yield lambda _: None


@pytest.fixture
def server() -> Iterator[FileServer]:
    with file_server() as server:
        server.files[LIBRISPEECH_PATH] = Served(LIBRISPEECH)
        archive, table = packed(fleurs_files()), fleurs_tsv()
        server.files[f"{FLEURS_PATH}/audio/test.tar.gz"] = Served(archive, {"X-Linked-ETag": f'"{hashlib.sha256(archive).hexdigest()}"'})
        git_name = hashlib.sha1(f"blob {len(table)}\0".encode() + table).hexdigest()
        server.files[f"{FLEURS_PATH}/test.tsv"] = Served(table, {"ETag": f'"{git_name}"'}, tag=False)
        yield server


@pytest.fixture
def downloader() -> Iterator[Downloader]:
    with Downloader(Patience(attempts=2, silence_s=5), lambda _: None) as downloader:
        yield downloader


def test_a_suite_becomes_a_folder_with_a_manifest(server: FileServer, downloader: Downloader, tmp_path: Path) -> None:
    watch = FakeWatch()
    manifest = fetch(TEST_CLEAN, tmp_path, downloader, watch, mirror=server.url)
    assert manifest == tmp_path / "librispeech-test-clean" / "manifest.jsonl"
    assert [(clip.text, clip.speaker) for clip in read_manifest(manifest)] == [("ONE TWO THREE", "1089"), ("HELLO WORLD", "61")]
    assert [path.name for path in tmp_path.iterdir()] == ["librispeech-test-clean"]
    assert watch.plans[0].size_bytes == len(LIBRISPEECH)
    assert watch.steps == ["fetching test-clean.tar.gz", "unpacking test-clean.tar.gz", "writing the manifest"]
    assert [one.audio for one in watch.absent] == ["LibriSpeech/test-clean/61/70968/61-70968-0001.flac"]


def test_the_folder_says_its_licence_source_and_digests(server: FileServer, downloader: Downloader, tmp_path: Path) -> None:
    notes = (fetch(TEST_CLEAN, tmp_path, downloader, FakeWatch(), mirror=server.url).parent / NOTES).read_text()
    for said in ("CC BY 4.0", "https://www.openslr.org/12", "Panayotov", hashlib.sha256(LIBRISPEECH).hexdigest(), "(published)"):
        assert said in notes
    assert "does not have it: LibriSpeech/test-clean/61/70968/61-70968-0001.flac" in notes


def test_what_is_there_is_not_asked_for_again(server: FileServer, downloader: Downloader, tmp_path: Path) -> None:
    manifest = fetch(TEST_CLEAN, tmp_path, downloader, FakeWatch(), mirror=server.url)
    asked = len(server.asked)
    assert fetch(TEST_CLEAN, tmp_path, downloader, FakeWatch(), mirror=server.url) == manifest
    assert len(server.asked) == asked


def test_what_an_interrupted_call_left_is_gone_on_with(server: FileServer, downloader: Downloader, tmp_path: Path) -> None:
    server.files[LIBRISPEECH_PATH].cuts = [1_000, 0, 0]
    with pytest.raises(FetchError, match=r"librispeech-test-clean: .*gave up after 2 attempts"):
        fetch(TEST_CLEAN, tmp_path, downloader, FakeWatch(), mirror=server.url)
    assert [path.name for path in tmp_path.iterdir()] == ["librispeech-test-clean.fetching"]
    server.files[LIBRISPEECH_PATH].cuts = []
    fetch(TEST_CLEAN, tmp_path, downloader, FakeWatch(), mirror=server.url)
    assert server.asked[-1] == ("GET", LIBRISPEECH_PATH, "bytes=1000-")


def test_a_disk_that_is_too_full_is_seen_before_anything_comes(server: FileServer, downloader: Downloader, tmp_path: Path) -> None:
    wanted = 3 * len(LIBRISPEECH)
    with pytest.raises(FetchError, match="MB of free disk are wanted"):
        fetch(TEST_CLEAN, tmp_path, downloader, FakeWatch(), mirror=server.url, free=lambda _: wanted - 1)
    assert [method for method, _, _ in server.asked] == ["HEAD"]
    fetch(TEST_CLEAN, tmp_path, downloader, FakeWatch(), mirror=server.url, free=lambda _: wanted)


def test_an_archive_that_reaches_out_is_no_suite(server: FileServer, downloader: Downloader, tmp_path: Path) -> None:
    bad = packed({**librispeech_files(), "../../escaped": b"gotcha"})
    server.files[LIBRISPEECH_PATH] = Served(bad)
    with pytest.raises(FetchError, match="outside the destination"):
        fetch(same_but_for_files(TEST_CLEAN, {"test-clean.tar.gz": bad}), tmp_path, downloader, FakeWatch(), mirror=server.url)
    assert not list(tmp_path.rglob("escaped"))
    assert not (tmp_path / "librispeech-test-clean").exists()


def test_an_archive_without_any_of_its_recordings_is_no_suite(server: FileServer, downloader: Downloader, tmp_path: Path) -> None:
    bare = packed({name: content for name, content in librispeech_files().items() if not name.endswith(".flac")})
    server.files[LIBRISPEECH_PATH] = Served(bare)
    with pytest.raises(FetchError, match="none of its recordings is in the archive"):
        fetch(same_but_for_files(TEST_CLEAN, {"test-clean.tar.gz": bare}), tmp_path, downloader, FakeWatch(), mirror=server.url)
    assert not (tmp_path / "librispeech-test-clean").exists()


def test_a_folder_somebody_else_made_is_left_alone(downloader: Downloader, tmp_path: Path) -> None:
    (tmp_path / "librispeech-test-clean").mkdir()
    with pytest.raises(WrongCall, match="was not made by this command"):
        fetch(TEST_CLEAN, tmp_path, downloader, FakeWatch())


def test_a_place_that_cannot_be_written_is_one_clear_line(server: FileServer, downloader: Downloader, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FetchError, match=r"librispeech-test-clean: .*: .*file"):
        fetch(TEST_CLEAN, tmp_path / "file", downloader, FakeWatch(), mirror=server.url)


def test_the_command_shows_licence_and_size_and_ends_with_the_manifest(
    server: FileServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["fetch", "fleurs-de", "--to", str(tmp_path), "--mirror", server.url]
    assert main(call) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("licence: CC BY 4.0")
    assert lines[4].endswith("MB to fetch")
    assert [clip.language for clip in read_manifest(Path(lines[-1]))] == ["de", "de"]
    assert "as the server stated" in (tmp_path / "fleurs-de" / NOTES).read_text()
    asked = len(server.asked)
    assert main(call) == 0
    assert "already there" in capsys.readouterr().out
    assert len(server.asked) == asked


def test_what_cannot_be_fetched_is_one_line_and_exit_code_1(server: FileServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch", "fleurs-fr", "--to", str(tmp_path), "--mirror", server.url]) == 1
    assert main(["fetch", "librispeech-test-clean", "--to", str(tmp_path), "--mirror", server.url]) == 1
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 2
    assert "fleurs-fr: http" in errors[0]
    assert "404" in errors[0]
    assert "346663984 were published" in errors[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("fetch", "name a suite; there are librispeech-test-clean, "),
        ("fetch librispeech", "no such suite: librispeech; there are librispeech-test-clean, "),
        ("fetch fleurs-de --mirror ftp://somewhere", "--mirror ftp://somewhere: wanted http:// or https://"),
        ("fetch fleurs-de --mirror http://", "--mirror http://: wanted http:// or https:// and a host"),
        ("fetch fleurs-de --mirror https://:80/a", "--mirror https://:80/a: wanted http:// or https:// and a host"),
        ("fetch fleurs-de --mirror http://host:99999", "--mirror http://host:99999: wanted http:// or https:// and a host"),
        ("fetch fleurs-de --to file", "--to file: is not a folder"),
        ("fetch fleurs-de --to taken", "taken/fleurs-de is there and was not made by this command"),
    ],
)
def test_a_wrong_call_is_one_line_and_exit_code_2(
    arguments: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "taken/fleurs-de").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert main(arguments.split()) == 2
    said = capsys.readouterr()
    assert (said.err.count("\n"), said.out) == (1, "")
    assert message in said.err


def test_the_list_has_every_suite_with_its_licence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [suite.name for suite in SUITES]
    assert "347 MB  CC BY 4.0" in lines[0]
