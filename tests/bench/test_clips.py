from pathlib import Path

from asr_server.accuracy.manifest import Clip
from bench.clips import up_to
from tests.recordings import recording


def test_clips_that_are_short_enough_come_in_their_order_and_a_length_that_is_not_told_is_read() -> None:
    told = [Clip(name, Path("a.wav"), "", duration_s=duration_s) for name, duration_s in (("a", 2.0), ("b", 8.0), ("c", 8.1))]
    read = Clip("d", recording("hello_world"), "")
    assert [clip.id for clip in up_to([*told, read], 8.0)] == ["a", "b", "d"]
    assert not list(up_to([read], 0.1))
