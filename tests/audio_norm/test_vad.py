import sys
from subprocess import run

import numpy as np
import pytest

from audio_norm import Samples, SileroVad, Vad, WebRtcVad
from tests.audio_norm.samples import noise, speech


def frames_of(vad: Vad, samples: Samples) -> Samples:
    whole = len(samples) // vad.frame_samples * vad.frame_samples
    return samples[:whole].reshape(-1, vad.frame_samples)


def probabilities(vad: Vad, samples: Samples) -> list[float]:
    return list(vad.probabilities(frames_of(vad, samples)))


@pytest.mark.parametrize("vad", [WebRtcVad(0), WebRtcVad(3), SileroVad()])
def test_speech_is_heard_and_digital_silence_is_not(vad: Vad) -> None:
    assert np.mean(probabilities(vad, speech())) > 0.4
    assert probabilities(vad, np.zeros(32_000, np.float32))[-1] < 0.1


def test_silero_hears_no_speech_in_steady_noise() -> None:
    assert max(probabilities(SileroVad(), noise(3.0, rms=0.05))) < 0.35


def test_a_new_silero_is_like_one_that_has_heard_half_a_second_of_silence() -> None:
    """So speech that begins with the first sample is heard at once."""
    begun = speech("quick_brown_fox")[8_000:]
    waited = SileroVad()
    probabilities(waited, np.zeros(16 * waited.frame_samples, np.float32))
    at_once = probabilities(SileroVad(), begun)
    assert at_once[0] > 0.8
    assert at_once == pytest.approx(probabilities(waited, begun), abs=0.1)


def test_webrtc_says_only_yes_or_no() -> None:
    assert set(probabilities(WebRtcVad(), speech())) <= {0.0, 1.0}


@pytest.mark.parametrize("make", [WebRtcVad, SileroVad])
def test_two_streams_side_by_side_do_not_disturb_each_other(make: type[WebRtcVad | SileroVad]) -> None:
    alone = probabilities(make(), speech())
    one, other = make(), make()
    together: list[float] = []
    for frame in frames_of(one, speech()):
        together += one.probabilities(frame[np.newaxis])
        other.probabilities(frames_of(other, noise(1.0))[:1])
    assert together == alone


@pytest.mark.parametrize("make", [WebRtcVad, SileroVad])
@pytest.mark.parametrize("at_once", [2, 3, 7, 64, 100])
def test_several_frames_at_once_are_heard_as_one_after_the_other(make: type[WebRtcVad | SileroVad], at_once: int) -> None:
    one, several = make(), make()
    frames = frames_of(one, np.tile(speech(), 2))
    each = [one.probabilities(frame[np.newaxis])[0] for frame in frames]
    assert [heard for start in range(0, len(frames), at_once) for heard in several.probabilities(frames[start : start + at_once])] == each


@pytest.mark.parametrize("make", [WebRtcVad, SileroVad])
def test_no_frame_is_no_probability_and_changes_nothing(make: type[WebRtcVad | SileroVad]) -> None:
    vad = make()
    assert vad.probabilities(np.empty((0, vad.frame_samples), np.float32)) == ()
    assert probabilities(vad, speech()) == probabilities(make(), speech())


@pytest.mark.parametrize("make", [WebRtcVad, SileroVad])
def test_a_frame_is_not_changed(make: type[WebRtcVad | SileroVad]) -> None:
    vad = make()
    frames = frames_of(vad, noise(1.0))
    before = frames.copy()
    vad.probabilities(frames)
    assert np.array_equal(frames, before)


@pytest.mark.parametrize("vad", [WebRtcVad(), SileroVad()])
def test_a_frame_of_another_length_is_refused(vad: Vad) -> None:
    with pytest.raises(ValueError, match=rf"\(n, {vad.frame_samples}\), got \(1, 7\)"):
        vad.probabilities(np.zeros((1, 7), np.float32))


def test_an_unknown_aggressiveness_is_refused() -> None:
    with pytest.raises(ValueError, match="0, 1, 2 or 3, got 4"):
        WebRtcVad(4)  # type: ignore[arg-type]


def test_silero_is_found_without_importing_the_engine_that_brings_it() -> None:
    program = "import sys, audio_norm; audio_norm.SileroVad(); print('faster_whisper' in sys.modules, 'ctranslate2' in sys.modules)"
    result = run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["False", "False"]
