import numpy as np

from asr_server.engine.anchor import SilenceAnchor

SILENCE = np.arange(1500, dtype=np.float32).reshape(1, 1500, 1)


def encoded(states: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.full((1, states, 1), -1.0, np.float32)


def test_states_of_silence_follow_from_the_positions_behind_the_audio() -> None:
    out = SilenceAnchor(SILENCE, 100).append(encoded(300))
    assert out.shape == (1, 400, 1)
    assert (out[0, :300, 0] == -1).all()
    assert out[0, 300, 0] == 300
    assert out[0, -1, 0] == 1499
    assert (np.diff(out[0, 300:, 0]) > 0).all()
    assert out.flags.c_contiguous


def test_there_is_no_more_silence_than_room_behind_the_audio() -> None:
    assert SilenceAnchor(SILENCE, 100).append(encoded(1460)).shape == (1, 1500, 1)
    assert SilenceAnchor(SILENCE, 100).append(encoded(1500)).shape == (1, 1500, 1)


def test_an_anchor_of_nothing_changes_nothing() -> None:
    assert SilenceAnchor(SILENCE, 0).append(encoded(300)).shape == (1, 300, 1)
