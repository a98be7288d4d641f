"""Tokens numbered anew: nothing else may be different."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ctranslate2 import StorageView
from ctranslate2.models import Whisper

from asr_server.engine.reordered import NotReorderable, ReorderedWhisper
from asr_server.engine.tokens import Tokens
from asr_server.engine.weights import resolve

OPTIONS: dict[str, Any] = {"device": "cpu", "compute_type": "int8", "inter_threads": 1, "intra_threads": 1}


@pytest.fixture(scope="module")
def files() -> Path:
    return resolve("tiny.en").path


def features() -> StorageView:
    return StorageView.from_array(np.random.default_rng(0).normal(0, 0.3, (1, 80, 300)).astype(np.float32))


def test_what_is_decoded_and_aligned_is_what_the_published_model_gives(files: Path) -> None:
    published, reordered = Whisper(str(files), **OPTIONS), ReorderedWhisper(files, **OPTIONS)
    tokens = Tokens.load(files / "tokenizer.json", multilingual=False)
    states = reordered.encode(features(), to_cpu=True)
    options: dict[str, Any] = {"beam_size": 2, "max_length": 40, "return_scores": True, "return_no_speech_prob": True}
    suppressed = [-1, 1000]

    (theirs,) = published.generate(published.encode(features(), to_cpu=True), [tokens.prompt("en")], suppress_tokens=suppressed, **options)
    (ours,) = reordered.generate(states, [tokens.prompt("en")], suppress_tokens=suppressed, **options)

    assert ours.sequences_ids == theirs.sequences_ids
    # Rows that are multiplied in another order differ in the last bits.
    assert ours.scores == pytest.approx(theirs.scores, rel=1e-2)
    assert ours.no_speech_prob == pytest.approx(theirs.no_speech_prob, rel=1e-2)
    text = theirs.sequences_ids[0] or [1000]
    (their_alignment,) = published.align(states, tokens.task("en"), [text], 300)
    (our_alignment,) = reordered.align(states, tokens.task("en"), [text], [300])
    assert our_alignment.alignments == their_alignment.alignments
    assert our_alignment.text_token_probs == pytest.approx(their_alignment.text_token_probs, rel=1e-2)


def test_given_text_is_not_in_the_result(files: Path) -> None:
    reordered = ReorderedWhisper(files, **OPTIONS)
    tokens = Tokens.load(files / "tokenizer.json", multilingual=False)
    prompt = tokens.prompt_with(tokens.said(("one", "two"), "en"), "en")

    (found,) = reordered.generate(
        reordered.encode(features(), to_cpu=True),
        [prompt],
        suppress_tokens=[-1, tokens.end],
        beam_size=1,
        max_length=2 * len(prompt),
        return_scores=True,
    )

    # CTranslate2 stops after half of `max_length`: none of it went to what was given.
    assert len(found.sequences_ids[0]) == len(prompt)


def copied(files: Path, to: Path) -> Path:
    shutil.copytree(files, to, dirs_exist_ok=True)
    return to


def test_a_vocabulary_as_json_is_read_too(files: Path, tmp_path: Path) -> None:
    words = (copied(files, tmp_path) / "vocabulary.txt").read_text(encoding="utf-8").split("\n")
    (tmp_path / "vocabulary.txt").unlink()
    (tmp_path / "vocabulary.json").write_text(json.dumps(words), encoding="utf-8")

    assert ReorderedWhisper(tmp_path, **OPTIONS).n_mels == 80


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "vocabulary.txt").unlink(), "neither vocabulary.txt nor vocabulary.json"),
        (lambda folder: (folder / "model.bin").write_bytes(b"\x07\x00\x00\x00"), "has version 7, expected 6"),
        (lambda folder: (folder / "model.bin").write_bytes(b"\x06\x00\x00\x00\x05"), "cannot be read"),
        (lambda folder: (folder / "vocabulary.txt").write_text("a\nb\n"), "not Whisper's"),
    ],
)
def test_files_that_are_something_else_are_refused(files: Path, tmp_path: Path, spoil: object, message: str) -> None:
    copied(files, tmp_path)
    assert callable(spoil)
    spoil(tmp_path)

    with pytest.raises(NotReorderable, match=message):
        ReorderedWhisper(tmp_path, **OPTIONS)
