import sys
from subprocess import run
from types import ModuleType

import audio_norm


def test_the_public_names_are_the_ones_listed_in_order() -> None:
    public = {name for name, value in vars(audio_norm).items() if not name.startswith("_") and not isinstance(value, ModuleType)}
    assert audio_norm.__all__ == sorted(public)


def test_the_package_stands_without_server_engine_and_telemetry() -> None:
    program = "import sys, audio_norm, audio_norm.cli; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"grpc", "ctranslate2", "faster_whisper", "opentelemetry", "asr_server", "onnxruntime"} & set(loaded)
