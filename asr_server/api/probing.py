"""Golden clips: recordings of which the right text is known, spoken to this server by itself, one after the other, as callers speak.

What comes out is a measure of the whole server that no caller has to give. It harms nobody: a clip takes no place from a caller, its
decodes wait for those of everybody else, and while the recogniser is busy none is begun.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle

from asr_server.accuracy.manifest import Clip
from asr_server.accuracy.texts import text_errors
from asr_server.accuracy.wer import ErrorCounts
from asr_server.api.clip import SAMPLE_BYTES, decode_clip, play
from asr_server.api.clip import Clip as Audio
from asr_server.api.host import Host
from asr_server.api.options import StreamOptions
from asr_server.api.outgoing import Response
from asr_server.api.stream import Stream
from asr_server.api.wire import parse_streaming_config
from asr_server.events import Purpose
from asr_server.pb import asr_pb2 as pb
from asr_server.watch.observer import NullCallObserver

logger = logging.getLogger(__name__)

CHUNK_MS = 100
SILENCE_S = 1.5
"""The microphone stays open after a clip."""


@dataclass(frozen=True, slots=True)
class Probed:
    """A clip, and what came of it."""

    clip: str
    model: str
    weights_sha256: str
    data_definition: str
    code: str
    errors: ErrorCounts
    ttfs_ms: float | None
    """Of its last final, as the server heard the end of speech. None: there was none, or callers spoke meanwhile."""
    late: bool


@dataclass(slots=True)
class Prober:
    """Used on the event loop."""

    clips: Sequence[Clip]
    every_s: float
    host: Host
    number: Callable[[], int]
    """Of a session that takes no place."""
    told: Callable[[Probed], None]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    skipped: int = field(default=0, init=False)
    """Times at which the recogniser was busy."""
    failed: int = field(default=0, init=False)

    async def run(self) -> None:
        """Until it is cancelled."""
        for clip in cycle(self.clips):
            await self.sleep(self.every_s)
            while self._is_busy:
                self.skipped += 1
                await self.sleep(self.every_s)
            try:
                self.told(await self.probe(clip))
            except Exception as error:  # noqa: BLE001 - whatever it is, the next clip is spoken
                if not self.failed:
                    logger.warning("the golden clip %s could not be heard: %s; further failures are not logged", clip.id, error)
                self.failed += 1

    @property
    def _is_busy(self) -> bool:
        worker = self.host.worker
        return worker.running >= worker.threads or worker.queue_depth > 0

    async def probe(self, clip: Clip) -> Probed:
        """One clip, in its own time."""
        audio = await asyncio.to_thread(_read, clip)
        options = StreamOptions(language_code=clip.language, interim_results=False).for_clip(audio)
        wanted = parse_streaming_config(options.to_streaming_config(), self.host.served)
        finals: list[pb.StreamingRecognitionResult] = []

        async def keep(response: Response) -> None:
            finals.extend(result for result in response.results if result.is_final)

        busy_s = self._callers_busy_s
        stream = Stream(self.host, self.number(), wanted, NullCallObserver(), keep, in_background=True)
        await stream.run(_requests(audio))
        text = " ".join(final.alternatives[0].transcript for final in finals)
        last, system = (finals[-1], finals[-1].system) if finals else (None, self.host.system)
        is_alone = self._callers_busy_s == busy_s
        return Probed(
            clip=clip.id,
            model=system.model,
            weights_sha256=system.weights_sha256,
            data_definition=system.data_definition,
            code=system.code,
            errors=await asyncio.to_thread(text_errors, clip.text, text, clip.language),
            ttfs_ms=last.ledger.endpoint_wait_ms + last.ledger.response_ms if last is not None and is_alone else None,
            late=any(final.ledger.late for final in finals),
        )

    @property
    def _callers_busy_s(self) -> float:
        """Time that decodes of callers took so far."""
        by_purpose = self.host.worker.busy_s
        return sum(by_purpose[purpose] for purpose in (Purpose.FINAL, Purpose.SPECULATIVE, Purpose.PARTIAL))


def _read(clip: Clip) -> Audio:
    """With the silence after it."""
    audio = decode_clip(clip.audio.read_bytes())
    return replace(audio, pcm=audio.pcm + bytes(SAMPLE_BYTES * audio.channels * round(SILENCE_S * audio.rate_hz)))


async def _requests(audio: Audio) -> AsyncIterator[pb.StreamingRecognizeRequest]:
    async for chunk in play(audio.chunks(CHUNK_MS), audio.bytes_per_second, realtime=True):
        yield pb.StreamingRecognizeRequest(audio_content=chunk)
