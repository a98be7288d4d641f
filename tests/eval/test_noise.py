"""Words heard where nothing is said."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.stats import binom

from asr_server.accuracy.manifest import Clip
from asr_server.errors import WrongCall
from audio_norm import load_definition
from eval.__main__ import main
from eval.audio import read_frames
from eval.journal import Entry
from eval.noise import FIELDS, Chosen, Excluded, HeardWords, choose, rates, report
from eval.recognisers import Heard, HeardSegment
from eval.run import Outcome, Unscored, inspect, score
from tests.eval.fake_recogniser import FakeRecogniser
from tests.recordings import recording

MEASURED = inspect(Clip("hello", recording("hello_world"), ""), load_definition("v1"))


def noise(name: str, *conditions: str, text: str = "") -> Clip:
    return Clip(name, Path(f"{name}.wav"), text, language="zxx", duration_s=30.0, conditions=conditions)


def heard(clip: Clip, text: str) -> Outcome:
    return score(clip, Entry(Heard((HeardSegment(text, 0.0, 1.0, 0.5),)), MEASURED))


def reported(*outcomes: Outcome, excluded: tuple[Excluded, ...] = ()) -> dict[str, object]:
    return report(outcomes, FakeRecogniser.system, excluded=excluded, via={"via": "server"}, data={"manifest": "m.jsonl"})


def test_words_a_minute_are_of_all_words_to_all_minutes() -> None:
    result = reported(heard(noise("fan"), "Thank you."), heard(noise("car"), "..."))
    assert (result["words_per_minute"], result["words"], result["minutes"], result["with_words"]) == (2.0, 2, 1.0, 1)


def test_a_recording_counts_under_each_of_its_conditions_and_once_in_all() -> None:
    music = heard(noise("guitar", "music", "loud", "music"), "one two three")
    result = json.loads(json.dumps(reported(music, heard(noise("fan", "machine"), ""), heard(noise("hum"), "you"))))
    told = {
        name: (one["words"], one["minutes"], one["recordings"], one["words_per_minute"]) for name, one in result["by_condition"].items()
    }
    assert told == {"loud": (3, 0.5, 1, 6.0), "machine": (0, 0.5, 1, 0.0), "music": (3, 0.5, 1, 6.0), "untold": (1, 0.5, 1, 2.0)}
    assert (result["words"], result["recordings"]) == (4, 3)


def test_every_recording_is_told_with_its_words() -> None:
    result = reported(heard(noise("fan", "machine"), "Thank you."))
    assert result["heard"] == [{"id": "fan", "conditions": ("machine",), "duration_s": 30.0, "words": 2, "text": "Thank you."}]


def test_the_interval_is_over_recordings_and_holds_the_rate() -> None:
    heard = [HeardWords(str(one), (), 60.0, 4 if one < 20 else 0, "") for one in range(40)]
    result = rates(heard)
    # How many of those with words a draw holds is binomial.
    expected = [float(count) * 4 / 40 for count in (binom.ppf(0.025, 40, 0.5), binom.ppf(0.975, 40, 0.5))]
    assert (result["words_per_minute"], result["ci95"]) == (2.0, expected)


def test_where_nothing_differs_there_is_no_interval() -> None:
    one, none = HeardWords("fan", (), 60.0, 1, "you"), HeardWords("car", (), 60.0, 0, "")
    assert rates([one])["ci95"] is None
    assert rates([none] * 9)["ci95"] is None
    assert rates([one, none])["ci95"] == [0.0, 1.0]


def test_recordings_that_were_not_heard_add_no_minutes() -> None:
    failed = score(noise("car"), None, error="broken")
    result = reported(heard(noise("fan"), "you"), failed, Unscored(noise("rain"), "too long"))
    assert (result["words_per_minute"], result["recordings"]) == (2.0, 1)
    assert result["failed"] == [{"id": "car", "error": "broken"}]
    assert result["skipped"] == [{"id": "rain", "reason": "too long"}]


def test_what_it_has_at_its_top_is_told_beforehand() -> None:
    via = {"via": "server", "realtime": False, "budget_ms": 0, "preset": "", "jobs": 1}
    assert tuple(report([], FakeRecogniser.system, excluded=(), via=via, data={})) == FIELDS


def test_nothing_heard_is_no_rate() -> None:
    result = reported()
    assert (result["words_per_minute"], result["ci95"], result["by_condition"]) == (None, None, {})


def chosen(*clips: Clip, exclude: tuple[str, ...] = (), exclude_conditions: tuple[str, ...] = ()) -> Chosen:
    return choose(clips, exclude=exclude, exclude_conditions=exclude_conditions, language="en")


def test_recordings_are_heard_in_a_language_and_those_left_out_say_why() -> None:
    clips = (noise("fan"), noise("crowd", "babble"), noise("hall", "room", "echo"), noise("talk", text="hello"))
    result = chosen(*clips, exclude=("crowd", "talk"), exclude_conditions=("echo", "room"))
    assert [(clip.id, clip.language) for clip in result.clips] == [("fan", "en")]
    assert result.excluded == (
        Excluded("crowd", "by its id"),
        Excluded("hall", "its conditions: room, echo"),
        Excluded("talk", "by its id"),
    )
    assert reported(excluded=result.excluded)["excluded"] == [
        {"id": "crowd", "reason": "by its id"},
        {"id": "hall", "reason": "its conditions: room, echo"},
        {"id": "talk", "reason": "by its id"},
    ]


def test_unknown_ids_and_conditions_and_spoken_clips_are_wrong_calls() -> None:
    with pytest.raises(WrongCall, match="no such id: car"):
        chosen(noise("fan"), exclude=("car",))
    with pytest.raises(WrongCall, match="no such condition: rain; there are machine"):
        chosen(noise("fan", "machine"), exclude_conditions=("rain",))
    with pytest.raises(WrongCall, match="no such condition: rain; there are none"):
        chosen(noise("fan"), exclude_conditions=("rain",))
    with pytest.raises(WrongCall, match="not noise: talk"):
        chosen(noise("talk", text="hello"))
    with pytest.raises(WrongCall, match="no recordings are left"):
        chosen(noise("fan"), exclude=("fan",))


def test_a_duration_that_the_manifest_does_not_tell_is_the_files() -> None:
    clip = Clip("hello", recording("hello_world"), "")
    frames, rate_hz = read_frames(clip)
    assert chosen(clip).clips[0].duration_s == len(frames) / rate_hz


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    sounds = {"fan": 0.01 * np.random.default_rng(1).standard_normal(16_000), "flat": np.zeros(16_000)}
    lines = []
    for name, samples in sounds.items():
        soundfile.write(tmp_path / f"{name}.wav", samples, 16_000)
        lines.append(json.dumps({"id": name, "audio": f"{name}.wav", "text": "", "conditions": [f"noise-{name}"]}))
    lines.append(json.dumps({"id": "talk", "audio": str(recording("counting")), "text": "", "conditions": ["speech"]}))
    path = tmp_path / "n.jsonl"
    path.write_text("\n".join(lines))
    return path


def command(manifest: Path, *more: str) -> list[str]:
    return ["noise", "--manifest", str(manifest), "--json", str(manifest.parent / "o.json"), "--via", "engine", "--model", "tiny.en", *more]


def test_the_command_tells_words_by_condition_and_what_was_left_out(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command(manifest, "--exclude", "talk", "--require", "words_per_minute==0")) == 0
    result = json.loads((manifest.parent / "o.json").read_text())
    assert (result["words_per_minute"], result["ci95"], list(result["by_condition"])) == (0.0, None, ["noise-fan", "noise-flat"])
    assert (result["excluded"], result["data"]["language"]) == ([{"id": "talk", "reason": "by its id"}], "en")
    shown = capsys.readouterr().out
    assert "noise-fan" in shown
    assert "excluded talk: by its id" in shown


def test_made_up_words_are_shown_and_may_fail_a_requirement(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A recording of somebody who counts stands in for one that a recogniser makes words of."""
    arguments = command(manifest, "--exclude-conditions", "noise-fan", "--require", "words_per_minute<1")
    assert main(arguments) == 1
    said = capsys.readouterr()
    assert "talk: 1" in said.out
    assert "excluded fan: its conditions: noise-fan" in said.out
    assert "required and not met: words_per_minute" in said.err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("--exclude rain", "--exclude: no such id: rain"),
        ("--exclude-conditions rain", "no such condition: rain; there are noise-fan, noise-flat, speech"),
        ("--exclude fan,flat,talk", "no recordings are left"),
        ("--realtime", "--realtime goes with --via server"),
        ("--require words", "--require 'words'"),
        ("--manifest none.jsonl", "none.jsonl: No such file"),
    ],
)
def test_a_wrong_call_is_one_line_and_exit_code_2(more: str, message: str, manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command(manifest, *more.split())) == 2
    said = capsys.readouterr()
    assert (said.err.count("\n"), said.out) == (1, "")
    assert message in said.err
    assert not (manifest.parent / "o.json").exists()
