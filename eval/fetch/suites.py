"""Public suites of speech: where they lie, under which licence, and how their folders become manifests. Values; fetches nothing.

Checksums of LibriSpeech: sha256 as in torchaudio's `datasets/librispeech.py`, sizes as in ESPnet's `download_and_untar.sh`. FLEURS
publishes none ahead; its revision is fixed, and the hub states a digest with each file.
"""

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import soundfile

from eval.fetch.remote_file import Digest, RemoteFile


class SuiteError(Exception):
    """A folder that is not what the suite should be. One line."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a manifest."""

    id: str
    audio: str
    """Relative to the suite's folder."""
    text: str
    set: str
    language: str
    speaker: str | None
    duration_s: float
    conditions: tuple[str, ...]

    def as_json(self) -> str:
        fields: dict[str, object] = {"id": self.id, "audio": self.audio, "text": self.text, "set": self.set, "language": self.language}
        if self.speaker is not None:
            fields["speaker"] = self.speaker
        fields |= {"duration_s": round(self.duration_s, 3), "conditions": list(self.conditions)}
        return json.dumps(fields, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Absent:
    """A recording that has a text and is not in the archive."""

    audio: str


Reader = Callable[[Path], Iterator[Row | Absent]]
"""From a suite's folder, archives unpacked in it, to its manifest. Raises SuiteError."""


@dataclass(frozen=True, slots=True)
class Suite:
    """One public collection."""

    name: str
    title: str
    language: str
    """BCP-47, as a recogniser wants it."""
    licence: str
    page: str
    """Where it is described."""
    citation: str
    files: tuple[RemoteFile, ...]
    """Archives (.tar.gz) are unpacked, other files laid beside."""
    read: Reader


# LibriSpeech -----------------------------------------------------------------------------------------------------------------------

_LIBRISPEECH_FILES = {
    "test-clean": (346_663_984, "39fde525e59672dc6d1551919b1478f724438a95aa55f874b576be21967e6c23"),
    "test-other": (328_757_843, "d09c181bba5cf717b3dee7d4d592af11a3ee3a09e08ae025c5506f6ebe961c29"),
    "dev-clean": (337_926_286, "76f87d090650617fca0cac8f88b9416e0ebf80350acb97b343a85fa903728ab3"),
    "dev-other": (314_305_928, "12661c48e8c3fe1de2c1caa4c3e135193bfb1811584f11f569dd12645aa84365"),
}


def _librispeech(part: str) -> Suite:
    size_bytes, sha256 = _LIBRISPEECH_FILES[part]
    return Suite(
        name=f"librispeech-{part}",
        title=f"LibriSpeech {part}: read English, 16 kHz",
        language="en",
        licence="CC BY 4.0, https://creativecommons.org/licenses/by/4.0/",
        page="https://www.openslr.org/12",
        citation="V. Panayotov, G. Chen, D. Povey and S. Khudanpur, "
        '"Librispeech: an ASR corpus based on public domain audio books", ICASSP 2015, pp. 5206-5210',
        files=(RemoteFile(f"https://www.openslr.org/resources/12/{part}.tar.gz", size_bytes, Digest("sha256", sha256)),),
        read=partial(read_librispeech, part=part),
    )


def read_librispeech(folder: Path, *, part: str) -> Iterator[Row | Absent]:
    """LibriSpeech/PART/SPEAKER/CHAPTER/*.flac, their texts in SPEAKER-CHAPTER.trans.txt beside them; who is who in SPEAKERS.TXT."""
    top = folder / "LibriSpeech"
    genders = _librispeech_genders(top / "SPEAKERS.TXT")
    transcripts = sorted((top / part).glob("*/*/*.trans.txt"))
    if not transcripts:
        raise SuiteError(f"no transcripts in LibriSpeech/{part}/*/*/")
    for transcript in transcripts:
        speaker = transcript.parent.parent.name
        for line in transcript.read_text(encoding="utf-8").splitlines():
            clip, _, text = line.partition(" ")
            audio = transcript.with_name(f"{clip}.flac")
            conditions = ("read", part.rpartition("-")[2], *genders.get(speaker, ()))
            yield _row(folder, audio, clip, text=text, suite=f"librispeech-{part}", language="en", speaker=speaker, conditions=conditions)


def _librispeech_genders(speakers: Path) -> dict[str, tuple[str, ...]]:
    """`14 | F | train-clean-360 | 25.03 | name`, comments after a semicolon."""
    words = {"F": ("female",), "M": ("male",)}
    lines = (line for line in _text(speakers).splitlines() if line.strip() and not line.startswith(";"))
    rows = ([field.strip() for field in line.split("|", 2)] for line in lines)
    return {row[0]: words.get(row[1], ()) for row in rows if len(row) > 1}


# FLEURS ----------------------------------------------------------------------------------------------------------------------------

_FLEURS_REVISION = "70bb2e84b976b7e960aa89f1c648e09c59f894dd"
_FLEURS_CODES = {
    "en": "en_us",
    "de": "de_de",
    "es": "es_419",
    "fr": "fr_fr",
    "it": "it_it",
    "pt": "pt_br",
    "ru": "ru_ru",
    "zh": "cmn_hans_cn",
    "ja": "ja_jp",
}
_FLEURS_COLUMNS = 7


def _fleurs(language: str) -> Suite:
    code = _FLEURS_CODES[language]
    base = f"https://huggingface.co/datasets/google/fleurs/resolve/{_FLEURS_REVISION}/data/{code}"
    return Suite(
        name=f"fleurs-{language}",
        title=f"FLEURS {code} test: read sentences of encyclopedias, 16 kHz",
        language=language,
        licence="CC BY 4.0, https://creativecommons.org/licenses/by/4.0/",
        page="https://huggingface.co/datasets/google/fleurs",
        citation="A. Conneau et al., "
        '"FLEURS: Few-shot Learning Evaluation of Universal Representations of Speech", 2022, https://arxiv.org/abs/2205.12446',
        files=(RemoteFile(f"{base}/audio/test.tar.gz"), RemoteFile(f"{base}/test.tsv")),
        read=partial(read_fleurs, language=language),
    )


def read_fleurs(folder: Path, *, language: str) -> Iterator[Row | Absent]:
    """test/*.wav and test.tsv, tab-separated without header or quoting: sentence, file, text as written, text in plain words, its
    letters, samples, gender.

    The text is the one as written, with its capitals and marks. Several people read the same sentence; who they are is not told.
    """
    rows = csv.reader(_text(folder / "test.tsv").splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    for number, row in enumerate(rows, start=1):
        if len(row) != _FLEURS_COLUMNS:
            raise SuiteError(f"test.tsv:{number}: {len(row)} columns, wanted {_FLEURS_COLUMNS}")
        audio = folder / "test" / row[1]
        gender = row[6].lower()
        conditions = ("read", gender) if gender in {"female", "male"} else ("read",)
        suite = f"fleurs-{language}"
        yield _row(folder, audio, audio.stem, text=row[2], suite=suite, language=language, speaker=None, conditions=conditions)


# Both ------------------------------------------------------------------------------------------------------------------------------


def _row(
    folder: Path, audio: Path, clip: str, *, text: str, suite: str, language: str, speaker: str | None, conditions: tuple[str, ...]
) -> Row | Absent:
    if not audio.is_file():
        return Absent(audio.relative_to(folder).as_posix())
    try:
        duration_s = soundfile.info(audio).duration
    except soundfile.LibsndfileError as error:
        raise SuiteError(f"{audio.relative_to(folder)}: {error}") from error
    return Row(clip, audio.relative_to(folder).as_posix(), text.strip(), suite, language, speaker, duration_s, conditions)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SuiteError(f"{path.name}: {getattr(error, 'strerror', None) or error}") from error


SUITES: tuple[Suite, ...] = (*map(_librispeech, _LIBRISPEECH_FILES), *map(_fleurs, _FLEURS_CODES))
