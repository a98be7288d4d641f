"""A server that has been told what to answer: each answer when its position in the audio has arrived, or with the caller's Finalize."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from typing import Literal

from asr_server.api.client import Control
from asr_server.api.options import StreamOptions
from asr_server.api.results import Heard, LedgerView, Result, Slice, SpeechEvent
from asr_server.errors import CallFailed, ServerBusy

RATE_HZ = 8_000


def final(text: str, start_s: float, end_s: float, received_at_s: float = 0.0, ledger: LedgerView | None = None) -> Result:
    spent = ledger or LedgerView(500, 90, (Slice("asr", 300, 80),), beam_size=5)
    return Result(text, text, True, 1.0, 0, start_s, end_s, received_at_s, ledger=spent)


def partial(text: str, start_s: float, end_s: float, received_at_s: float = 0.0) -> Result:
    return Result(text, "", False, 0.1, 0, start_s, end_s, received_at_s)


def eager(text: str, start_s: float, end_s: float, received_at_s: float = 0.0) -> Result:
    return Result(text, text, False, 1.0, 0, start_s, end_s, received_at_s)


class FakeServer:
    """Answers with (seconds of audio after which to answer, what); counts calls that are open at a time."""

    def __init__(
        self,
        answers: Sequence[tuple[float, Heard]] = (),
        *,
        fails: bool = False,
        refuses: int = 0,
        retry_after_s: float | None = None,
        works: Callable[[float], object] = lambda heard_s: None,
    ) -> None:
        """`refuses`: so many calls before it has room, telling each to wait `retry_after_s`. `works`: called before it takes more audio,
        with how much of it was heard, to let a clock go on."""
        self._answers = answers
        self._fails = fails
        self._refuses = refuses
        self._retry_after_s = retry_after_s
        self._works = works
        self.heard_s: list[float] = []
        self.controls: list[Control] = []
        self.asked: list[StreamOptions] = []
        self.most_open = 0
        self._open = 0

    async def stream(self, audio: AsyncIterator[bytes | Control], options: StreamOptions | None = None) -> AsyncGenerator[Heard, None]:
        assert options is not None
        assert (options.sample_rate_hz, options.voice_activity_events) == (RATE_HZ, True)
        self.asked.append(options)
        if self._refuses:
            self._refuses -= 1
            raise ServerBusy("RESOURCE_EXHAUSTED", "no room", retry_after_s=self._retry_after_s)
        self._open += 1
        self.most_open = max(self.most_open, self._open)
        heard_bytes = 0
        waiting = list(self._answers)
        self._works(0.0)
        async for chunk in audio:
            if isinstance(chunk, Control):
                self.controls.append(chunk)
                while waiting and chunk is Control.FINALIZE:
                    yield waiting.pop(0)[1]
                continue
            heard_bytes += len(chunk)
            await asyncio.sleep(0)
            while waiting and heard_bytes / (2 * RATE_HZ) >= waiting[0][0]:
                yield waiting.pop(0)[1]
            if self._fails:
                raise CallFailed("INTERNAL", "broken")
            self._works(round(heard_bytes / (2 * RATE_HZ), 3))
        for _, answer in waiting:
            yield answer
        self.heard_s.append(heard_bytes / (2 * RATE_HZ))
        self._open -= 1


def utterance_ended(at_s: float) -> SpeechEvent:
    return SpeechEvent("end_of_utterance", at_s, 0.0)


def finalized(at_s: float, received_at_s: float) -> SpeechEvent:
    return SpeechEvent("finalized", at_s, received_at_s)


def settled(kind: Literal["eager_stood", "eager_withdrawn"], at_s: float) -> SpeechEvent:
    return SpeechEvent(kind, at_s, 0.0)
