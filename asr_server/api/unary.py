"""A whole file in one call: the same pump as a stream, fed from memory. There is one way audio becomes text."""

from asr_server.api.host import Host
from asr_server.api.stream import Response, Stream
from asr_server.api.wire import Wanted, seconds
from asr_server.errors import OutOfLimits
from asr_server.pb import asr_pb2 as pb
from asr_server.watch.observer import CallObserver
from audio_norm import decode_bytes


async def recognize(host: Host, owner: int, wanted: Wanted, audio: bytes, call: CallObserver) -> pb.RecognizeResponse:
    """All finals of a whole file or buffer. Raises `OutOfLimits`, `AudioError` or a `ServerFault`.

    The clock of each segment starts when its recognition is asked for: nobody waits for a part of the answer.
    """
    limits = host.served.limits
    if len(audio) > limits.max_unary_bytes:
        raise OutOfLimits(f"audio has {len(audio)} bytes, accepted: {limits.max_unary_bytes}; use StreamingRecognize")
    frames, rate_hz = await host.worker.run(lambda: decode_bytes(audio, wanted.format, max_duration_s=limits.max_unary_audio_s))
    results: list[pb.StreamingRecognitionResult] = []

    async def keep(response: Response) -> None:
        results.extend(response.results)

    await Stream(host, owner, wanted, call, keep).run_whole(frames, rate_hz)
    return pb.RecognizeResponse(results=results, total_billed_time=seconds(len(frames) / rate_hz))
