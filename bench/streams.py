"""Clips spoken to a server at the pace of speech, several at a time, and what came back when."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from asr_server.api.client import Control
from asr_server.api.clip import Clip as Audio
from asr_server.api.clip import SentTimes
from asr_server.api.options import StreamOptions
from asr_server.api.results import Heard, LedgerView, Result
from asr_server.errors import AsrError, ServerBusy
from bench.pace import Lag, Microphone
from bench.partials import Shown
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
    speech_start_s: float = 0.0


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
    lags: tuple[Lag, ...]
    """Of each chunk that was sent."""
    error: str = ""
    refused: bool = False
    """The error: the server had no room."""
    shown: tuple[Shown, ...] = ()
    """Every text, partials and finals, in the order in which they came."""

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
    """One clip into an open microphone, closed when the server says that the utterance is over. A call that is refused or fails is told
    in the result, with what came before."""
    microphone = Microphone(part.audio)
    options = StreamOptions(language_code=part.clip.language, interim_results=interim_results, voice_activity_events=True)
    texts: list[Result] = []
    error, refused = "", False
    try:
        async with aclosing(server.stream(microphone.chunks(), options.for_clip(part.audio))) as stream:
            async for heard in stream:
                if isinstance(heard, Result):
                    texts.append(heard)
                elif heard.kind == "end_of_utterance" and heard.at_s >= part.end.at_s:
                    microphone.close()
    except AsrError as failure:
        error, refused = str(failure), isinstance(failure, ServerBusy)
    finals = tuple(_seen(text, microphone.sent, part.end) for text in texts if text.is_final)
    shown = tuple(_shown(text, microphone.sent, part.speech_start_s) for text in texts)
    return Spoken(part, finals, tuple(microphone.lags), error, refused, shown)


def _seen(final: Result, sent: SentTimes, end: SpeechEnd) -> FinalSeen:
    assert final.ledger is not None, "every final carries a ledger"
    return FinalSeen(final.text, final.start_s, final.end_s, _held_after_ms(final, sent, end.at_s), final.ledger)


def _shown(text: Result, sent: SentTimes, speech_start_s: float) -> Shown:
    # A position names the chunk with the sample before it: the first sample of speech is the one after.
    at_ms = _held_after_ms(text, sent, speech_start_s + 0.001)
    return Shown(text.segment, text.text, at_ms, _held_after_ms(text, sent, text.end_s), text.is_final)


def _held_after_ms(text: Result, sent: SentTimes, position_s: float) -> float:
    """From the moment the audio up to a position was sent until the text was here."""
    sent_at_s = sent.sent_at_s(position_s)
    assert sent_at_s is not None, "a text came before any audio was sent"
    return (text.received_at_s - sent_at_s) * 1000


async def speak_all(
    server: Server, parts: Sequence[Part], *, streams: int, interim_results: bool, spoken: Callable[[], None], stagger_s: float = STAGGER_S
) -> list[Spoken]:
    """Every clip once, `streams` at a time: a stream that is done takes the next clip. In the order in which they ended."""
    waiting = deque(parts)
    results: list[Spoken] = []

    async def speaker(number: int) -> None:
        await asyncio.sleep(number * stagger_s)
        while waiting:
            result = await speak(server, waiting.popleft(), interim_results=interim_results)
            results.append(result)
            spoken()
            if result.refused:
                # Nobody speaks faster for being refused: the clips left are not to be used up within one busy moment.
                await asyncio.sleep(result.part.audio.duration_s)

    async with asyncio.TaskGroup() as group:
        for number in range(streams):
            group.create_task(speaker(number))
    return results
