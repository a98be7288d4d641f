"""A whole file in one call: the same pump as a stream, fed from memory. There is one way audio becomes text."""

from collections.abc import Callable

from asr_server.api.host import Host
from asr_server.api.outgoing import Response
from asr_server.api.stream import PIECE_MS, Stream
from asr_server.api.wire import Wanted, seconds
from asr_server.errors import OutOfLimits
from asr_server.pb import asr_pb2 as pb
from asr_server.watch.observer import CallObserver
from audio_norm import Taken, decode_bytes


async def recognize(
    host: Host, owner: int, wanted: Wanted, audio: bytes, call: CallObserver, *, opened: Callable[[Stream], None]
) -> pb.RecognizeResponse:
    """All finals of a whole file or buffer. Raises `OutOfLimits`, `AudioError` or a `ServerFault`. `opened` is told the stream.

    The clock of each segment starts when its recognition is asked for: nobody waits for a part of the answer.
    """
    limits = host.served.limits
    if len(audio) > limits.max_unary_bytes:
        raise OutOfLimits(f"audio has {len(audio)} bytes, accepted: {limits.max_unary_bytes}; use StreamingRecognize")
    pieces = await host.worker.run(lambda: _take_in(host, wanted, audio))
    results: list[pb.StreamingRecognitionResult] = []

    async def keep(response: Response) -> None:
        results.extend(response.results)

    stream = Stream(host, owner, wanted, call, keep, in_background=True)
    opened(stream)
    await stream.run_whole(pieces)
    length = sum(len(piece.samples) for piece in pieces)
    return pb.RecognizeResponse(results=results, total_billed_time=seconds(length / host.definition.audio.rate_hz))


def _take_in(host: Host, wanted: Wanted, audio: bytes) -> list[Taken]:
    """Runs beside the event loop, one call at a time: only one file is ever held at its own rate and with all its channels."""
    frames, rate_hz = decode_bytes(audio, wanted.format, max_duration_s=host.served.limits.max_unary_audio_s)
    intake = host.definition.intake(rate_hz, frames.shape[1], wanted.channel)
    step = PIECE_MS * rate_hz // 1000
    return [*(intake.feed(frames[start : start + step]) for start in range(0, len(frames), step)), intake.flush()]
