from pathlib import Path

import bench.machine

CPUINFO = """processor\t: 0
model name\t: Slow CPU @ 1 GHz
flags\t\t: fpu sse2 avx2 avx512_vnni

processor\t: 1
model name\t: another
flags\t\t: fpu
"""


def test_the_machine_is_named_with_what_makes_int8_fast(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(CPUINFO)
    machine = bench.machine.machine(tmp_path / "cpuinfo")
    assert (machine["cpu"], machine["flags"]) == ("Slow CPU @ 1 GHz", ["avx2", "avx512_vnni"])


def test_a_system_that_does_not_tell_is_named_all_the_same(tmp_path: Path) -> None:
    machine = bench.machine.machine(tmp_path / "none")
    assert machine["cpu"]
    assert machine["flags"] == []


def test_versions_that_decide_the_numbers_are_there() -> None:
    assert {"python", "ctranslate2", "faster_whisper", "grpcio", "numpy", "cores", "load_average"} <= set(bench.machine.machine())
