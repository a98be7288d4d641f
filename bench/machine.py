"""What the numbers were measured on."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

from asr_server.machine import usable_cores

FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8")
"""CPU features that decide how fast int8 products are."""
PACKAGES = ("ctranslate2", "faster-whisper", "grpcio", "numpy", "onnxruntime")


def machine(cpuinfo: Path = Path("/proc/cpuinfo")) -> dict[str, object]:
    """Of this process: the bench's and, when it starts the server itself, the server's."""
    fields = _cpu(cpuinfo)
    present = fields.get("flags", "").split()
    return {
        "cpu": fields.get("model name") or platform.processor() or platform.machine(),
        "cores": usable_cores(),
        "flags": [flag for flag in FLAGS if flag in present],
        "load_average": round(os.getloadavg()[0], 2),
        "os": platform.platform(),
        "python": platform.python_version(),
        **{name.replace("-", "_"): version(name) for name in PACKAGES},
    }


def _cpu(cpuinfo: Path) -> dict[str, str]:
    """The first core's lines; nothing where there is no such file."""
    try:
        first_core = cpuinfo.read_text(encoding="utf-8").partition("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first_core.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}
