from bench.validity import invalid_because


def test_a_bench_that_is_in_time_is_valid() -> None:
    assert invalid_because([0.5] * 99 + [10.0], 100.0) == []


def test_chunks_that_are_often_late_make_a_run_invalid() -> None:
    assert invalid_because([0.5] * 97 + [10.1] * 3, 0.0) == ["the bench woke late for its chunks: p99 10.1 ms, allowed 10"]


def test_one_chunk_that_is_very_late_makes_a_run_invalid() -> None:
    assert invalid_because([0.5] * 200 + [101.0], 0.0) == ["the bench woke 101 ms late for a chunk, allowed 100"]


def test_a_stall_of_the_loop_makes_a_run_invalid() -> None:
    assert invalid_because([0.5], 150.4) == ["the bench's event loop stalled for 150 ms, allowed 100"]


def test_every_reason_is_told() -> None:
    assert len(invalid_because([500.0], 500.0)) == 3


def test_nothing_sent_was_not_late() -> None:
    assert invalid_because([], 0.0) == []
