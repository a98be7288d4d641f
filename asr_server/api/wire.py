"""Wire messages to our values and back. Every rule of the .proto about a value that comes in is checked here, and nowhere else."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from google.protobuf.duration_pb2 import Duration

from asr_server.api.ledger import Ledger
from asr_server.api.limits import Limits
from asr_server.budget import LatencyBudget
from asr_server.engine.engine import DecodeOptions, Release
from asr_server.engine.worker import Decoded
from asr_server.errors import InvalidRequest
from asr_server.events import Eager, Final, Partial, Tier
from asr_server.pb import asr_pb2 as pb
from asr_server.presets import Preset, with_longest_segment, with_stop
from asr_server.session import SessionOptions
from asr_server.transcript import Word
from audio_norm import Encoding, WireFormat
from audio_norm.encoding import MAX_CHANNELS, MAX_RATE_HZ, MIN_RATE_HZ, OPUS, RAW

STABLE = 0.9
UNSTABLE = 0.1
EAGER = 1.0
AUTO = "auto"

ENCODINGS: Mapping[pb.RecognitionConfig.AudioEncoding, Encoding] = {
    pb.RecognitionConfig.LINEAR16: Encoding.LINEAR16,
    pb.RecognitionConfig.FLAC: Encoding.FLAC,
    pb.RecognitionConfig.MULAW: Encoding.MULAW,
    pb.RecognitionConfig.OGG_OPUS: Encoding.OGG_OPUS,
    pb.RecognitionConfig.WEBM_OPUS: Encoding.WEBM_OPUS,
    pb.RecognitionConfig.ALAW: Encoding.ALAW,
    pb.RecognitionConfig.FLOAT32: Encoding.FLOAT32,
}


@dataclass(frozen=True, slots=True)
class Served:
    """What this server serves, as far as requests are checked against it."""

    model: str
    languages: tuple[str, ...]
    default_language: str
    limits: Limits
    budget: LatencyBudget
    presets: tuple[Preset, ...]
    """The default one first."""
    max_beam_size: int = 5
    """Whatever the preset."""
    smaller_model: str = ""
    """Beside `model`; empty: none."""
    smaller_languages: tuple[str, ...] = ()

    def model_of(self, preset: Preset) -> str:
        """Which decodes finals that are in time, in the languages it speaks."""
        return self.smaller_model if preset.tier is Tier.SMALLER and self.smaller_model else self.model


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one caller asked for, checked."""

    format: WireFormat
    channel: int | None
    language_tag: str
    """As the caller wrote it; results carry it back, unless the language is detected."""
    session: SessionOptions
    decode: DecodeOptions
    budget: LatencyBudget
    speech_events: bool = False


class _Violations:
    """Collects everything that is wrong, so that a caller learns it at once."""

    def __init__(self) -> None:
        self._found: list[tuple[str, str]] = []

    def add(self, field: str, description: str) -> None:
        self._found.append((field, description))

    def check_range(self, field: str, value: int, low: int, high: int, unit: str, *, zero: bool = True) -> None:
        if not (low <= value <= high or (zero and value == 0)):
            self.add(field, f"{value} is not accepted: {'0 (default) or ' if zero and low > 0 else ''}{low} to {high} {unit}".rstrip())

    def raise_any(self) -> None:
        if self._found:
            raise InvalidRequest(*self._found)


def parse_streaming_config(message: pb.StreamingRecognitionConfig, served: Served) -> Wanted:
    """Raises `InvalidRequest` with every field that is wrong."""
    found = _Violations()
    if not message.HasField("config"):
        found.add("streaming_config.config", "is missing: it says how the audio is encoded")
    budget = _budget(message.latency_budget_ms, served, served.budget, found)
    preset = _preset(message.preset, served, served.presets[0], found)
    preset = replace(preset, session=_session(message.endpointing, preset.session, found))
    if message.eager_results and not preset.session.speculate_after_ms:
        found.add("eager_results", "is not accepted: this server recognises nothing before a segment is closed")
    wanted = _recognition(message.config, served, found, preset, budget)
    found.raise_any()
    return replace(
        wanted,
        session=replace(wanted.session, interim_results=message.interim_results, eager_results=message.eager_results),
        speech_events=message.enable_voice_activity_events,
    )


def parse_recognize(message: pb.RecognizeRequest, served: Served) -> Wanted:
    """Raises `InvalidRequest` with every field that is wrong."""
    found = _Violations()
    if not message.HasField("config"):
        found.add("config", "is missing: it says how the audio is encoded; {} detects it from a file's header")
    if not message.audio:
        found.add("audio", "is empty: a whole file or buffer is expected")
    unhurried = served.budget.scaled_to(max(served.budget.total_ms, served.limits.latency_budget_max_ms))
    budget = _budget(message.latency_budget_ms, served, unhurried, found)
    patient = next((preset for preset in served.presets if preset.name == "accurate"), served.presets[0])
    preset = _preset(message.preset, served, patient, found).without_waiting
    preset = replace(preset, session=_session(message.endpointing, preset.session, found))
    wanted = _recognition(message.config, served, found, preset, budget)
    found.raise_any()
    return wanted


def _budget(total_ms: int, served: Served, default: LatencyBudget, found: _Violations) -> LatencyBudget:
    limits = served.limits
    found.check_range("latency_budget_ms", total_ms, limits.latency_budget_min_ms, limits.latency_budget_max_ms, "ms")
    return served.budget.scaled_to(total_ms) if total_ms else default


def _preset(name: str, served: Served, default: Preset, found: _Violations) -> Preset:
    chosen = next((preset for preset in served.presets if preset.name == name), None) if name else default
    if chosen is None:
        found.add("preset", f"{name!r} is not known, accepted: {', '.join(preset.name for preset in served.presets)}, or unset")
    return chosen or default


def _session(message: pb.EndpointingConfig, defaults: SessionOptions, found: _Violations) -> SessionOptions:
    named = {
        "vad_stop_ms": (message.vad_stop_ms, 100, 5_000),
        "end_of_utterance_ms": (message.end_of_utterance_ms, 100, 10_000),
        "start_timeout_ms": (message.start_timeout_ms, 500, 600_000),
        "max_segment_ms": (message.max_segment_ms, 2_000, 28_000),
    }
    wrong = False
    for name, (value, low, high) in named.items():
        found.check_range(f"endpointing.{name}", value, low, high, "ms")
        wrong |= not (value == 0 or low <= value <= high)
    if wrong:
        return defaults
    session = defaults
    if message.max_segment_ms:
        session = with_longest_segment(session, message.max_segment_ms)
    if message.vad_stop_ms:
        # A longer VAD stop alone is a fair wish: the utterance then ends with it.
        session = with_stop(session, message.vad_stop_ms)
    if message.end_of_utterance_ms:
        if message.end_of_utterance_ms < message.vad_stop_ms:
            found.add("endpointing.end_of_utterance_ms", f"{message.end_of_utterance_ms} is below vad_stop_ms ({message.vad_stop_ms})")
            return defaults
        # Where the preset waits longer for the end of a segment, the utterance ends with it.
        session = replace(session, end_of_utterance_ms=max(message.end_of_utterance_ms, session.vad_stop_ms))
    return replace(session, start_timeout_ms=message.start_timeout_ms or session.start_timeout_ms)


def _recognition(message: pb.RecognitionConfig, served: Served, found: _Violations, preset: Preset, budget: LatencyBudget) -> Wanted:
    limits = served.limits
    encoding = ENCODINGS.get(message.encoding)
    if message.encoding and encoding is None:
        accepted = ", ".join(pb.RecognitionConfig.AudioEncoding.Name(number) for number in ENCODINGS)
        found.add("config.encoding", f"{message.encoding} is not known, accepted: {accepted}, or unset to detect it from the header")
    if message.sample_rate_hertz == 0 and encoding in RAW:
        found.add(
            "config.sample_rate_hertz", f"is missing: {encoding.name} has no header, name its rate, {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz"
        )
    if encoding not in OPUS:
        found.check_range("config.sample_rate_hertz", message.sample_rate_hertz, MIN_RATE_HZ, MAX_RATE_HZ, "Hz")
    found.check_range("config.audio_channel_count", message.audio_channel_count, 0, MAX_CHANNELS, "channels")
    highest_channel = max(message.audio_channel_count, 1) if message.audio_channel_count or encoding in RAW else MAX_CHANNELS
    if not 0 <= message.audio_channel <= highest_channel:
        found.add("config.audio_channel", f"{message.audio_channel} is not accepted: 0 (mean of all) or 1 to {highest_channel}")
    tier, speaks, languages = preset.tier, served.model, served.languages
    if message.model and message.model == served.smaller_model:
        tier, speaks, languages = Tier.ONLY_SMALLER, served.smaller_model, served.smaller_languages
    elif message.model == served.model:
        tier = Tier.MAIN
    elif message.model:
        held = ", ".join(name for name in (served.model, served.smaller_model) if name)
        found.add("config.model", f"{message.model!r} is not held here, accepted: {held}, or unset")
    found.check_range("config.max_alternatives", message.max_alternatives, 0, limits.max_alternatives, "")
    language = _language(message.language_code, served.default_language, languages, speaks, found)
    phrases = tuple(phrase for context in message.speech_contexts for phrase in context.phrases)
    if len(phrases) > limits.max_phrases:
        found.add("config.speech_contexts", f"{len(phrases)} phrases, accepted: {limits.max_phrases}")
    for phrase in phrases:
        if not phrase.strip() or len(phrase) > limits.max_phrase_chars:
            found.add(
                "config.speech_contexts.phrases",
                f"{phrase[:20]!r}... of {len(phrase)} characters, accepted: 1 to {limits.max_phrase_chars}, not blank",
            )
            break
    alternatives = max(message.max_alternatives, 1)
    return Wanted(
        format=WireFormat(encoding, message.sample_rate_hertz, message.audio_channel_count) if not found._found else WireFormat(None),
        channel=message.audio_channel or None,
        language_tag=message.language_code,
        session=preset.session,
        decode=DecodeOptions(
            language=language,
            beam_size=max(min(preset.beam_size, served.max_beam_size), alternatives),
            word_times=message.enable_word_time_offsets,
            max_alternatives=alternatives,
            tier=tier,
            phrases=phrases,
        ),
        budget=budget,
    )


def _language(tag: str, default: str, languages: tuple[str, ...], model: str, found: _Violations) -> str:
    primary = _primary(tag or default)
    if primary == AUTO:
        return AUTO if len(languages) > 1 else languages[0]
    if primary not in languages:
        found.add("config.language_code", f"{tag or default!r} is not spoken by {model}, accepted: {', '.join(languages)}, or auto")
    return primary


def _primary(tag: str) -> str:
    return tag.replace("_", "-").split("-")[0].lower()


# ------------------------------------------------------------------------------------------------------------------- going out


def offset(samples: int, rate_hz: int) -> Duration:
    """A position in the audio as the wire gives it."""
    duration = Duration()
    duration.FromMicroseconds(samples * 1_000_000 // rate_hz)
    return duration


def seconds(value_s: float) -> Duration:
    duration = Duration()
    duration.FromMilliseconds(round(value_s * 1000))
    return duration


def system_version(code: str, definition: tuple[str, str], release: Release) -> pb.SystemVersion:
    """`definition` is its version and digest."""
    return pb.SystemVersion(
        code=code,
        data_definition=definition[0],
        data_definition_digest=definition[1],
        model=release.model,
        weights_sha256=release.weights_sha256,
        options=dict(release.options),
    )


def partial_results(partial: Partial, wanted: Wanted, rate_hz: int) -> list[pb.StreamingRecognitionResult]:
    """The stable portion, then the rest; an empty portion is left out."""
    portions = ((partial.stable_text, STABLE), (partial.unstable_text, UNSTABLE))
    return [_result_so_far(partial, text, stability, wanted, rate_hz) for text, stability in portions if text]


def eager_result(eager: Eager, wanted: Wanted, rate_hz: int) -> pb.StreamingRecognitionResult:
    return _result_so_far(eager, eager.text, EAGER, wanted, rate_hz)


def _result_so_far(shown: Partial | Eager, text: str, stability: float, wanted: Wanted, rate_hz: int) -> pb.StreamingRecognitionResult:
    return pb.StreamingRecognitionResult(
        alternatives=[pb.SpeechRecognitionAlternative(transcript=text)],
        stability=stability,
        result_start_offset=offset(shown.start_sample, rate_hz),
        result_end_offset=offset(shown.end_sample, rate_hz),
        channel_tag=wanted.channel or 0,
        language_code=_language_out(shown.language, wanted),
        segment=shown.segment,
    )


def final_result(
    final: Final, wanted: Wanted, rate_hz: int, ledger: pb.Ledger, system: pb.SystemVersion, *, trace_id: str = "", segment_id: str = ""
) -> pb.StreamingRecognitionResult:
    hypothesis = final.hypothesis
    alternatives = [
        pb.SpeechRecognitionAlternative(transcript=alternative.text, confidence=alternative.confidence)
        for alternative in hypothesis.alternatives
    ]
    if wanted.decode.word_times and "words" not in ledger.degraded:
        alternatives[0].words.extend(_word(word, rate_hz) for word in hypothesis.words)
    return pb.StreamingRecognitionResult(
        alternatives=alternatives,
        is_final=True,
        stability=1.0,
        result_start_offset=offset(final.start_sample, rate_hz),
        result_end_offset=offset(final.end_sample, rate_hz),
        channel_tag=wanted.channel or 0,
        language_code=_language_out(hypothesis.language, wanted),
        segment=final.segment,
        ledger=ledger,
        system=system,
        trace_id=trace_id,
        segment_id=segment_id,
    )


def ledger_message(ledger: Ledger, decoded: Decoded) -> pb.Ledger:
    return pb.Ledger(
        budget_ms=round(ledger.budget.total_ms),
        response_ms=ledger.response_ms,
        slices=[
            pb.LedgerSlice(name=name, planned_ms=planned_ms, spent_ms=ledger.spent_ms[name]) for name, planned_ms in ledger.budget.slices()
        ],
        late=ledger.late,
        degraded=list(ledger.degraded),
        endpoint_wait_ms=ledger.endpoint_wait_ms,
        asr_predicted_ms=ledger.predicted_ms,
        beam_size=decoded.decoding.beam_size,
        guard=decoded.decoding.guard,
        audio_ms=round(decoded.audio_ms),
        phrases_used=decoded.decoding.phrases_used,
        speculated_ms=ledger.speculated_ms,
    )


def _word(word: Word, rate_hz: int) -> pb.WordInfo:
    return pb.WordInfo(
        start_time=offset(word.start_sample, rate_hz),
        end_time=offset(word.end_sample, rate_hz),
        word=word.text,
        confidence=word.confidence,
    )


def _language_out(language: str, wanted: Wanted) -> str:
    """As the caller wrote it, where it named one."""
    return wanted.language_tag if wanted.language_tag and _primary(wanted.language_tag) != AUTO else language
