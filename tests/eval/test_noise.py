from pathlib import Path

import pytest

from asr_server.errors import WrongCall
from eval.manifest import Clip
from eval.noise import recordings, report
from eval.run import Scored, Unscored, score
from tests.eval.fake_recogniser import FakeRecogniser


def noise(name: str, text: str = "") -> Clip:
    return Clip(name, Path(f"{name}.wav"), text, language="zxx", duration_s=30.0)


def test_words_a_minute_are_of_all_words_to_all_minutes() -> None:
    heard = [score(noise("fan"), "Thank you."), score(noise("car"), "...")]
    result = report(heard, FakeRecogniser.system, via="server")
    assert (result["words_per_minute"], result["words"], result["minutes"], result["with_words"]) == (2.0, 2, 1.0, 1)


def test_recordings_that_were_not_heard_add_no_minutes() -> None:
    outcomes: list[Scored | Unscored] = [
        score(noise("fan"), "you"),
        score(noise("car"), "", error="broken"),
        Unscored(noise("rain"), "too long"),
    ]
    result = report(outcomes, FakeRecogniser.system, via="engine")
    assert (result["words_per_minute"], result["recordings"]) == (2.0, 1)
    assert result["failed"] == [{"id": "car", "error": "broken"}]
    assert result["skipped"] == [{"id": "rain", "reason": "too long"}]


def test_nothing_heard_is_no_rate() -> None:
    assert report([], FakeRecogniser.system, via="engine")["words_per_minute"] is None


def test_recordings_are_heard_in_a_language_and_some_are_left_out() -> None:
    assert [(clip.id, clip.language) for clip in recordings([noise("fan"), noise("babble")], ["babble"], "en")] == [("fan", "en")]


def test_unknown_ids_and_spoken_clips_are_wrong_calls() -> None:
    with pytest.raises(WrongCall, match="no such id: car"):
        recordings([noise("fan")], ["car"], "en")
    with pytest.raises(WrongCall, match="not noise: talk"):
        recordings([noise("talk", "hello")], [], "en")
    with pytest.raises(WrongCall, match="no recordings are left"):
        recordings([noise("fan")], ["fan"], "en")
