"""One stream, sans-I/O: audio and hypotheses in, events out. Knows no gRPC, no engine, no clock and no telemetry."""

from asr_server.session.options import SessionOptions
from asr_server.session.session import Session

__all__ = ["Session", "SessionOptions"]
