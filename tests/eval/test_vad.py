from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr_server.accuracy.manifest import TimedWord
from audio_norm import Span
from eval.vad import Errors, compare, main, stretches, total

WORDS = (TimedWord("one", 0.5, 0.8), TimedWord("two", 0.9, 1.2), TimedWord("three", 2.0, 2.4))


def spans(*borders_s: tuple[float, float]) -> list[Span]:
    return [Span(round(start * 16_000), round(end * 16_000)) for start, end in borders_s]


def test_words_without_a_pause_between_them_are_one_stretch() -> None:
    assert [(s.start_s, s.end_s, s.next_start_s) for s in stretches(WORDS, 3.0)] == [(0.5, 1.2, 2.0), (2.0, 2.4, 3.0)]


def test_errors_are_positive_when_late() -> None:
    errors = compare(spans((0.6, 1.3), (1.9, 2.2)), WORDS, 3.0, 0.25)
    assert errors.start_ms == pytest.approx((100.0, -100.0))
    assert errors.end_ms == pytest.approx((100.0, -200.0))
    assert (errors.bridged, errors.missed, errors.words, errors.words_lost) == (0, 0, 3, 0)


def test_speech_found_in_the_pause_makes_the_end_late() -> None:
    assert compare(spans((0.5, 1.2), (1.6, 1.7), (2.0, 2.4)), WORDS, 3.0, 0.25).end_ms == pytest.approx((500.0, 0.0))


def test_a_pause_that_was_not_seen_is_bridged() -> None:
    errors = compare(spans((0.5, 2.4)), WORDS, 3.0, 0.25)
    assert errors.bridged == 1
    assert errors.end_ms == pytest.approx((0.0,))
    assert errors.start_ms == pytest.approx((0.0,))


def test_a_stretch_without_speech_found_is_missed_and_its_words_are_lost() -> None:
    errors = compare(spans((0.5, 1.2)), WORDS, 3.0, 0.25)
    assert (errors.missed, errors.words_lost) == (1, 1)


def test_a_word_in_the_silence_that_is_kept_is_not_lost() -> None:
    assert compare(spans((0.9, 1.2)), WORDS, 3.0, 0.3).words_lost == 1
    assert compare(spans((0.9, 1.2)), WORDS[:2], 3.0, 0.3).words_lost == 0


def test_counts_of_recordings_add() -> None:
    one = Errors((1.0,), (2.0,), 1, 2, 3, 4)
    assert total([one, one]) == Errors((1.0, 1.0), (2.0, 2.0), 2, 4, 6, 8)


def test_it_prints_a_line_for_every_candidate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soundfile.write(tmp_path / "hum.wav", 0.01 * np.random.default_rng(1).standard_normal(16_000), 16_000)
    manifest = tmp_path / "manifest.jsonl"
    manifest.write_text('{"audio": "hum.wav", "text": "", "id": "hum"}\n')
    assert main(["--manifest", str(manifest), "--noise", str(manifest), "--json", str(tmp_path / "out.json")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.count("|") for line in lines} == {11}
    assert sum("silero" in line for line in lines) == 9
    assert (tmp_path / "out.json").is_file()


def test_a_missing_manifest_is_a_wrong_call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--manifest", str(tmp_path / "none.jsonl")]) == 2
    assert capsys.readouterr().err.startswith("error: ")
