"""The same recordings under other conditions: what reaches the recogniser, what is reported, and the command."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr_server.accuracy.manifest import Clip, ManifestError
from audio_norm import Pcm, load_definition
from eval.__main__ import main
from eval.audio import read_frames
from eval.journal import Entry, journal_path
from eval.recognisers import Heard, HeardSegment, Skipped, System
from eval.robustness.conditions import Condition, Sound, Surroundings
from eval.robustness.suite import FIELDS, Distorter, HeardUnder, UnderCondition, report
from eval.run import Outcome, Scored, Unscored, hear_all, inspect, score
from tests.eval.fake_recogniser import FakeRecogniser
from tests.recordings import recording

V1 = load_definition("v1")
HELLO = Clip("hello", recording("hello_world"), "Hello world.", speaker="anna")
COUNT = Clip("count", recording("counting"), "fine sunny day", speaker="bert")
QUIETER = Condition("level", -20)


class Listener:
    """Hears how loud the loudest sample is."""

    system: System = FakeRecogniser.system

    def __init__(self) -> None:
        self.files: list[Path] = []

    async def hear(self, clip: Clip) -> Heard:
        self.files.append(clip.audio)
        frames, _ = read_frames(clip)
        return Heard((HeardSegment(f"{float(np.abs(frames).max()):.4f}", 0.0, 1.0, 1.0),))


def under(condition: Condition, folder: Path, clips: Sequence[Clip], listener: Listener) -> UnderCondition:
    return UnderCondition(listener, clips, condition, Distorter(V1, Surroundings(), 0), folder)


def test_the_recogniser_gets_a_file_of_the_recording_under_the_condition(tmp_path: Path) -> None:
    listener = Listener()
    quieter = under(QUIETER, tmp_path, [HELLO, COUNT], listener)
    recorded = float(np.abs(read_frames(HELLO)[0]).max())
    heard = asyncio.run(quieter.hear(quieter.clips[0]))
    assert float(heard.text) == pytest.approx(recorded / 10, abs=0.0002)
    info = soundfile.info(listener.files[0])
    assert (info.subtype, info.samplerate) == ("PCM_16", soundfile.info(HELLO.audio).samplerate)
    assert [(clip.id, clip.text, clip.speaker) for clip in quieter.clips] == [(one.id, one.text, one.speaker) for one in (HELLO, COUNT)]
    assert not quieter.clips[1].audio.exists()


def test_both_sides_hear_the_same_file(tmp_path: Path) -> None:
    first, second = Listener(), Listener()
    one = under(QUIETER, tmp_path, [HELLO], first)
    asyncio.run(one.hear(one.clips[0]))
    made = first.files[0].stat().st_mtime_ns
    other = under(QUIETER, tmp_path, [HELLO], second)
    asyncio.run(other.hear(other.clips[0]))
    assert second.files == first.files
    assert second.files[0].stat().st_mtime_ns == made


class Deaf:
    """Fails, naming the file as it reads it."""

    system: System = FakeRecogniser.system

    async def hear(self, clip: Clip) -> Heard:
        raise ManifestError(f"{clip.audio}: not audio")


def heard_by(recogniser: UnderCondition) -> list[Outcome]:
    return asyncio.run(hear_all(recogniser.clips, recogniser, V1, jobs=2, taken_up={}, heard=lambda _clip, _entry: None))


def test_a_failure_tells_clip_and_condition_and_no_file_that_is_gone_afterwards(tmp_path: Path) -> None:
    (failed,) = heard_by(UnderCondition(Deaf(), [HELLO], QUIETER, Distorter(V1, Surroundings(), 0), tmp_path))
    assert isinstance(failed, Scored)
    assert failed.error == "hello under level -20 dB: not audio"


def test_a_full_disk_fails_the_clip_and_leaves_no_half_of_its_file(tmp_path: Path) -> None:
    """/dev/full is such a disk."""
    (tmp_path / "0.unfinished").symlink_to("/dev/full")
    failed, good = heard_by(under(QUIETER, tmp_path, [HELLO, COUNT], Listener()))
    assert isinstance(failed, Scored)
    assert failed.error == f"hello under level -20 dB cannot be written below {tmp_path.parent}: No space left on device"
    assert isinstance(good, Scored)
    assert not good.error
    assert [path.name for path in tmp_path.iterdir()] == ["1.wav"]


def test_a_recording_that_lacks_what_the_condition_goes_by_is_skipped_with_the_reason(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros(8_000), 8_000)
    overdriven = under(Condition("clipping", 5), tmp_path, [Clip("silence", tmp_path / "silence.wav", "")], Listener())
    with pytest.raises(Skipped, match="no speech is found in it"):
        asyncio.run(overdriven.hear(overdriven.clips[0]))


def test_speech_is_found_at_any_rate_and_in_the_samples_of_the_recording(tmp_path: Path) -> None:
    """So 20 % of the samples of speech are clipped, also of a recording at 8 kHz with silence before it."""
    spoken, _ = soundfile.read(HELLO.audio, dtype="float32")
    late = np.concatenate([np.zeros(16_000, np.float32), spoken])[::2]
    soundfile.write(tmp_path / "late.wav", late, 8_000)
    frames, rate_hz = Distorter(V1, Surroundings(), 0).distorted(Clip("late", tmp_path / "late.wav", ""), Condition("clipping", 20))
    clipped, spoken_at = np.abs(frames[:, 0]) > 0.9999, np.zeros(len(late), np.bool_)
    for span in V1.whole_window(late[:, np.newaxis], 8_000).speech:
        spoken_at[span.start_sample // 2 : span.end_sample // 2] = True
    assert rate_hz == 8_000
    assert 0.2 < spoken_at.mean() < 0.9
    assert clipped[spoken_at].mean() == pytest.approx(0.2, abs=0.005)


def heard_as(clip: Clip, text: str, *, given_s: float | None = 1.0) -> Outcome:
    segments = (HeardSegment(text, 0.0, 1.0, 0.9),) if text else ()
    return score(clip, Entry(Heard(segments, given_s), inspect(clip, V1)))


def reported(*heard: HeardUnder) -> dict[str, object]:
    return report(heard, FakeRecogniser.system, via={"via": "engine"}, data={"clips": 2}, noise=None, seed=0)


def test_what_it_has_at_its_top_is_told_beforehand() -> None:
    via = {"via": "server", "realtime": False, "budget_ms": 0, "preset": "", "jobs": 1}
    assert tuple(report([RECORDED], FakeRecogniser.system, via=via, data={}, noise=None, seed=0)) == FIELDS


RECORDED = HeardUnder(
    None,
    [heard_as(HELLO, "hello world"), heard_as(COUNT, "fine sunny day")],
    [heard_as(HELLO, "hello world"), heard_as(COUNT, "fine sunny")],
)


def test_a_condition_is_held_against_as_recorded_and_with_the_definition_against_without() -> None:
    noisy = HeardUnder(
        QUIETER,
        [heard_as(HELLO, "hello"), heard_as(COUNT, "fine sunny day")],
        [heard_as(HELLO, ""), heard_as(COUNT, "fine")],
    )
    result = json.loads(json.dumps(reported(RECORDED, noisy)))
    recorded, quieter = result["conditions"]
    assert (recorded["name"], recorded["family"], recorded["difference"]) == ("as recorded", None, None)
    assert (quieter["name"], quieter["family"], quieter["amount"]) == ("level -20 dB", "level", -20)
    assert [recorded["with"]["wer"], recorded["without"]["wer"], quieter["with"]["wer"], quieter["without"]["wer"]] == [0.0, 0.2, 0.2, 0.8]
    assert (quieter["difference"]["with"]["words"]["rate"], quieter["difference"]["without"]["words"]["rate"]) == (0.2, 0.6)
    assert (recorded["gain_of_definition"]["words"]["rate"], quieter["gain_of_definition"]["words"]["rate"]) == (0.2, 0.6)
    assert result["gain_of_definition"]["words"]["rate"] == 0.4
    assert quieter["with"]["hypotheses"][0] == {"id": "hello", "hyp": "hello", "noise": None, "S": 0, "D": 1, "I": 0, "words": 2}


def test_the_noise_of_each_clip_is_told_of_both_sides() -> None:
    both = [heard_as(HELLO, "hello"), heard_as(COUNT, "")]
    result = reported(RECORDED, HeardUnder(Condition("noise", 0), both, both, {"hello": "fan", "count": "drill"}))
    condition = result["conditions"][1]  # type: ignore[index]
    assert [[one["noise"] for one in condition[side]["hypotheses"]] for side in ("with", "without")] == [["fan", "drill"]] * 2


def test_what_is_around_a_clip_is_known_also_where_the_clip_was_not_made_and_not_where_it_could_not_be(tmp_path: Path) -> None:
    (tmp_path / "broken.wav").write_bytes(b"not audio")
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), 16_000)
    hum = Sound("hum", Pcm(np.random.default_rng(1).standard_normal(16_000).astype(np.float32), 16_000))
    clips = [HELLO, *(Clip(name, tmp_path / f"{name}.wav", "") for name in ("broken", "empty"))]
    distorter = Distorter(V1, Surroundings((hum,)), 0)
    assert distorter.sounds_around(clips, Condition("noise", 5)) == {"hello": "hum"}
    assert distorter.sounds_around(clips, QUIETER) == {}


def test_nothing_heard_and_nothing_given_are_counted() -> None:
    silent = HeardUnder(QUIETER, [heard_as(HELLO, ""), heard_as(COUNT, "", given_s=0.0)], None)
    side = reported(HeardUnder(None, RECORDED.defined, None), silent)["conditions"][1]["with"]  # type: ignore[index]
    assert (side["empty"], side["rejected"]) == (2, {})


def test_what_the_definition_rejected_is_counted_by_reason(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(8_000), 8_000)
    lost = Clip("hello", tmp_path / "a.wav", HELLO.text)
    one = HeardUnder(None, [heard_as(lost, "", given_s=0.0)], [heard_as(lost, "", given_s=0.5)])
    condition = reported(one)["conditions"][0]  # type: ignore[index]
    assert (condition["with"]["rejected"], condition["without"]["rejected"]) == ({"no_speech": 1}, {})


def test_a_clip_that_was_not_heard_both_times_is_in_no_difference() -> None:
    skipped = HeardUnder(QUIETER, [heard_as(HELLO, "hello"), Unscored(COUNT, "no speech")], None)
    condition = reported(HeardUnder(None, RECORDED.defined, None), skipped)["conditions"][1]  # type: ignore[index]
    assert condition["difference"]["with"]["words"]["clips"] == 1
    assert condition["difference"]["with"]["words"]["rate"] == 0.5
    assert (condition["difference"]["with"]["words"]["ci95"], condition["difference"]["with"]["words"]["p"]) == (None, 1.0)
    assert condition["with"]["skipped"] == [{"id": "count", "reason": "no speech"}]


def test_without_a_side_without_the_definition_there_is_no_gain() -> None:
    result = reported(HeardUnder(None, RECORDED.defined, None))
    assert result["gain_of_definition"] is None
    assert result["conditions"][0]["without"] is None  # type: ignore[index]


def test_languages_without_word_spaces_are_told_apart() -> None:
    japanese = Clip("ja", recording("pangrama", "ja"), "いろはに", language="ja")
    whole, half = heard_as(japanese, "いろはに"), heard_as(japanese, "いろ")
    result = reported(HeardUnder(None, [whole], None), HeardUnder(QUIETER, [half], None))
    found = result["conditions"][1]["difference"]["with"]  # type: ignore[index]
    assert (found["words"], found["characters"]["rate"]) == (None, 0.5)


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    rows = [{"id": clip.id, "audio": str(clip.audio), "text": clip.text, "set": "read"} for clip in (HELLO, COUNT)]
    path = tmp_path / "m.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def command(manifest: Path, *more: str) -> list[str]:
    return ["robustness", "--manifest", str(manifest), "--json", str(manifest.parent / "o.json"), *more]


def test_the_engine_is_heard_with_and_without_the_definition(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = command(manifest, "--model", "tiny.en", "--limit", "1", "--conditions", "telephone,level", "--require", "seed==0")
    assert main(arguments) == 0
    result = json.loads((manifest.parent / "o.json").read_text())
    recorded = result["conditions"][0]
    assert [one["name"] for one in result["conditions"]] == [
        "as recorded",
        *(f"level {db} dB" for db in (-30, -20, -10, "+10")),
        "telephone",
    ]
    assert all(one[side]["words"] == 2 for one in result["conditions"] for side in ("with", "without"))
    assert recorded["with"]["wer"] == 0.0
    assert (result["data"]["clips"], result["system"]["release"]["model"], result["noise"]) == (1, "tiny.en", None)
    shown = capsys.readouterr().out
    assert "packet loss" not in shown
    assert "telephone" in shown
    assert "saved by the data definition" in shown
    assert not journal_path(manifest.parent / "o.json").exists()


def test_what_was_around_the_recordings_is_told(manifest: Path) -> None:
    sounds = {"fan": np.random.default_rng(1).standard_normal(8_000) * 0.1, "room": np.eye(1, 800, 40)[0] * 0.5}
    told = {"fan": "noise-machine", "room": "room-impulse-response"}
    for name, samples in sounds.items():
        soundfile.write(manifest.parent / f"{name}.wav", samples, 16_000)
    rows = [{"id": name, "audio": f"{name}.wav", "text": "", "conditions": [told[name]]} for name in sounds]
    noises = manifest.parent / "n.jsonl"
    noises.write_text("\n".join(json.dumps(row) for row in rows))
    arguments = command(manifest, "--model", "tiny.en", "--limit", "1", "--noise", str(noises), "--conditions", "noise,reverberation")
    assert main(arguments) == 0
    result = json.loads((manifest.parent / "o.json").read_text())
    assert [one["name"] for one in result["conditions"][-3:]] == ["noise 5 dB SNR", "noise 0 dB SNR", "reverberation"]
    around = result["noise"]
    assert [[one["noise"] for one in under["with"]["hypotheses"]] for under in result["conditions"]] == [[None], *[["fan"]] * 4, ["room"]]
    assert (around["noises"], around["responses"], around["left_out"], around["manifest"]) == (["fan"], ["room"], [], noises.name)
    # A room without reflections is heard as no room.
    assert result["conditions"][-1]["with"]["wer"] == result["conditions"][0]["with"]["wer"] == 0.0


def test_a_server_always_applies_the_definition(manifest: Path, server_address: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = command(manifest, "--via", "server", "--server", server_address, "--limit", "1", "--conditions", "clipping")
    assert main(arguments) == 0
    result = json.loads((manifest.parent / "o.json").read_text())
    assert [one["without"] for one in result["conditions"]] == [None, None, None]
    assert result["conditions"][0]["with"]["wer"] == 0.0
    assert "undefined" not in capsys.readouterr().out.partition("Error rates")[0]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("--via faster-whisper", "robustness is measured --via engine or --via server"),
        ("--definition none", "with a data definition and without anyway"),
        ("--definition v9", "no data definition 'v9'"),
        ("--conditions rain", "no such conditions: rain"),
        ("--conditions noise", "noise cannot be without --noise"),
        ("--exclude fan", "--exclude goes with --noise"),
        ("--noise none.jsonl", "none.jsonl: No such file"),
        ("--server host:1", "--server goes with --via server"),
        ("--sets other", "no such set: other; there are read"),
        ("--seed -1", "'--seed'"),
        ("--require wer", "--require 'wer'"),
        ("--model no-such-model!", "no-such-model!"),
        ("--json no/where.json", "no such folder: no"),
    ],
)
def test_a_wrong_call_is_one_line_and_exit_code_2(more: str, message: str, manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command(manifest, *more.split())) == 2
    said = capsys.readouterr()
    assert (said.err.count("\n"), said.out) == (1, "")
    assert message in said.err
    assert not (manifest.parent / "o.json").exists()


def test_a_clip_that_is_not_audio_fails_under_every_condition_and_is_told_once(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (manifest.parent / "broken.wav").write_bytes(b"not audio")
    manifest.write_text(json.dumps({"id": "broken", "audio": "broken.wav", "text": "hello"}))
    assert main(command(manifest, "--model", "tiny.en", "--conditions", "telephone")) == 1
    result = json.loads((manifest.parent / "o.json").read_text())
    assert [one["id"] for one in result["conditions"][1]["with"]["failed"]] == ["broken"]
    assert capsys.readouterr().err.count("failed broken:") == 1
