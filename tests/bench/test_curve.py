"""The curve of error rate against time: its arithmetic, its picture, and what cannot be asked of it."""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from asr_server.accuracy.manifest import Clip
from asr_server.engine.engine import DecodeOptions, Decoding
from asr_server.engine.whisper import EngineOptions, WhisperEngine
from asr_server.events import Tier
from asr_server.presets import PRESETS
from asr_server.session import SessionOptions
from audio_norm import Normalized
from bench.__main__ import main
from bench.charts import svg_file_of, svg_of, tradeoff
from bench.commands.curve import FIXED_STOPS_MS, fixed_waits
from bench.curve import ClipResult, ClipSimulator, Point, is_kept_aside, summarize
from bench.simulate import Simulated, Told, microphone
from tests.fake_engine import FakeEngine, said
from tests.session.script import RATE_HZ, plain_definition, silence, speech

PLAIN = Point("plain", SessionOptions(), beam_size=2)
EAGER = Point("eager", SessionOptions(speculate_after_ms=100, eager_results=True), beam_size=2)
TUNED_ON = next(f"speaker {number}" for number in count() if not is_kept_aside(Clip("a", Path("a.wav"), "", speaker=f"speaker {number}")))
KEPT_ASIDE = next(f"speaker {number}" for number in count() if is_kept_aside(Clip("a", Path("a.wav"), "", speaker=f"speaker {number}")))


def clip(text: str, speaker: str | None = TUNED_ON, name: str = "a") -> Clip:
    return Clip(name, Path("a.wav"), text, duration_s=4.0, speaker=speaker)


def result(one: Clip, text: str, after_ms: float = 300.0, *, eager: Sequence[Told] = (), stood: int = 0) -> ClipResult:
    """The speech ended at 2 s; decodes kept the machine busy for 100 ms."""
    finals = (Told(text, 0, 0.5, 2.0 + after_ms / 1000),) if text else ()
    return ClipResult(one, 2.0, Simulated(finals, tuple(eager), stood, decodes=2, busy_ms=100.0))


# --------------------------------------------------------------------------------------------------------------------- a point


def test_a_point_may_differ_in_any_option_of_the_session_and_in_its_beam() -> None:
    point = PLAIN.varied("other", {"vad_stop_ms": 300, "beam_size": 5})
    assert point == Point("other", SessionOptions(vad_stop_ms=300), beam_size=5)


@pytest.mark.parametrize("change", [{"vad_stop_ms": 1}, {"beam_size": 0}])
def test_a_value_that_is_not_accepted_makes_no_point(change: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        PLAIN.varied("other", change)


def test_fixed_waits_are_the_same_whatever_the_text() -> None:
    for points in fixed_waits().values():
        assert [point.session.vad_stop_ms for point in points] == list(FIXED_STOPS_MS)
        assert not any(point.session.sure_stop_ms for point in points)


def test_the_plain_ones_have_nothing_that_is_new_and_the_others_all_else() -> None:
    plain, new = fixed_waits().values()
    assert {(point.session.speculate_after_ms, point.session.context_ms) for point in plain} == {(0, 0)}
    fast = PRESETS["fast"].session
    assert {(point.session.speculate_after_ms, point.session.context_ms) for point in new} == {(fast.speculate_after_ms, fast.context_ms)}


# ------------------------------------------------------------------------------------------------------------------ the summary


def test_errors_are_summed_over_all_clips_and_for_each_side_alone() -> None:
    results = [
        result(clip("the cat sat on the mat"), "the cat sat on the mat"),
        result(clip("green tea"), "green sea"),
        result(clip("green tea", KEPT_ASIDE), "tea"),
    ]
    point = summarize(PLAIN, results)
    assert (point["wer"], point["wer_tuned_on"], point["wer_kept_aside"]) == (2 / 10, 1 / 8, 1 / 2)


def test_a_side_without_words_has_no_error_rate() -> None:
    assert summarize(PLAIN, [result(clip("one"), "one")])["wer_kept_aside"] is None


def test_times_are_quantiles_over_the_clips_that_have_a_final() -> None:
    results = [*(result(clip("one"), "one", ms) for ms in (100, 200, 300)), result(clip("one"), "")]
    point = summarize(PLAIN, results)
    assert point["ttfs_ms"] == {"p50": 200.0, "p95": 300.0, "p99": 300.0, "max": 300.0}
    assert (point["finals"], point["decodes"]) == (3, 8)


def test_load_is_the_share_of_the_clips_time_that_decodes_take() -> None:
    assert summarize(PLAIN, [result(clip("one"), "one")] * 3)["load"] == pytest.approx(0.1 / 4)
    assert summarize(PLAIN, [])["load"] is None


def test_eager_texts_are_counted_only_where_they_are_told() -> None:
    results = [
        result(clip("one"), "one", 300, eager=[Told("one", 0, 0.5, 2.1)], stood=1),
        result(clip("one two"), "one two", 300, eager=[Told("one", 0, 0.5, 1.5), Told("one two", 0, 0.5, 2.2)], stood=1),
    ]
    assert summarize(PLAIN, results)["eager"] is None
    eager = summarize(EAGER, results)["eager"]
    assert (eager["told"], eager["stood"]) == (3, 2)
    assert (eager["ms"]["p50"], eager["ms"]["max"]) == (100.0, 200.0)


def test_a_point_tells_every_option_it_was_measured_with() -> None:
    options = summarize(PLAIN, [])["options"]
    assert options == {name: getattr(PLAIN.session, name) for name in SessionOptions.__slots__} | {"beam_size": 2}


def test_a_speaker_is_on_one_side_with_all_clips() -> None:
    assert {is_kept_aside(clip("one", KEPT_ASIDE, name)) for name in "abcdefgh"} == {True}
    assert {is_kept_aside(clip("one", TUNED_ON, name)) for name in "abcdefgh"} == {False}


def test_clips_of_nobody_known_are_on_either_side_one_by_one() -> None:
    aside = sum(is_kept_aside(clip("one", None, f"clip {number}")) for number in range(300))
    assert 70 < aside < 130


# ------------------------------------------------------------------------------------------------------------------ one clip


class FakeWhisper(FakeEngine):
    """Counts its decodes by beam; says what it was asked."""

    def __init__(self, model: str = "fake") -> None:
        super().__init__(self._hear, model=model)
        self.options = EngineOptions()
        self.beams: list[int] = []

    def _hear(self, _audio: Normalized, options: DecodeOptions) -> Decoding:
        self.beams.append(options.beam_size)
        return said(f"beam {options.beam_size}")


@pytest.fixture
def whisper() -> FakeWhisper:
    return FakeWhisper()


@pytest.fixture
def simulator(whisper: FakeWhisper) -> ClipSimulator:
    definition = plain_definition()
    frames = np.concatenate([speech(1_000), silence(700), speech(1_000)])[:, None]
    return ClipSimulator(microphone(frames, RATE_HZ, definition), "en", cast("WhisperEngine", whisper), definition)


def test_a_decode_that_several_points_ask_for_is_done_once(simulator: ClipSimulator, whisper: FakeWhisper) -> None:
    one = simulator.run(PLAIN)
    assert one == simulator.run(PLAIN.varied("the same", {}))
    assert whisper.beams == [2, 2]
    assert simulator.run(PLAIN.varied("wider", {"beam_size": 5})).text == "beam 5 beam 5"
    assert whisper.beams == [2, 2, 5, 5]


def test_a_wider_beam_takes_longer(simulator: ClipSimulator) -> None:
    assert simulator.run(PLAIN).busy_ms < simulator.run(PLAIN.varied("wider", {"beam_size": 5})).busy_ms


def test_a_smaller_model_decodes_partials_and_for_the_points_that_prefer_it() -> None:
    definition, smaller = plain_definition(), FakeWhisper("smaller")
    main = FakeWhisper()
    chunks = microphone(np.concatenate([speech(1_000), silence(700)])[:, None], RATE_HZ, definition)
    simulator = ClipSimulator(chunks, "en", cast("WhisperEngine", main), definition, cast("WhisperEngine", smaller))
    simulator.run(PLAIN.varied("shown", {"interim_results": True}))
    assert (set(main.beams), set(smaller.beams)) == ({2}, {1})
    assert replace(PLAIN, tier=Tier.SMALLER).varied("other", {}).tier is Tier.SMALLER
    simulator.run(replace(PLAIN, tier=Tier.SMALLER))
    assert (set(main.beams), set(smaller.beams)) == ({2}, {1, 2})
    german = ClipSimulator(chunks, "de", cast("WhisperEngine", main), definition, cast("WhisperEngine", smaller))
    before = len(smaller.beams)
    german.run(replace(PLAIN, tier=Tier.SMALLER))
    assert len(smaller.beams) == before


def test_partials_are_greedy(simulator: ClipSimulator, whisper: FakeWhisper) -> None:
    simulator.run(PLAIN.varied("shown", {"interim_results": True}))
    assert set(whisper.beams) == {1, 2}


# ----------------------------------------------------------------------------------------------------------------- the picture


def drawable(name: str, p50_ms: float | None, wer: float | None, stop_ms: int = 200) -> dict[str, Any]:
    p95_ms = None if p50_ms is None else p50_ms + 200
    return {"name": name, "ttfs_ms": {"p50": p50_ms, "p95": p95_ms}, "wer": wer, "options": {"vad_stop_ms": stop_ms}}


NAMED = [drawable("fast", 210, 0.072), drawable("accurate", 650, 0.058)]
LINES = {"fixed": [drawable("fixed, 300 ms", 410, 0.09, 300), drawable("fixed, 700 ms", 820, 0.07, 700)]}


def texts(drawing: str) -> set[str]:
    return {"".join(element.itertext()) for element in ET.fromstring(drawing).iter() if element.tag.endswith("}text")}


def test_the_curve_names_its_presets_its_lines_and_the_waits_along_them() -> None:
    written = texts(svg_file_of(tradeoff(NAMED, LINES)))
    assert {"fast", "accurate", "fixed", "300", "700"} <= written
    assert "word error rate, %" in written


def test_the_same_curve_gives_the_same_bytes() -> None:
    assert svg_file_of(tradeoff(NAMED, LINES)) == svg_file_of(tradeoff(NAMED, LINES))


def test_a_file_of_its_own_is_on_white_and_wants_no_style_sheet() -> None:
    drawing = svg_file_of(tradeoff(NAMED, LINES))
    assert "#ffffff" in drawing
    assert "var(" not in drawing
    assert "currentColor" not in drawing


def test_in_a_page_it_has_the_pages_looks() -> None:
    drawing = svg_of(tradeoff(NAMED, LINES))
    assert "style" not in drawing
    assert set(re.findall(r'"(#[0-9a-f]{6})"', drawing)) <= {"#000000"}


def test_what_was_not_measured_and_more_points_than_colours_can_be_drawn() -> None:
    unmeasured = [drawable("silent", None, 0.1), drawable("wordless", 300, None)]
    assert not {"silent", "wordless"} & texts(svg_file_of(tradeoff(unmeasured, {"fixed": unmeasured})))
    many = [drawable(f"$x^{number}", 100 * number, 0.1) for number in range(12)]
    assert {point["name"] for point in many} <= texts(svg_file_of(tradeoff(many, {})))


# ------------------------------------------------------------------------------------------------------------------ wrong calls


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--vary", "quick"], "'quick' is no preset, accepted: fast, balanced, accurate"),
        (["--vary", ""], "'' is no preset, accepted: fast, balanced, accurate"),
        (["--vary", "fast vad_stop=300"], "'vad_stop' cannot be varied, accepted: vad_stop_ms, "),
        (["--vary", "fast vad_stop_ms"], "'vad_stop_ms': wanted vad_stop_ms=NUMBER"),
        (["--vary", "fast vad_stop_ms=soon"], "'vad_stop_ms=soon': wanted vad_stop_ms=NUMBER"),
        (["--vary", "fast vad_stop_ms=1"], "'fast vad_stop_ms=1': vad_stop_ms is 1, accepted: 100 to 5000 ms"),
        (["--vary", "fast", "--vary", "fast beam_size=0"], "'fast beam_size=0': beam_size is 0, must be at least 1"),
        (["--svg", "o.json"], "--svg o.json: is another file of this command"),
        (["--svg", "m.jsonl"], "--svg m.jsonl: is another file of this command"),
        (["--svg", "no/where.svg"], "--svg no/where.svg: no such folder: no"),
        (["--max-duration-s", "1"], "no clip of up to 1 s in m.jsonl"),
    ],
)
def test_a_wrong_call_is_one_line_and_exit_code_2(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.wav").touch()
    (tmp_path / "m.jsonl").write_text('{"audio": "a.wav", "text": "hello", "duration_s": 2.0}')
    assert main(["curve", "--manifest", "m.jsonl", "--json", "o.json", *arguments]) == 2
    told = capsys.readouterr()
    assert (told.err.count("\n"), told.out) == (1, "")
    assert message in told.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.wav", "m.jsonl"]
