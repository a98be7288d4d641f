"""Clips spoken to a server at the pace of speech, several at a time, and what came back when."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from asr_server.accuracy.manifest import Clip
from asr_server.api.client import Control
from asr_server.api.clip import Clip as Audio
from asr_server.api.options import StreamOptions
from asr_server.api.results import Heard, LedgerView, Result
from asr_server.errors import AsrError, ServerBusy
from bench.ending import End, Ending
from bench.pace import Lag, Microphone
from bench.partials import Shown, first_text_ms
from bench.speech_end import SpeechEnd

STAGGER_S = 0.37
"""Between the starts of streams, so that their chunks and pauses do not fall together."""

EARLY_MS = 250.0
"""Before the end of speech: what comes sooner was not made of its last words. `bench.speech_end` errs by less where it finds an end."""


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
class Ask:
    """What is asked of the server for each clip, and how the caller ends."""

    interim_results: bool = False
    eager_results: bool = False
    preset: str = ""
    """"": the server's."""
    end: End = End.SILENCE

    def options(self, part: Part) -> StreamOptions:
        wanted = StreamOptions(
            language_code=part.clip.language,
            interim_results=self.interim_results,
            voice_activity_events=True,
            preset=self.preset,
            eager_results=self.eager_results,
        )
        return wanted.for_clip(part.audio)


@dataclass(frozen=True, slots=True)
class EagerSeen:
    """A text that was told before its segment was closed."""

    segment: int
    text: str
    held_after_ms: float
    """As of a final."""


@dataclass(frozen=True, slots=True)
class FinalSeen:
    text: str
    start_s: float
    end_s: float
    held_after_ms: float
    """From the moment a microphone had the last speech sample of the clip to this final being here; below 0 for earlier segments."""
    ledger: LedgerView
    segment: int = 0
    model: str = ""
    """That decoded it."""


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
    eager: tuple[EagerSeen, ...] = ()
    """In the order in which they came."""
    eager_stood: int = 0
    """Of them, how many the finals began with."""
    answer_ms: float | None = None
    """From the caller's Finalize or half-close to the last final being here; None where the microphone stayed open or nothing came."""
    retry_after_s: float | None = None
    """What a server that refused asked to wait; None when it did not say."""

    @property
    def text(self) -> str:
        return " ".join(final.text.strip() for final in self.finals)

    @property
    def answers(self) -> tuple[FinalSeen, ...]:
        """Finals that somebody waited for: not parts of speech that went on, whose clock starts when their text is there already."""
        return tuple(
            final for number, final in enumerate(self.finals, 1) if final.ledger.endpoint_wait_ms > 0 or number == len(self.finals)
        )

    @property
    def ttfs_ms(self) -> float | None:
        """To the last final that began before the speech ended; None when there was none, when it was `early`, and when nothing was said.

        A little below 0 when the end of the speech is known no better than that.
        """
        return None if self.early else self._last_of_speech_ms

    @property
    def eager_ms(self) -> float | None:
        """To the eager text that is word for word the final that `ttfs_ms` is of; without one to that final. None where `ttfs_ms` is."""
        final = self._last_of_speech
        if final is None or self.ttfs_ms is None:
            return None
        alike = (eager.held_after_ms for eager in self.eager if (eager.segment, eager.text) == (final.segment, final.text))
        return min([*alike, final.held_after_ms])

    @property
    def first_text_ms(self) -> float | None:
        """To the first words shown; None when there were none, and when nothing was said."""
        return first_text_ms(self.shown) if self.said else None

    @property
    def said(self) -> bool:
        """There are words in the clip: whatever is heard in others was made up, and no time tells how quickly."""
        return bool(self.part.clip.text.strip())

    @property
    def early(self) -> bool:
        """The last final came clearly before the end of the speech: its last words were not answered. Never where that end is not known."""
        last_ms = self._last_of_speech_ms
        return last_ms is not None and last_ms < -EARLY_MS and self.part.end.known_by != "clip"

    @property
    def lost(self) -> bool:
        """Something was said and no final came."""
        return self.said and not self.finals

    @property
    def _last_of_speech_ms(self) -> float | None:
        return None if self._last_of_speech is None else self._last_of_speech.held_after_ms

    @property
    def _last_of_speech(self) -> FinalSeen | None:
        of_speech = [final for final in self.finals if final.start_s < self.part.end.at_s]
        return max(of_speech, key=lambda final: final.held_after_ms, default=None) if self.said else None


async def speak(
    server: Server,
    part: Part,
    ask: Ask,
    *,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Spoken:
    """One clip into an open microphone, closed when the server says that the utterance is over; or ended by the caller as `ask` has it. A
    call that is refused or fails is told in the result, with what came before.

    The clip begins when this is called, not when the server accepts or takes anything, and times count from when its samples were due: a
    server that is late for the audio is late for the text. `now`: the clock by which the server's texts are stamped.
    """
    microphone = Microphone(part.audio, now=now, sleep=sleep)
    ending = Ending(microphone, ask.end, part.end.at_s)
    texts: list[Result] = []
    eager_stood, error, refused, retry_after_s = 0, "", False, None
    try:
        async with aclosing(server.stream(ending.audio(), ask.options(part))) as stream:
            async for heard in stream:
                if isinstance(heard, Result):
                    texts.append(heard)
                elif heard.kind == "end_of_utterance" and heard.at_s >= part.end.at_s:
                    ending.close()
                elif heard.kind == "finalized":
                    ending.answered(heard.received_at_s)
                elif heard.kind == "eager_stood":
                    eager_stood += 1
        ending.answered(now())
    except ServerBusy as busy:
        error, refused, retry_after_s = str(busy), True, busy.retry_after_s
    except AsrError as failure:
        error = str(failure)
    finals = tuple(_seen(text, microphone, part.end) for text in texts if text.is_final)
    shown = tuple(_shown(text, microphone, part.speech_start_s) for text in texts if not text.is_eager)
    eager = tuple(EagerSeen(text.segment, text.text, _held_after_ms(text, microphone, part.end.at_s)) for text in texts if text.is_eager)
    answer_ms = None if error else ending.answer_ms(max((text.received_at_s for text in texts if text.is_final), default=None))
    return Spoken(part, finals, tuple(microphone.lags), error, refused, shown, eager, eager_stood, answer_ms, retry_after_s)


def _seen(final: Result, microphone: Microphone, end: SpeechEnd) -> FinalSeen:
    assert final.ledger is not None, "every final carries a ledger"
    held_after_ms = _held_after_ms(final, microphone, end.at_s)
    model = final.system.model if final.system is not None else ""
    return FinalSeen(final.text, final.start_s, final.end_s, held_after_ms, final.ledger, final.segment, model)


def _shown(text: Result, microphone: Microphone, speech_start_s: float) -> Shown:
    # A position names the chunk with the sample before it: the first sample of speech is the one after.
    at_ms = _held_after_ms(text, microphone, speech_start_s + 0.001)
    return Shown(text.segment, text.text, at_ms, _held_after_ms(text, microphone, text.end_s), text.is_final)


def _held_after_ms(text: Result, microphone: Microphone, position_s: float) -> float:
    """From the moment a microphone had the audio up to a position until the text was here."""
    return (text.received_at_s - microphone.due_at_s(position_s)) * 1000


async def speak_all(
    server: Server, parts: Sequence[Part], ask: Ask, *, streams: int, spoken: Callable[[], None], stagger_s: float = STAGGER_S
) -> list[Spoken]:
    """Every clip once, `streams` at a time: a stream that is done takes the next clip. In the order in which they ended."""
    waiting = deque(parts)
    results: list[Spoken] = []

    async def speaker(number: int) -> None:
        await asyncio.sleep(number * stagger_s)
        while waiting:
            result = await speak(server, waiting.popleft(), ask)
            results.append(result)
            spoken()
            if result.refused:
                # Nobody speaks faster for being refused: the clips left are not to be used up within one busy moment.
                await asyncio.sleep(result.part.audio.duration_s)

    async with asyncio.TaskGroup() as group:
        for number in range(streams):
            group.create_task(speaker(number))
    return results
