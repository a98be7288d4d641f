"""Clips spoken to a server at the pace of speech, several at a time, and what came back when."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from asr_server.api.client import Control
from asr_server.api.clip import Clip as Audio
from asr_server.api.options import StreamOptions
from asr_server.api.results import Heard, LedgerView, Result, SpeechEvent
from asr_server.errors import AsrError
from bench.pace import Microphone
from bench.speech_end import SpeechEnd
from eval.manifest import Clip

STAGGER_S = 0.37
"""Between the starts of streams, so that their chunks and pauses do not fall together."""


class Server(Protocol):
    """What is spoken to: `asr_server.api.client.Client`."""

    def stream(self, audio: AsyncIterator[bytes | Control], options: StreamOptions | None = None) -> AsyncGenerator[Heard, None]: ...


@dataclass(frozen=True, slots=True)
class Part:
    """A clip made ready to be spoken."""

    clip: Clip
    audio: Audio
    end: SpeechEnd


@dataclass(frozen=True, slots=True)
class FinalSeen:
    text: str
    start_s: float
    end_s: float
    held_after_ms: float
    """From the moment the last speech sample of the clip was sent to this final being here; below 0 for earlier segments."""
    ledger: LedgerView


@dataclass(frozen=True, slots=True)
class Spoken:
    """What came of one clip."""

    part: Part
    finals: tuple[FinalSeen, ...]
    lags_ms: tuple[float, ...]
    error: str = ""

    @property
    def text(self) -> str:
        return " ".join(final.text.strip() for final in self.finals)

    @property
    def ttfs_ms(self) -> float | None:
        """To the last final that began before the speech ended; None when there was none.

        Below 0 when that final came before the end of the speech: its last words were not heard.
        """
        of_speech = [final.held_after_ms for final in self.finals if final.start_s < self.part.end.at_s]
        return max(of_speech, default=None)

    @property
    def lost(self) -> bool:
        """Something was said and no final came."""
        return not self.finals and bool(self.part.clip.text.strip())


async def speak(server: Server, part: Part, *, interim_results: bool) -> Spoken:
    """One clip into an open microphone, closed when the server says that the utterance is over."""
    microphone = Microphone(part.audio)
    options = StreamOptions(language_code=part.clip.language, interim_results=interim_results, voice_activity_events=True)
    finals: list[Result] = []
    error = ""
    try:
        async with aclosing(server.stream(microphone.chunks(), options.for_clip(part.audio))) as stream:
            async for heard in stream:
                if isinstance(heard, SpeechEvent):
                    if heard.kind == "end_of_utterance" and heard.at_s >= part.end.at_s:
                        microphone.close()
                elif heard.is_final:
                    finals.append(heard)
    except AsrError as failure:
        error = str(failure)
    return Spoken(part, tuple(_seen(final, microphone, part.end) for final in finals), tuple(microphone.lags_ms), error)


def _seen(final: Result, microphone: Microphone, end: SpeechEnd) -> FinalSeen:
    sent_at_s = microphone.sent.sent_at_s(end.at_s)
    assert sent_at_s is not None, "a final came before any audio was sent"
    assert final.ledger is not None, "every final carries a ledger"
    return FinalSeen(final.text, final.start_s, final.end_s, (final.received_at_s - sent_at_s) * 1000, final.ledger)


async def speak_all(
    server: Server, parts: Sequence[Part], *, streams: int, interim_results: bool, spoken: Callable[[], None]
) -> list[Spoken]:
    """Every clip once, `streams` at a time: a stream that is done takes the next clip. In the order in which they ended."""
    waiting = deque(parts)
    results: list[Spoken] = []

    async def speaker(number: int) -> None:
        await asyncio.sleep(number * STAGGER_S)
        while waiting:
            results.append(await speak(server, waiting.popleft(), interim_results=interim_results))
            spoken()

    async with asyncio.TaskGroup() as group:
        for number in range(streams):
            group.create_task(speaker(number))
    return results
