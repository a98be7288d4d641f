"""How many cores there are to use, by what the system says of this process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from asr_server.machine import keep_less_memory, resident_bytes, usable_cores

CORES = len(os.sched_getaffinity(0))


def system(folder: Path, membership: str, **quotas: str) -> tuple[Path, Path]:
    """`quotas`: what `cpu.max` says in a group, by its path with two underscores for each slash."""
    root = folder / "cgroup"
    for group, quota in quotas.items():
        path = root / group.strip("_").replace("__", "/")
        path.mkdir(parents=True, exist_ok=True)
        (path / "cpu.max").write_text(quota)
    (folder / "membership").write_text(membership)
    return root, folder / "membership"


def test_without_control_groups_all_cores_of_the_affinity_are_used(tmp_path: Path) -> None:
    assert usable_cores(tmp_path / "none", tmp_path / "neither") == CORES


@pytest.mark.parametrize(
    "quotas",
    [
        {"_": "100000 100000"},
        {"a__b": "100000 100000"},
        {"a": "100000 100000", "a__b": "max 100000"},
        {"_": "max 100000", "a": "150000 100000", "a__b": "900000 100000"},
        {"a__b": "10000 100000"},
    ],
    ids=["of a container", "of its group", "of one around it", "the least of several", "at least one"],
)
def test_the_least_quota_of_the_groups_around_the_process_counts(tmp_path: Path, quotas: dict[str, str]) -> None:
    assert usable_cores(*system(tmp_path, "0::/a/b\n", **quotas)) == 1


def test_groups_that_it_is_not_in_do_not_count(tmp_path: Path) -> None:
    assert usable_cores(*system(tmp_path, "0::/a/b\n", other="100000 100000", a__b__c="100000 100000")) == CORES


def test_a_quota_of_version_1_counts(tmp_path: Path) -> None:
    group = tmp_path / "cgroup/cpu/docker/one"
    group.mkdir(parents=True)
    (group / "cpu.cfs_quota_us").write_text("100000\n")
    (group / "cpu.cfs_period_us").write_text("100000\n")
    (tmp_path / "membership").write_text("12:memory:/docker/one\n4:cpu,cpuacct:/docker/one\n")
    assert usable_cores(tmp_path / "cgroup", tmp_path / "membership") == 1
    (group / "cpu.cfs_quota_us").write_text("-1\n")
    assert usable_cores(tmp_path / "cgroup", tmp_path / "membership") == CORES


@pytest.mark.parametrize(("variable", "is_asked"), [("", True), ("MALLOC_ARENA_MAX", False), ("GLIBC_TUNABLES", False)])
def test_the_allocator_is_asked_to_keep_less_unless_the_environment_says_how_it_should_behave(
    variable: str, is_asked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MALLOC_ARENA_MAX", "GLIBC_TUNABLES"):
        monkeypatch.delenv(name, raising=False)
    if variable:
        monkeypatch.setenv(variable, "8")
    monkeypatch.setenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "7")  # so that it is as it was afterwards
    monkeypatch.delenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY")
    has_glibc = os.confstr("CS_GNU_LIBC_VERSION") is not None if "CS_GNU_LIBC_VERSION" in os.confstr_names else False
    assert keep_less_memory() is (is_asked and has_glibc)
    assert os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] == "64"


def test_how_many_products_code_is_kept_for_can_be_said_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "500")
    keep_less_memory()
    assert os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] == "500"


def test_resident_memory_is_what_the_kernel_says_and_grows_with_what_is_used() -> None:
    before = resident_bytes()
    assert before is not None
    held = b"x" * (64 << 20)
    after = resident_bytes()
    assert after is not None
    assert after - before > len(held) // 2


def test_what_was_freed_in_pieces_is_given_back() -> None:
    """Every other one of many blocks is freed: the heap cannot shrink, its pages can be returned."""
    script = (
        "import ctypes\n"
        "from asr_server.machine import give_back_memory, resident_bytes\n"
        "libc = ctypes.CDLL(None)\n"
        "libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]\n"
        "libc.mallopt(-3, 1 << 30)\n"  # M_MMAP_THRESHOLD: no block is mapped by itself
        "blocks = [libc.malloc(1 << 20) for _ in range(100)]\n"
        "for block in blocks: ctypes.memset(block, 1, 1 << 20)\n"
        "for block in blocks[::2]: libc.free(block)\n"
        "before = resident_bytes()\n"
        "print(give_back_memory(), (before - resident_bytes()) >> 20)"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert told[0] == "True"
    assert int(told[1]) > 40
