import json
from pathlib import Path

import pytest

from asr_server.accuracy.manifest import Clip, ManifestError, TimedWord, read_manifest


def write(folder: Path, *rows: object) -> Path:
    """A manifest with these lines, beside a file `a.wav`."""
    (folder / "a.wav").touch()
    manifest = folder / "m.jsonl"
    manifest.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return manifest


def test_a_line_needs_only_audio_and_text(tmp_path: Path) -> None:
    assert read_manifest(write(tmp_path, {"audio": "a.wav", "text": "hi"})) == [Clip("a.wav", tmp_path / "a.wav", "hi")]


def test_every_field_is_read(tmp_path: Path) -> None:
    row = {
        "id": "one",
        "audio": "a.wav",
        "text": "hi you",
        "set": "read",
        "language": "de",
        "duration_s": 1.5,
        "speaker": "s1",
        "conditions": ["8k"],
        "words": [{"word": "hi", "start": 0.25, "end": 0.5}, {"word": "you", "start": 0.5, "end": 1}],
        "licence": "not ours to know",
    }
    (clip,) = read_manifest(write(tmp_path, row))
    words = (TimedWord("hi", 0.25, 0.5), TimedWord("you", 0.5, 1.0))
    assert clip == Clip("one", tmp_path / "a.wav", "hi you", "read", "de", 1.5, "s1", ("8k",), words)
    assert clip.speech_end_s == 1.0


def test_nemo_manifests_are_read(tmp_path: Path) -> None:
    (clip,) = read_manifest(write(tmp_path, {"audio_filepath": str(tmp_path / "a.wav"), "text": "hi", "duration": 2, "offset": 0}))
    assert (clip.audio, clip.duration_s) == (tmp_path / "a.wav", 2.0)


def test_null_counts_as_absent_and_empty_lines_are_passed_over(tmp_path: Path) -> None:
    (clip,) = read_manifest(write(tmp_path, "", {"audio": "a.wav", "text": "", "speaker": None, "words": None}, "  "))
    assert clip.speaker is None
    assert clip.speech_end_s is None


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{", "m.jsonl:2: not JSON: .* at column"),
        ("[1]", "m.jsonl:2: not a JSON object"),
        ({"text": "hi"}, r"m.jsonl:2: audio \(or audio_filepath\) is missing"),
        ({"audio": "a.wav"}, "m.jsonl:2: text is missing"),
        ({"audio": "a.wav", "text": 5}, "m.jsonl:2: text is 5, wanted text"),
        ({"audio": "b.wav", "text": ""}, "m.jsonl:2: audio: no such file: .*b.wav"),
        ({"audio": "a.wav", "text": "", "duration_s": -1}, "m.jsonl:2: duration_s is -1, wanted seconds"),
        ({"audio": "a.wav", "text": "", "duration_s": "1"}, "m.jsonl:2: duration_s is '1', wanted seconds"),
        ({"audio": "a.wav", "text": "", "offset": 3.5}, "m.jsonl:2: offset is not supported"),
        ({"audio": "a.wav", "text": "", "conditions": [1]}, "m.jsonl:2: conditions is not a list of texts"),
        ({"audio": "a.wav", "text": "", "words": "hi"}, "m.jsonl:2: words is 'hi', wanted a list"),
        ({"audio": "a.wav", "text": "", "words": ["hi"]}, r"m.jsonl:2: words\[0\] is not an object"),
        ({"audio": "a.wav", "text": "", "words": [{"start": 1}]}, r"m.jsonl:2: words\[0\].end is None"),
        ({"audio": "a.wav", "text": "", "words": [{"start": 2, "end": 1}]}, r"m.jsonl:2: words\[0\] ends before it starts"),
        ({"audio": "a.wav", "text": "", "id": "first"}, "m.jsonl:2: id 'first' stands on an earlier line"),
    ],
)
def test_what_is_wrong_is_named_with_its_line_and_field(tmp_path: Path, row: object, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        read_manifest(write(tmp_path, {"id": "first", "audio": "a.wav", "text": ""}, row))


def test_a_missing_an_empty_and_a_binary_manifest_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="No such file"):
        read_manifest(tmp_path / "none.jsonl")
    with pytest.raises(ManifestError, match="no clips in it"):
        read_manifest(write(tmp_path))
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ManifestError, match="not UTF-8"):
        read_manifest(tmp_path / "binary")
