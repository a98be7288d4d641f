"""What became of golden clips, from one time to the next."""

import pytest

from asr_server.accuracy.wer import ErrorCounts
from asr_server.api.probing import Probed
from asr_server.watch.journal.rows import ProbeRow, Row
from asr_server.watch.probes import Probes


def test_the_last_time_of_each_clip_counts_and_is_held_against_the_first() -> None:
    rows: list[Row] = []
    probes = Probes(rows.append, unix=lambda: 5.0)
    assert (probes.wer, probes.wer_change, probes.ttfs_s) == (None, None, None)
    probes.add(Probed("a", "base", ErrorCounts(0, 0, 0, 10), 300.0, late=False))
    probes.add(Probed("b", "base", ErrorCounts(1, 0, 0, 10), 400.0, late=False))
    assert (probes.wer, probes.wer_change, probes.ttfs_s) == (0.05, 0.0, 0.3)
    probes.add(Probed("a", "tiny.en", ErrorCounts(3, 1, 0, 10), None, late=True))
    assert probes.wer == 0.25
    assert probes.wer_change == pytest.approx(0.2)
    assert probes.ttfs_s == 0.4
    assert rows[2] == ProbeRow(5.0, "a", "tiny.en", 10, 3, 1, 0, None, late=True)
