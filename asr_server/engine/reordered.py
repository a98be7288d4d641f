"""A Whisper model that reads given text in one pass, instead of a step a token.

CTranslate2 reads a prompt at once from `<|startoftranscript|>` as long as token ids lie between that of `<|startoftranscript|>` and that of
`<|notimestamps|>` (`get_prompt_length`, src/models/whisper.cc), and steps through what follows. Published models number their text tokens
below both, so a text to go on from is stepped through: as slow as decoding it. Here `<|startoftranscript|>` and what follows it up to
`<|notimestamps|>` is numbered before the text, the rest stays behind it. Only rows of the embedding and lines of the vocabulary change
places, no weight changes its value, and what is decoded without a given text is the same.

The prompt must end with `<|notimestamps|>`, or timestamps are asked for: it stands once more behind the given text. The model was not
trained on that, and takes it well when text of some kind stands before the whole (`Tokens.prompt_with`).
"""

import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ctranslate2 import StorageView
from ctranslate2.models import Whisper

_BINARY_VERSION = 6
_VOCABULARIES = ("vocabulary.txt", "vocabulary.json")
_TOKEN_LISTS = ("suppress_ids", "suppress_ids_begin", "lang_ids")


class NotReorderable(ValueError):
    """The files are not laid out as a converted Whisper model's are."""


@dataclass(frozen=True, slots=True)
class Generated:
    """As ctranslate2's `WhisperGenerationResult`, with the published token ids."""

    sequences_ids: list[list[int]]
    scores: list[float]
    no_speech_prob: float


class ReorderedWhisper:
    """As `ctranslate2.models.Whisper`, to which it speaks in the published token ids. Thread-safe, as that is."""

    def __init__(self, path: Path, **options: Any) -> None:  # noqa: ANN401 - they are ctranslate2's
        """Holds the weights twice while it loads. Raises `NotReorderable`, and what ctranslate2 raises."""
        name = next((name for name in _VOCABULARIES if (path / name).exists()), None)
        if name is None:
            raise NotReorderable(f"neither {' nor '.join(_VOCABULARIES)} is in {path}")
        words = _read_vocabulary(path / name)
        weights = bytearray((path / "model.bin").read_bytes())
        tables = [
            table for table in _variables(weights) if table.rows and table.name.startswith(("decoder/embeddings/", "decoder/projection/"))
        ]
        if not tables:
            raise NotReorderable(f"no embeddings are in {path / 'model.bin'}")
        words = words[: tables[0].rows]
        self._published = _order(words)
        self._here = {token: number for number, token in enumerate(self._published)}
        for table in tables:
            table.reorder(weights, self._published)
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
        config |= {key: [self._here[token] for token in config[key]] for key in _TOKEN_LISTS if key in config}
        ordered = [words[token] for token in self._published]
        listed = "\n".join(ordered) if name.endswith(".txt") else json.dumps(ordered)
        files = {"model.bin": bytes(weights), "config.json": json.dumps(config).encode(), name: listed.encode()}
        self._model = Whisper(str(path), files=files, **options)

    @property
    def n_mels(self) -> int:
        return int(self._model.n_mels)

    @property
    def is_multilingual(self) -> bool:
        return bool(self._model.is_multilingual)

    @property
    def device(self) -> str:
        """ "cpu" or "cuda"."""
        return str(self._model.device)

    def encode(self, features: StorageView, *, to_cpu: bool) -> StorageView:
        return self._model.encode(features, to_cpu=to_cpu)

    def detect_language(self, states: StorageView) -> list[list[tuple[str, float]]]:
        return self._model.detect_language(states)  # type: ignore[no-any-return]

    def generate(
        self,
        states: StorageView,
        prompts: Sequence[Sequence[int]],
        *,
        suppress_tokens: Sequence[int],
        **options: Any,  # noqa: ANN401
    ) -> list[Generated]:
        """-1 among `suppress_tokens` stands for the model's own list."""
        found = self._model.generate(
            states,
            [self._from_published(prompt) for prompt in prompts],
            suppress_tokens=[token if token == -1 else self._here[token] for token in suppress_tokens],
            **options,
        )
        return [
            Generated([[self._published[token] for token in tokens] for tokens in one.sequences_ids], one.scores, one.no_speech_prob)
            for one in found
        ]

    def align(self, states: StorageView, start: Sequence[int], texts: Sequence[Sequence[int]], frames: Sequence[int]) -> list[Any]:
        """`frames`: of each of the texts' audio."""
        return self._model.align(states, self._from_published(start), [self._from_published(text) for text in texts], list(frames))  # type: ignore[no-any-return]

    def _from_published(self, tokens: Sequence[int]) -> list[int]:
        return [self._here[token] for token in tokens]


def _read_vocabulary(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    return [str(word) for word in json.loads(text)] if path.suffix == ".json" else text.split("\n")


def _order(words: Sequence[str]) -> list[int]:
    """Published ids in the order in which they are numbered here."""
    try:
        start, last = words.index("<|startoftranscript|>"), words.index("<|notimestamps|>")
    except ValueError:
        raise NotReorderable("the vocabulary is not Whisper's") from None
    return [*range(start, last), *range(start), *range(last, len(words))]


@dataclass(frozen=True, slots=True)
class _Variable:
    """A variable of a model file: a table with so many rows at a place in it."""

    name: str
    rows: int
    start: int
    size_bytes: int

    def reorder(self, weights: bytearray, order: Sequence[int]) -> None:
        here = slice(self.start, self.start + self.size_bytes)
        rows = np.frombuffer(weights[here], np.uint8).reshape(self.rows, -1)
        weights[here] = rows[list(order)].tobytes()


def _variables(weights: bytearray) -> Iterator[_Variable]:
    """Of a model file as ctranslate2 writes it (`ModelSpec._serialize`): little-endian, names with their length and a final zero."""
    place = 0

    def number(form: str) -> int:
        nonlocal place
        (value,) = struct.unpack_from(f"<{form}", weights, place)
        place += struct.calcsize(f"<{form}")
        return int(value)

    def name() -> str:
        nonlocal place
        length = number("H")
        place += length
        return weights[place - length : place - 1].decode()

    try:
        version = number("I")
        if version != _BINARY_VERSION:
            raise NotReorderable(f"the model file has version {version}, expected {_BINARY_VERSION}")
        name()
        number("I")
        for _ in range(number("I")):
            variable = name()
            dimensions = [number("I") for _ in range(number("B"))]
            number("B")
            size = number("I")
            yield _Variable(variable, dimensions[0] if dimensions else 0, place, size)
            place += size
    except (struct.error, UnicodeDecodeError) as error:
        raise NotReorderable(f"the model file cannot be read: {error}") from error
