"""The results made by hand for these tests have the shape of those that the benches write."""

from dataclasses import fields
from typing import Any

from bench.search import Tried
from bench.soak import judge, report
from bench.unary import Throughput
from tests.bench import test_capacity, test_latency, test_soak
from tests.bench.made_results import MACHINE, Said, capacity, latency, soak


def shape(found: Any, *, depth: int) -> Any:
    """Names of fields, as deep as wanted; of a list, those of its first item."""
    if isinstance(found, list):
        return [shape(found[0], depth=depth)] if found else []
    return {name: shape(value, depth=depth - 1) for name, value in found.items()} if isinstance(found, dict) and depth else ...


def test_of_latency() -> None:
    real = test_latency.result_of(test_latency.spoken("one", test_latency.seen("one", 600.0)), machine=MACHINE)
    made = latency([Said()])
    assert shape(made, depth=1) == shape(real, depth=1)
    for part in ("bench", "server", "full_context", "revised_words", "warm_up"):
        assert shape(made[part], depth=2) == shape(real[part], depth=2)
    assert shape(made["runs"], depth=1) == shape(real["runs"], depth=1)
    (made_final,), (real_final,) = made["runs"][0]["finals"], real["runs"][0]["finals"]
    assert made_final.keys() == real_final.keys()
    assert made_final["ledger"].keys() <= real_final["ledger"].keys()
    assert made["setup"].keys() <= real["setup"].keys()


def test_of_capacity() -> None:
    repeat = test_capacity.repeat(test_capacity.GOOD)
    real = test_capacity.result_of(Tried(1, (repeat,), passed=True))
    made = capacity((1, "p"))
    assert shape(made, depth=1) == shape(real, depth=1)
    (made_point,), (real_point,) = made["curve"], real["curve"]
    assert made_point.keys() <= real_point.keys()
    assert made_point["repeats"][0].keys() <= real_point["repeats"][0].keys()
    assert made["setup"].keys() <= real["setup"].keys()
    assert made["unary"].keys() == {*(field.name for field in fields(Throughput)), "tried"}


def test_of_soak() -> None:
    seen = test_soak.tally()
    verdict = judge(seen, run_s=test_soak.RUN_S, sessions_left=0)
    real: dict[str, Any] = report(seen, verdict, setup=test_soak.SETUP, system=test_soak.SYSTEM, machine=MACHINE, longest_loop_stall_ms=1.0)
    made = soak()
    assert made.keys() <= real.keys()
    assert shape(made["samples"], depth=1) == shape(real["samples"], depth=1)
    assert made["ttfs_ms"].keys() == real["ttfs_ms"].keys()
    assert made["setup"].keys() <= real["setup"].keys()
