"""What became of golden clips, from one time to the next."""

import pytest

from asr_server.accuracy.wer import ErrorCounts
from asr_server.api.probing import Probed
from asr_server.watch.journal.rows import ProbeRow, Row
from asr_server.watch.probes import Probes


def probed(clip: str, errors: ErrorCounts, ttfs_ms: float | None = 300.0, *, late: bool = False) -> Probed:
    return Probed(clip, "base", "ab" * 32, "v1", "1.0", errors, ttfs_ms, late)


def test_the_last_time_of_each_clip_counts_and_is_held_against_the_first() -> None:
    rows: list[Row] = []
    probes = Probes(rows.append, unix=lambda: 5.0)
    assert (probes.wer, probes.wer_change, probes.ttfs_s) == (None, None, None)
    probes.add(probed("a", ErrorCounts(0, 0, 0, 10)))
    probes.add(probed("b", ErrorCounts(1, 0, 0, 10), 400.0))
    assert (probes.wer, probes.wer_change, probes.ttfs_s) == (0.05, 0.0, 0.3)
    probes.add(probed("a", ErrorCounts(3, 1, 0, 10), None, late=True))
    assert probes.wer == 0.25
    assert probes.wer_change == pytest.approx(0.2)
    assert probes.ttfs_s == 0.4
    assert rows[2] == ProbeRow(5.0, "a", "base", 10, 3, 1, 0, None, late=True, weights_sha256="ab" * 32, data_definition="v1", code="1.0")


def test_a_release_that_is_worse_than_the_one_before_is_seen_when_it_is_started() -> None:
    before = [ProbeRow(number, "a", "base", 10, 3 - number, 0, 0, None, late=False) for number in range(3)]
    probes = Probes(before=before)
    assert probes.wer_change is None
    probes.add(probed("a", ErrorCounts(4, 0, 0, 10)))
    assert probes.wer_change == pytest.approx(0.3), "the last row of before had one error"
