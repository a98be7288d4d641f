"""From a window to what is new in it: the engine's answer to a window that begins with speech it has told already.

Heard with the told words as the beginning of its text, the model knows what it goes on from. Sometimes it takes the whole for told and
says next to nothing more; the new audio is then heard alone as well, and the longer text holds.
"""

from dataclasses import dataclass, replace

from asr_server.engine.placing import RATE_HZ, cut_before
from asr_server.engine.reading import MAX_TOKENS, Read, Reader
from asr_server.engine.steps import Encoded, Reading, Steps, Task, encode
from audio_norm import Normalized

WINDOW_SAMPLES = 30 * RATE_HZ
"""What Whisper was trained on, and the most the encoder takes."""

MAX_SAID_TOKENS = MAX_TOKENS // 2
"""With more of the text forced there is no room for what follows."""

MIN_NEW_TOKENS_PER_S = 1.0
"""Fewer than this of new audio, and something was passed over."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What was made of `audio`, the window or the new part of it."""

    audio: Normalized
    encoded: Encoded
    read: Read
    no_speech: bool
    """What is new in it is not to be believed."""

    @property
    def best(self) -> Reading:
        return self.read.readings[0]

    @property
    def believed_tokens(self) -> int:
        return 0 if self.no_speech else len(self.best.new_tokens)


class Listener:
    """Immutable; may be used from several threads."""

    def __init__(self, reader: Reader, margin_samples: int) -> None:
        self._reader = reader
        self._margin_samples = margin_samples

    def encode(self, audio: Normalized) -> Steps[Encoded]:
        return encode(audio.samples, self._margin_samples)

    def hear(self, audio: Normalized, encoded: Encoded, task: Task) -> Steps[Heard]:
        """Read; if the text runs on, once more with full context."""
        read = yield from self._reader.read(encoded, task)
        if read.runs_on and self._margin_samples < WINDOW_SAMPLES:
            encoded = yield from encode(audio.samples, WINDOW_SAMPLES)
            read = replace((yield from self._reader.read(encoded, task)), guard="redecoded")
        new_s = encoded.audio_s - task.begun_s
        return Heard(audio, encoded, read, self._reader.is_no_speech(read.readings[0], read.no_speech_probability, new_s))

    def hear_new(self, audio: Normalized, encoded: Encoded, task: Task) -> Steps[Heard]:
        """What follows the text `task.begun`; there is audio of it after `task.begun_s`."""
        new_sample = round(task.begun_s * RATE_HZ)
        told: Heard | None = None
        if new_sample and 0 < len(task.begun) <= MAX_SAID_TOKENS:
            told = yield from self.hear(audio, encoded, task)
            if told.believed_tokens >= MIN_NEW_TOKENS_PER_S * (encoded.audio_s - task.begun_s):
                return told
        if new_sample:
            audio = cut_before(new_sample, audio)
            encoded = yield from self.encode(audio)
        alone = yield from self.hear(audio, encoded, replace(task, begun=(), begun_s=0.0))
        if told is not None and told.believed_tokens >= alone.believed_tokens:
            return told
        return replace(alone, read=replace(alone.read, guard="alone"))
