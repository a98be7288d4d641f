"""What a caller of the client may choose, as values, and how they are said on the wire."""

from dataclasses import dataclass, replace
from typing import Literal

from asr_server.api.clip import Clip
from asr_server.pb import asr_pb2 as pb

Encoding = Literal["", "LINEAR16", "FLOAT32", "MULAW", "ALAW", "FLAC", "OGG_OPUS", "WEBM_OPUS"]
"""By the names of the wire; "": detect from the header."""

Verdict = Literal["", "accepted", "rejected", "repeated", "switched_to_typing"]
"""What a user made of a text; "" is none."""


@dataclass(frozen=True, slots=True)
class ClientOptions:
    metadata: tuple[tuple[str, str], ...] = ()
    """Sent with every call, e.g. `("traceparent", "00-...")`, which the server's trace continues. Keys in lower case."""
    deadline_s: float | None = None
    """Longest a call may take, streams included. None: no limit."""
    open_attempts: int = 4
    open_time_limit_s: float = 10.0
    """No attempt is begun later than this after the first."""
    opening_wait_s: float = 0.25
    """How long a server that does not say that it accepted a stream is given to refuse it before audio is sent."""

    def __post_init__(self) -> None:
        if self.open_attempts < 1:
            raise ValueError(f"open_attempts is {self.open_attempts}, must be at least 1")
        for name in ("open_time_limit_s", "opening_wait_s"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name):g}, must not be negative")
        if self.deadline_s is not None and self.deadline_s <= 0:
            raise ValueError(f"deadline_s is {self.deadline_s:g}, must be positive, or None for no limit")
        for key, _ in self.metadata:
            if key != key.lower():
                raise ValueError(f"metadata key {key!r} must be in lower case")


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """How one stream is to be recognised. 0, "" and () mean the server's default; the server checks the values, this class their signs."""

    language_code: str = ""
    """BCP-47, or "auto" to detect."""
    model: str = ""
    interim_results: bool = True
    voice_activity_events: bool = False
    word_times: bool = False
    max_alternatives: int = 1
    phrases: tuple[str, ...] = ()
    preset: str = ""
    """"fast", "balanced" or "accurate"."""
    eager_results: bool = False
    vad_stop_ms: int = 0
    end_of_utterance_ms: int = 0
    start_timeout_ms: int = 0
    max_segment_ms: int = 0
    latency_budget_ms: int = 0
    encoding: Encoding = ""
    sample_rate_hz: int = 0
    channels: int = 0
    channel: int = 0
    """Which one to recognise, from 1; 0: the mean of all."""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if isinstance(value, int) and value < 0:
                raise ValueError(f"{name} is {value}, must not be negative")

    def for_clip(self, clip: Clip) -> "StreamOptions":
        """The same for the audio of `clip`."""
        return replace(self, encoding="LINEAR16", sample_rate_hz=clip.rate_hz, channels=clip.channels)

    def to_streaming_config(self) -> pb.StreamingRecognitionConfig:
        return pb.StreamingRecognitionConfig(
            config=self._config(),
            interim_results=self.interim_results,
            enable_voice_activity_events=self.voice_activity_events,
            endpointing=self._endpointing(),
            latency_budget_ms=self.latency_budget_ms,
            preset=self.preset,
            eager_results=self.eager_results,
        )

    def to_recognize_request(self, audio: bytes) -> pb.RecognizeRequest:
        return pb.RecognizeRequest(
            config=self._config(),
            audio=audio,
            latency_budget_ms=self.latency_budget_ms,
            endpointing=self._endpointing(),
            preset=self.preset,
        )

    def _config(self) -> pb.RecognitionConfig:
        return pb.RecognitionConfig(
            encoding=self.encoding or "ENCODING_UNSPECIFIED",
            sample_rate_hertz=self.sample_rate_hz,
            language_code=self.language_code,
            max_alternatives=self.max_alternatives,
            speech_contexts=[pb.SpeechContext(phrases=self.phrases)] if self.phrases else [],
            audio_channel_count=self.channels,
            enable_word_time_offsets=self.word_times,
            model=self.model,
            audio_channel=self.channel,
        )

    def _endpointing(self) -> pb.EndpointingConfig:
        return pb.EndpointingConfig(
            vad_stop_ms=self.vad_stop_ms,
            end_of_utterance_ms=self.end_of_utterance_ms,
            start_timeout_ms=self.start_timeout_ms,
            max_segment_ms=self.max_segment_ms,
        )
