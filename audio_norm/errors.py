"""What can be wrong with audio, as one tree. Every message is one line: what was wrong and what is accepted.

AudioError(ValueError)
+-- UnsupportedAudio        an encoding, rate or channel count that is not accepted, or that the header contradicts; `field` says which
+-- CorruptAudio            bytes that cannot be decoded
+-- TooLong                 more audio than the caller allows
+-- DefinitionError         a data definition file that is wrong
"""

from typing import Literal

AudioField = Literal["encoding", "sample_rate_hertz", "audio_channel_count", "audio_channel", "audio_content"]
"""Named as in the wire contract, so that a server can answer with the field it concerns."""


class AudioError(ValueError):
    """Base of all our errors. The message is for the user."""


class UnsupportedAudio(AudioError):
    """`field` has a value that is not accepted or that the header contradicts; `description` says what is accepted."""

    def __init__(self, field: AudioField, description: str) -> None:
        super().__init__(description)
        self.field: AudioField = field


class CorruptAudio(AudioError):
    pass


class TooLong(AudioError):
    pass


class DefinitionError(AudioError):
    pass
