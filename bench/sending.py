"""Audio that is made here, sent to a server as fast as it is taken by an app that says its name: nobody waits for the answer."""

import io

import soundfile

from asr_server.api.client import Client
from asr_server.api.clip import Clip, decode_clip, play
from asr_server.api.options import ClientOptions, StreamOptions
from asr_server.api.results import Result
from asr_server.watch.labels import CLIENT
from audio_norm import Frames, to_int16
from bench.pace import CHUNK_MS

BUDGET_MS = 5_000


def clip_of(frames: Frames, rate_hz: int) -> Clip:
    """As from a file of 16 bits."""
    content = io.BytesIO()
    soundfile.write(content, to_int16(frames), rate_hz, format="WAV", subtype="PCM_16")
    return decode_clip(content.getvalue())


async def send(address: str, clip: Clip, app: str, language: str) -> list[Result]:
    """The finals."""
    options = StreamOptions(language_code=language, latency_budget_ms=BUDGET_MS, interim_results=False).for_clip(clip)
    async with Client(address, options=ClientOptions(metadata=((CLIENT, app),))) as client:
        heard = client.stream(play(clip.chunks(CHUNK_MS), clip.bytes_per_second), options)
        return [result async for result in heard if isinstance(result, Result) and result.is_final]
