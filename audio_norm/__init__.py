"""The data definition: the one set of rules that turns any incoming audio into what the recogniser sees. Knows no server."""

from audio_norm.decode import decode_bytes, decode_file, to_mono
from audio_norm.definition import (
    AudioRule,
    DataDefinition,
    RejectionRule,
    VadRule,
    load_definition,
    published_definitions,
)
from audio_norm.encoding import ChunkDecoder, Encoding, WireFormat
from audio_norm.errors import AudioError, CorruptAudio, DefinitionError, TooLong, UnsupportedAudio
from audio_norm.inspect import Inspection, inspect_audio
from audio_norm.intake import Intake, Positions, Taken
from audio_norm.loudness import LoudnessMeter, LoudnessRule, integrated_lufs, true_peak_dbtp
from audio_norm.pcm import Frames, Pcm, Samples, from_int16, to_int16
from audio_norm.profile import AudioProfile, audio_profile
from audio_norm.resample import Resampler, resample
from audio_norm.silence import GateRule, SilenceRule, SpeechGate, speech_spans, trim
from audio_norm.stream import Conditioned, Conditioner
from audio_norm.vad import SileroVad, Vad, WebRtcVad
from audio_norm.window import Normalized, Rejection, Span, SpeechWindow
from audio_norm.wire import open_decoder

__all__ = [
    "AudioError",
    "AudioProfile",
    "AudioRule",
    "ChunkDecoder",
    "Conditioned",
    "Conditioner",
    "CorruptAudio",
    "DataDefinition",
    "DefinitionError",
    "Encoding",
    "Frames",
    "GateRule",
    "Inspection",
    "Intake",
    "LoudnessMeter",
    "LoudnessRule",
    "Normalized",
    "Pcm",
    "Positions",
    "Rejection",
    "RejectionRule",
    "Resampler",
    "Samples",
    "SilenceRule",
    "SileroVad",
    "Span",
    "SpeechGate",
    "SpeechWindow",
    "Taken",
    "TooLong",
    "UnsupportedAudio",
    "Vad",
    "VadRule",
    "WebRtcVad",
    "WireFormat",
    "audio_profile",
    "decode_bytes",
    "decode_file",
    "from_int16",
    "inspect_audio",
    "integrated_lufs",
    "load_definition",
    "open_decoder",
    "published_definitions",
    "resample",
    "speech_spans",
    "to_int16",
    "to_mono",
    "trim",
    "true_peak_dbtp",
]
