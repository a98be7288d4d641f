import pytest

from asr_server.api.clip import Clip as Audio
from asr_server.engine.engine import DecodeOptions, Decoding
from audio_norm import Normalized, load_definition
from bench.alone import measure_floor
from bench.speech_end import SpeechEnd, speech_end
from bench.streams import FinalSeen, Part, Spoken
from eval.audio import read_frames
from eval.manifest import Clip, TimedWord
from tests.bench.fake_server import final
from tests.fake_engine import FakeEngine, said
from tests.recordings import recording

FOX = Clip("fox", recording("quick_brown_fox"), "")
DEFINITION = load_definition("v1")


def seen(start_s: float, end_s: float) -> FinalSeen:
    ledger = final("", 0, 0).ledger
    assert ledger is not None
    return FinalSeen("", start_s, end_s, 0.0, ledger)


def test_the_floor_is_of_each_segment_as_the_server_had_it() -> None:
    asked: list[tuple[Normalized, DecodeOptions]] = []

    def answer(audio: Normalized, options: DecodeOptions) -> Decoding:
        asked.append((audio, options))
        return said("")

    frames, rate_hz = read_frames(FOX)
    speech = DEFINITION.whole_window(frames, rate_hz).speech
    start_s, end_s = speech[0].start_sample / 16_000, speech[-1].end_sample / 16_000
    spoken = Spoken(Part(FOX, Audio(b"", 8_000, 1), SpeechEnd(end_s, "vad")), (seen(start_s, end_s), seen(start_s, 1.5)), ())
    assert len(measure_floor([spoken], FakeEngine(answer), DEFINITION, lambda: None)) == 2
    durations_s = [audio.duration_s for audio, _ in asked]
    assert durations_s == pytest.approx([end_s + 0.25, 1.5 + 0.25], abs=0.1)  # it begins at once: nothing is kept before
    assert [options.beam_size for _, options in asked] == [5, 5]


def test_speech_ends_with_the_last_word_where_the_manifest_tells_and_never_after_the_clip() -> None:
    frames, rate_hz = read_frames(FOX)
    told = Clip("fox", FOX.audio, "", words=(TimedWord("dog", 2.0, 2.5),))
    assert speech_end(told, frames, rate_hz, DEFINITION) == SpeechEnd(2.5, "words")
    assert speech_end(told, frames[:rate_hz], rate_hz, DEFINITION) == SpeechEnd(1.0, "words")


def test_speech_ends_with_the_last_speech_frame_where_it_does_not() -> None:
    frames, rate_hz = read_frames(FOX)
    found = speech_end(FOX, frames, rate_hz, DEFINITION)
    assert found.known_by == "vad"
    assert found.at_s == pytest.approx(2.6, abs=0.3)


def test_without_any_speech_the_end_is_that_of_the_clip() -> None:
    frames, rate_hz = read_frames(FOX)
    assert speech_end(FOX, frames[:rate_hz] * 0, rate_hz, DEFINITION) == SpeechEnd(1.0, "clip")
