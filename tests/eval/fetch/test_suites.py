from pathlib import Path

import pytest

from asr_server.accuracy.manifest import read_manifest
from eval.fetch.suites import SUITES, Absent, Row, SuiteError, read_fleurs, read_librispeech
from tests.eval.fetch.made_suites import fleurs_files, fleurs_tsv, laid_out, librispeech_files


def test_every_suite_says_where_it_is_from_and_under_which_licence() -> None:
    assert len({suite.name for suite in SUITES}) == len(SUITES) == 13
    for suite in SUITES:
        assert suite.licence.startswith("CC BY 4.0, https://creativecommons.org/")
        assert suite.page.startswith("https://")
        assert suite.citation
        assert all(file.url.startswith("https://") for file in suite.files)


def test_what_has_published_digests_has_sizes_too() -> None:
    for suite in SUITES:
        assert [file.digest is None for file in suite.files] == [file.size_bytes is None for file in suite.files]
        assert (suite.files[0].digest is not None) == suite.name.startswith("librispeech")


def test_fleurs_is_of_one_revision() -> None:
    urls = [file.url for suite in SUITES if suite.name.startswith("fleurs") for file in suite.files]
    assert len({url.partition("/resolve/")[2].partition("/")[0] for url in urls}) == 1
    assert "https://huggingface.co/datasets/google/fleurs/resolve/70bb2e84b976b7e960aa89f1c648e09c59f894dd/data/es_419/test.tsv" in urls


def test_librispeech_becomes_rows_with_speaker_gender_and_duration(tmp_path: Path) -> None:
    laid_out(librispeech_files(), tmp_path)
    rows = list(read_librispeech(tmp_path, part="test-clean"))
    assert [row.id for row in rows if isinstance(row, Row)] == ["1089-134686-0000", "61-70968-0000"]
    first = rows[0]
    assert isinstance(first, Row)
    assert (first.text, first.set, first.language, first.speaker) == ("ONE TWO THREE", "librispeech-test-clean", "en", "1089")
    assert first.conditions == ("read", "clean", "female")
    assert first.duration_s > 1
    assert first.audio == "LibriSpeech/test-clean/1089/134686/1089-134686-0000.flac"


def test_a_text_without_its_recording_is_told(tmp_path: Path) -> None:
    laid_out(librispeech_files(), tmp_path)
    absent = [row for row in read_librispeech(tmp_path, part="test-clean") if isinstance(row, Absent)]
    assert absent == [Absent("LibriSpeech/test-clean/61/70968/61-70968-0001.flac")]


def test_fleurs_becomes_rows_with_the_text_as_written(tmp_path: Path) -> None:
    laid_out({**fleurs_files(), "test.tsv": fleurs_tsv()}, tmp_path)
    first, second = read_fleurs(tmp_path, language="en")
    assert isinstance(first, Row)
    assert isinstance(second, Row)
    assert (first.id, first.audio, first.text, first.speaker) == ("100", "test/100.wav", 'Hello, "world".', None)
    assert (first.conditions, second.conditions) == (("read", "female"), ("read",))


def test_rows_are_lines_of_a_manifest(tmp_path: Path) -> None:
    laid_out({**fleurs_files(), "test.tsv": fleurs_tsv()}, tmp_path)
    rows = [row for row in read_fleurs(tmp_path, language="en") if isinstance(row, Row)]
    (tmp_path / "m.jsonl").write_text("\n".join(row.as_json() for row in rows), encoding="utf-8")
    clips = read_manifest(tmp_path / "m.jsonl")
    assert [(clip.id, clip.text, clip.set, clip.language) for clip in clips] == [(row.id, row.text, row.set, row.language) for row in rows]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"other": b""}, "test.tsv: No such file"),
        ({"test.tsv": b"\xff\xfe"}, "test.tsv: .*decode"),
        ({"test.tsv": b"1\t100.wav\thello\n"}, "test.tsv:1: 3 columns, wanted 7"),
        ({"test.tsv": fleurs_tsv(), "test/100.wav": b"no audio"}, "test/100.wav: "),
    ],
)
def test_a_folder_that_is_not_fleurs_is_refused(tmp_path: Path, files: dict[str, bytes], message: str) -> None:
    laid_out(files, tmp_path)
    with pytest.raises(SuiteError, match=message):
        list(read_fleurs(tmp_path, language="en"))


def test_a_folder_that_is_not_librispeech_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r"SPEAKERS.TXT: No such file"):
        list(read_librispeech(tmp_path, part="test-clean"))
    laid_out({"LibriSpeech/SPEAKERS.TXT": b""}, tmp_path)
    with pytest.raises(SuiteError, match="no transcripts in LibriSpeech/test-clean"):
        list(read_librispeech(tmp_path, part="test-clean"))
