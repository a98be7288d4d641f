import asyncio
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from asr_server.accuracy.manifest import Clip
from asr_server.api.clip import Clip as Audio
from asr_server.engine.engine import DecodeOptions, Decoding
from audio_norm import Normalized, Samples, load_definition
from bench.alone import hear_whole, measure_baseline, measure_floor
from bench.speech_end import SpeechEnd
from bench.streams import FinalSeen, Part, Spoken
from eval.audio import read_frames
from eval.recognisers import Failed, Heard, Skipped
from tests.bench.fake_server import final
from tests.eval.fake_recogniser import FakeRecogniser
from tests.fake_engine import FakeEngine, said
from tests.recordings import recording

FOX = Clip("fox", recording("quick_brown_fox"), "")
DEFINITION = load_definition("v1")


def seen(start_s: float, end_s: float, beam_size: int = 5) -> FinalSeen:
    ledger = final("", 0, 0).ledger
    assert ledger is not None
    return FinalSeen("", start_s, end_s, 0.0, replace(ledger, beam_size=beam_size))


def test_the_floor_is_of_each_segment_as_the_server_had_it() -> None:
    asked: list[tuple[Normalized, DecodeOptions]] = []

    def answer(audio: Normalized, options: DecodeOptions) -> Decoding:
        asked.append((audio, options))
        return said("")

    frames, rate_hz = read_frames(FOX)
    speech = DEFINITION.whole_window(frames, rate_hz).speech
    start_s, end_s = speech[0].start_sample / 16_000, speech[-1].end_sample / 16_000
    spoken = Spoken(
        Part(FOX, Audio(b"", 8_000, 1), SpeechEnd(end_s, "energy")), (seen(start_s, end_s), seen(start_s, 1.5, beam_size=2)), ()
    )
    ((first_ms, second_ms),) = measure_floor([spoken], FakeEngine(answer), DEFINITION, lambda: None)
    assert first_ms is not None
    assert second_ms is not None
    durations_s = [audio.duration_s for audio, _ in asked]
    assert durations_s == pytest.approx([end_s + 0.25, 1.5 + 0.25], abs=0.1)  # it begins at once: nothing is kept before
    assert [options.beam_size for _, options in asked] == [5, 2]


def test_a_segment_that_a_smaller_model_decoded_has_the_floor_of_that_model() -> None:
    asked: list[str] = []

    def engine(model: str) -> FakeEngine:
        def answer(_audio: Normalized, _options: DecodeOptions) -> Decoding:
            asked.append(model)
            return said("")

        return FakeEngine(answer, model=model)

    finals = (seen(0.5, 2.5), replace(seen(0.5, 2.5), model="smaller"), replace(seen(0.5, 2.5), model="unknown"))
    spoken = Spoken(Part(FOX, Audio(b"", 8_000, 1), SpeechEnd(2.5, "energy")), finals, ())
    measure_floor([spoken], engine("main"), DEFINITION, lambda: None, [engine("smaller")])
    assert asked == ["main", "smaller", "main"]


def test_a_segment_without_speech_and_a_language_it_does_not_speak_have_no_floor() -> None:
    german = Clip("fox", FOX.audio, "", language="de-DE")
    audio, end = Audio(b"", 8_000, 1), SpeechEnd(2.5, "energy")
    results = [Spoken(Part(FOX, audio, end), (seen(3.5, 3.6), seen(0.5, 2.5)), ()), Spoken(Part(german, audio, end), (seen(0.5, 2.5),), ())]
    told: list[int] = []
    (silent_ms, spoken_ms), foreign_ms = measure_floor(results, FakeEngine(), DEFINITION, lambda: told.append(1))
    assert silent_ms is None
    assert spoken_ms is not None
    assert foreign_ms == (None,)
    assert len(told) == 2


def test_the_baseline_decodes_once_before_it_is_timed() -> None:
    heard: list[int] = []

    class Baseline:
        def samples_of(self, path: Path) -> Samples:
            return np.zeros(int(path.stem), np.float32)

        def transcribe(self, audio: Path | Samples, language: str) -> None:
            assert not isinstance(audio, Path)
            assert language == "en"
            heard.append(len(audio))

    baseline, told = Baseline(), list[int]()
    audio, end = Audio(b"", 8_000, 1), SpeechEnd(2.5, "energy")
    results = [Spoken(Part(Clip(name, Path(f"{name}.wav"), ""), audio, end), (), ()) for name in ("1", "2")]
    assert len(measure_baseline(results, baseline, lambda: told.append(1))) == len(told) == 2
    assert heard == [1, 1, 2]
    assert measure_baseline([], baseline, lambda: None) == []


def clips(count: int) -> list[Clip]:
    return [Clip(str(number), Path("a.wav"), "") for number in range(count)]


async def test_whole_clips_are_heard_in_order_and_what_cannot_be_heard_is_none() -> None:
    recogniser = FakeRecogniser({"0": "one", "1": Skipped("no German"), "2": Failed("broken"), "3": "four"})
    told: list[int] = []
    assert await hear_whole(clips(4), recogniser, jobs=2, heard=lambda: told.append(1)) == ["one", None, None, "four"]
    assert len(told) == 4


async def test_no_more_clips_are_heard_at_a_time_than_wanted() -> None:
    class Slow(FakeRecogniser):
        open = most_open = 0

        async def hear(self, clip: Clip) -> Heard:
            self.open += 1
            self.most_open = max(self.most_open, self.open)
            await asyncio.sleep(0)
            self.open -= 1
            return Heard()

    recogniser = Slow({})
    await hear_whole(clips(5), recogniser, jobs=2, heard=lambda: None)
    assert recogniser.most_open == 2
