"""What this process may use of the machine it runs on."""

import ctypes
import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_M_ARENA_MAX = -8  # malloc.h
_ARENAS = 2
_PRIMITIVES = 64

_CGROUP = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")


def keep_less_memory() -> bool:
    """Have the engine's libraries keep less of what they may need again. Whether it was asked of the allocator: not where there is another
    one than glibc's, or the environment says how it should behave. To be called before there are threads, and before an engine is loaded.

    All threads share two heaps, not have some for each, which keep in pieces what decodes of ever other sizes have freed. (To have large
    blocks mapped and unmapped by themselves would keep less still, but each decode then takes a quarter longer: ten times the page faults.)

    oneDNN keeps the code that it makes for each product of other shape, by default of the last 1024: as segments are of ever other lengths,
    memory grew for half an hour, by 150 MB and more, and nothing was faster for it.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(_PRIMITIVES))
    if any(name.startswith("MALLOC_") for name in os.environ) or "GLIBC_TUNABLES" in os.environ:
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(_M_ARENA_MAX, _ARENAS))


def give_back_memory() -> bool:
    """Have the allocator return what it holds and nobody uses. False where it cannot be asked. Takes 20 to 40 ms, in which others wait when
    they want memory."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is None:
        return False
    trim(0)
    return True


def resident_bytes() -> int | None:
    """Memory of this process that is in the machine's; None where that cannot be known."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def usable_cores(cgroup: Path = _CGROUP, membership: Path = _MEMBERSHIP) -> int:
    """Cores this process may run on: its affinity, cut by the least CPU quota of its control group and those around it (a container's
    limit, systemd's `CPUQuota`), at least 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = [quota for folder in _groups(cgroup, membership) if (quota := _quota_cores(folder)) is not None]
    return max(1, min(cores, *(math.floor(quota) for quota in quotas)) if quotas else cores)


def _groups(cgroup: Path, membership: Path) -> Iterator[Path]:
    """The folders of this process's control group and of all around it, of version 2 and 1; some may not be there."""
    roots = {"": cgroup, "cpu": cgroup / "cpu"}
    yield from roots.values()
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, group = line.split(":", 2)
        root = roots.get("cpu" if "cpu" in controllers.split(",") else controllers)
        if root is not None:
            inside = PurePosixPath(group.strip("/"))
            yield from (root / around for around in (inside, *inside.parents))


def _quota_cores(folder: Path) -> float | None:
    """None when there is no limit, or no control group of version 2 or 1."""
    try:
        quota, period = (folder / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota = (folder / "cpu.cfs_quota_us").read_text().strip()
            period = (folder / "cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    if quota in {"max", "-1"}:
        return None
    return int(quota) / int(period)
