"""What a transcription is asked to do, as one value. Raises `WrongCall` for what does not go together."""

from dataclasses import dataclass

from asr_server.api.options import Encoding
from asr_server.errors import WrongCall

RAW_ENCODINGS: tuple[Encoding, ...] = ("LINEAR16", "FLOAT32", "MULAW", "ALAW")
"""Audio without a header: its rate must be said."""


def parse_encoding(name: str) -> Encoding:
    """One of `RAW_ENCODINGS`, in any case; "" for audio with a header."""
    for encoding in ("", *RAW_ENCODINGS):
        if name.upper() == encoding:
            return encoding
    raise WrongCall(f"--encoding {name}: accepted are {', '.join(RAW_ENCODINGS)}; audio with a header needs none")


@dataclass(frozen=True, slots=True)
class TranscribeOptions:
    file: str = ""
    """A path, or "-" for stdin."""
    mic: bool = False
    server: str = ""
    """"host:port"; "": a server of one's own."""
    realtime: bool = False
    """Send as fast as it is spoken, not as fast as it is taken."""
    json_lines: bool = False
    language: str = ""
    model: str = ""
    words: bool = False
    partials: bool = True
    preset: str = ""
    eager: bool = False
    vad_stop_ms: int = 0
    budget_ms: int = 0
    encoding: Encoding = ""
    rate_hz: int = 0
    channels: int = 0

    def __post_init__(self) -> None:
        if self.mic == bool(self.file):
            raise WrongCall("give one of FILE (a path, or - for stdin) and --mic")
        if self.server and not all(self.server.rpartition(":")):
            raise WrongCall(f"--server {self.server}: accepted is host:port, e.g. localhost:50051")
        for name, value in (
            ("--rate", self.rate_hz),
            ("--channels", self.channels),
            ("--vad-stop-ms", self.vad_stop_ms),
            ("--budget-ms", self.budget_ms),
        ):
            if value < 0:
                raise WrongCall(f"{name} {value}: must be positive")
        if self.mic and (self.encoding or self.channels):
            raise WrongCall("--encoding and --channels describe a file or pipe; a microphone is recorded as LINEAR16 with one channel")
        if self.encoding and not self.rate_hz:
            raise WrongCall(f"--encoding {self.encoding} has no header to tell its rate: give --rate, e.g. --rate 16000")
        if not self.mic and not self.encoding and (self.rate_hz or self.channels):
            raise WrongCall("--rate and --channels describe audio without a header: name its --encoding too")
