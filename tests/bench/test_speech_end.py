import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_server.accuracy.manifest import Clip, TimedWord, read_manifest
from audio_norm import Frames, decode_file, load_definition
from bench.speech_end import SpeechEnd, speech_end, speech_start_s
from bench.streams import EARLY_MS
from eval.audio import read_frames
from tests.recordings import recording

FOX = Clip("fox", recording("quick_brown_fox"), "")
UNTIMED = Clip("a", Path("a.wav"), "")
RATES_HZ = (8_000, 16_000, 22_050, 44_100, 48_000)


def burst(start_s: float, end_s: float, duration_s: float, rate_hz: int, *, loud: float = 0.1, noise: float = 0.001) -> Frames:
    """Noise, and in it louder noise from start to end. Shape (n, 1)."""
    generator = np.random.default_rng(1)
    samples = generator.normal(0.0, noise, round(duration_s * rate_hz))
    first, last = round(start_s * rate_hz), round(end_s * rate_hz)
    samples[first:last] += generator.normal(0.0, loud, last - first)
    return samples.astype(np.float32)[:, None]


def test_word_times_of_the_manifest_come_first_and_never_after_the_audio() -> None:
    frames, rate_hz = read_frames(FOX)
    told = Clip("fox", FOX.audio, "", words=(TimedWord("quick", 0.5, 0.8), TimedWord("dog", 2.0, 2.5)))
    assert speech_end(told, frames, rate_hz) == SpeechEnd(2.5, "words")
    assert speech_end(told, frames[:rate_hz], rate_hz) == SpeechEnd(1.0, "words")
    assert speech_start_s(told, frames, rate_hz) == 0.5


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_without_them_speech_is_what_stands_out_of_the_noise(rate_hz: int) -> None:
    """Within 20 ms, and the 50 ms that are meant."""
    frames = burst(0.7, 6.2, 9.0, rate_hz)
    end = speech_end(UNTIMED, frames, rate_hz)
    assert end.known_by == "energy"
    assert end.at_s == pytest.approx(6.25, abs=0.02)
    assert speech_start_s(UNTIMED, frames, rate_hz) == pytest.approx(0.65, abs=0.02)


@given(
    start_s=st.floats(0.2, 1.0),
    spoken_s=st.floats(0.5, 3.0),
    rest_s=st.floats(0.3, 1.5),
    loud_db=st.floats(-40, -6),
    noise_below_db=st.floats(15, 90),
    rate_hz=st.sampled_from(RATES_HZ),
)
def test_the_rule_follows_the_clips_own_levels(
    start_s: float, spoken_s: float, rest_s: float, loud_db: float, noise_below_db: float, rate_hz: int
) -> None:
    end_s = start_s + spoken_s
    loud = 10 ** (loud_db / 20)
    frames = burst(start_s, end_s, end_s + rest_s, rate_hz, loud=loud, noise=loud * 10 ** (-noise_below_db / 20))
    assert speech_end(UNTIMED, frames, rate_hz).at_s == pytest.approx(end_s + 0.05, abs=0.03)
    assert speech_start_s(UNTIMED, frames, rate_hz) == pytest.approx(start_s - 0.05, abs=0.03)


def test_a_click_is_no_speech() -> None:
    frames = burst(0.5, 1.5, 3.0, 16_000)
    frames[40_000:40_160] = 0.5
    assert speech_end(UNTIMED, frames, 16_000).at_s == pytest.approx(1.55, abs=0.02)


def test_speech_up_to_the_last_sample_ends_with_the_clip() -> None:
    frames = burst(0.5, 1.5, 1.5, 16_000)
    assert speech_end(UNTIMED, frames, 16_000) == SpeechEnd(1.5, "energy")


@pytest.mark.parametrize("level", [0.0, 0.01])
def test_where_nothing_stands_out_the_clip_itself_is_taken(level: float) -> None:
    frames = burst(0.0, 0.0, 2.0, 16_000, noise=level)
    assert speech_end(UNTIMED, frames, 16_000) == SpeechEnd(2.0, "clip")
    assert speech_start_s(UNTIMED, frames, 16_000) == 0.0


@pytest.mark.parametrize("samples", [0, 1, 159, 600])
def test_audio_shorter_than_any_speech_is_taken_whole(samples: int) -> None:
    frames = np.full((samples, 1), 0.1, np.float32)
    assert speech_end(UNTIMED, frames, 16_000) == SpeechEnd(samples / 16_000, "clip")


def test_of_a_recording_it_agrees_with_a_detector_of_speech() -> None:
    """An independent one, within 0.2 s."""
    frames, rate_hz = read_frames(FOX)
    speech = load_definition("v1").whole_window(frames, rate_hz).speech
    assert speech_end(FOX, frames, rate_hz).at_s == pytest.approx(speech[-1].end_sample / 16_000, abs=0.2)
    assert speech_start_s(FOX, frames, rate_hz) == pytest.approx(speech[0].start_sample / 16_000, abs=0.2)


LEAST_PAUSE_S = 0.2
LEAST_PIECE_S = 1.5


def aligned(dev: Path) -> Iterator[tuple[Frames, int, list[TimedWord]]]:
    """Recordings with word times."""
    for clip in read_manifest(dev / "librispeech_aligned" / "manifest.jsonl"):
        yield *read_frames(clip), [word for word in clip.words if word.text.strip()]
    (long,) = read_manifest(dev / "long_form" / "manifest.jsonl")
    words = json.loads((dev / "long_form" / f"{long.id}.segments.json").read_text())["words"]
    yield *decode_file(long.audio.read_bytes()), [TimedWord(word["word"], word["start"], word["end"]) for word in words]


def pieces_ending_in_a_pause(frames: Frames, rate_hz: int, words: list[TimedWord]) -> Iterator[tuple[Frames, float]]:
    """With the end of their last word, in seconds."""
    begin_s = max(words[0].start_s - 0.2, 0.0)
    for word, following in pairwise(words):
        pause_s = following.start_s - word.end_s
        if pause_s >= LEAST_PAUSE_S and word.end_s - begin_s >= LEAST_PIECE_S:
            stop_s = word.end_s + min(pause_s - 0.02, 0.5)
            yield frames[int(begin_s * rate_hz) : int(stop_s * rate_hz)], word.end_s - begin_s
            begin_s = following.start_s - min(pause_s / 2, 0.2)


def pieces_beginning_in_a_pause(frames: Frames, rate_hz: int, words: list[TimedWord]) -> Iterator[tuple[Frames, float]]:
    """About 3 s, with the start of their first word, in seconds."""
    for word, following in pairwise(words):
        if following.start_s - word.end_s >= 0.25:
            begin_s = word.end_s + 0.08
            stop_s = next((later.end_s for later in words if later.end_s > following.start_s + 2.5), None)
            if stop_s is not None:
                yield frames[int(begin_s * rate_hz) : int((stop_s + 0.2) * rate_hz)], following.start_s - begin_s


@pytest.mark.shared_data
def test_ends_found_by_level_are_near_those_of_an_alignment(shared_data: Path) -> None:
    """As `bench.speech_end` has it, to 5 ms; and never further off than what `bench.streams` calls early."""
    errors_ms = np.array(
        [
            (speech_end(UNTIMED, piece, rate_hz).at_s - end_s) * 1000
            for frames, rate_hz, words in aligned(shared_data / "dev")
            for piece, end_s in pieces_ending_in_a_pause(frames, rate_hz, words)
        ]
    )
    assert len(errors_ms) == 101
    assert np.percentile(errors_ms, [0, 5, 50, 95, 100]) == pytest.approx([-210, -110, 0, 40, 70], abs=5)
    assert np.percentile(abs(errors_ms), [50, 90, 95, 100]) == pytest.approx([25, 75, 110, 210], abs=5)
    assert max(abs(errors_ms)) < EARLY_MS


@pytest.mark.shared_data
def test_starts_found_by_level_are_near_those_of_an_alignment(shared_data: Path) -> None:
    """As `bench.speech_end` has it, to 5 ms."""
    errors_ms = np.array(
        [
            (speech_start_s(UNTIMED, piece, rate_hz) - start_s) * 1000
            for frames, rate_hz, words in aligned(shared_data / "dev")
            for piece, start_s in pieces_beginning_in_a_pause(frames, rate_hz, words)
        ]
    )
    assert len(errors_ms) == 98
    assert np.percentile(errors_ms, [0, 5, 50, 95, 100]) == pytest.approx([-30, -20, 0, 110, 150], abs=5)
