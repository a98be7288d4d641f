"""How a caller ends: with an open microphone until the server hears that the utterance is over, or by saying so at the end of speech."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from enum import StrEnum

from asr_server.api.client import Control
from bench.pace import ROUNDING_S, Microphone


class End(StrEnum):
    SILENCE = "silence"
    """The microphone stays open."""
    FINALIZE = "finalize"
    """The message Finalize; nothing more is said, and the call ends with the server's word that all is told."""
    HALF_CLOSE = "half_close"
    """No more messages: the call ends when all is told."""


@dataclass(slots=True)
class Ending:
    """Of one call, from its first chunk on."""

    microphone: Microphone
    end: End
    speech_end_s: float
    """In the clip. The chunk with this is the last, unless the microphone stays open."""
    sent_at_s: float | None = field(init=False, default=None)
    """When Finalize or the half-close went, by the microphone's clock: as soon as the last chunk was taken. None: neither did."""
    answered_at_s: float | None = field(init=False, default=None)
    """When the server said that nothing more comes of what was heard, by the same clock."""
    _over: asyncio.Event = field(init=False, default_factory=asyncio.Event)

    async def audio(self) -> AsyncGenerator[bytes | Control, None]:
        """What a call sends; its end half-closes the call."""
        async with aclosing(self.microphone.chunks()) as chunks:
            async for chunk in chunks:
                yield chunk
                if self.end is not End.SILENCE and self.microphone.sent_s >= self.speech_end_s - ROUNDING_S:
                    break
        if self.end is End.SILENCE:
            return
        self.sent_at_s = self.microphone.now()
        if self.end is End.FINALIZE:
            yield Control.FINALIZE
            with suppress(TimeoutError):
                async with asyncio.timeout(self.microphone.max_silence_s):
                    await self._over.wait()

    def close(self) -> None:
        """The utterance is over: nothing more goes."""
        self.microphone.close()
        self._over.set()

    def answered(self, at_s: float) -> None:
        """All that was heard has been told."""
        if self.sent_at_s is not None and self.answered_at_s is None:
            self.answered_at_s = at_s
        self.close()

    def answer_ms(self, last_final_at_s: float | None) -> float | None:
        """From Finalize or half-close to the last final being here, by the microphone's clock; where all finals had come before, to the
        server's word that no other comes. None where neither went, and where nothing came."""
        if self.sent_at_s is None:
            return None
        came_after = last_final_at_s is not None and last_final_at_s >= self.sent_at_s
        at_s = last_final_at_s if came_after else self.answered_at_s
        return None if at_s is None else (at_s - self.sent_at_s) * 1000
