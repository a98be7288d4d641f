"""The `transcribe` command: speech from a file, a pipe or a microphone to text on the screen. Knows the server only through its client."""

from asr_server.transcribe.command import transcribe
from asr_server.transcribe.options import TranscribeOptions
from asr_server.transcribe.run import run_transcribe

__all__ = ["TranscribeOptions", "run_transcribe", "transcribe"]
