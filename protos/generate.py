"""Make the committed stubs from the .proto, or check that they are what it makes.

    .venv-protos/bin/python protos/generate.py [--check]

The generator is kept older than the runtime: stubs refuse a protobuf runtime older than their generator, never a newer one. It
lives in an environment of its own (`make protos`) because it wants an old protobuf itself.
"""

import argparse
import difflib
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

GRPCIO_TOOLS_VERSION = "1.67.1"
PROTOS = Path(__file__).resolve().parent
ROOT = PROTOS.parent
PROTO = "asr_server/pb/asr.proto"
STUBS = ("asr_pb2.py", "asr_pb2.pyi", "asr_pb2_grpc.py")


def generate(out: Path) -> None:
    """Write the stubs below `out`."""
    from importlib.resources import files

    from grpc_tools import protoc

    well_known = str(files("grpc_tools") / "_proto")
    args = ["protoc", f"-I{PROTOS}", f"-I{well_known}", f"--python_out={out}", f"--pyi_out={out}", f"--grpc_python_out={out}"]
    if protoc.main([*args, PROTO]) != 0:
        raise SystemExit("protoc failed; its message is above")


def main() -> int:
    parser = argparse.ArgumentParser(description="Make the gRPC stubs from protos/, or check the committed ones.")
    parser.add_argument("--check", action="store_true", help="exit 1 if the committed stubs differ from what the .proto makes")
    check = parser.parse_args().check
    if version("grpcio-tools") != GRPCIO_TOOLS_VERSION:
        raise SystemExit(f"grpcio-tools {GRPCIO_TOOLS_VERSION} is needed, found {version('grpcio-tools')}")
    if not check:
        generate(ROOT)
        return 0
    with tempfile.TemporaryDirectory() as tmp:
        generate(Path(tmp))
        differing = 0
        for name in STUBS:
            relative = Path(PROTO).parent / name
            made = (Path(tmp) / relative).read_text()
            committed = (ROOT / relative).read_text() if (ROOT / relative).exists() else ""
            if made != committed:
                differing += 1
                diff = difflib.unified_diff(
                    committed.splitlines(), made.splitlines(), f"committed {relative}", f"made {relative}", n=1, lineterm=""
                )
                print("\n".join(list(diff)[:20]))
        if differing:
            print("the committed stubs are not what the .proto makes: run `make protos`", file=sys.stderr)
        return 1 if differing else 0


if __name__ == "__main__":
    raise SystemExit(main())
