"""Which features of a segment are watched: what they are called, what kind of change they tell of, and what to think of first."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from asr_server.watch import attributes as names
from asr_server.watch.observer import Attribute, SegmentRecord
from asr_server.watch.segments import recognition_ms_of

Kind = Literal["audio", "text", "system"]
"""audio: what comes in. text: what is made of it, which audio moves too; alone it tells that the same audio means something else than it
did. system: how long that takes."""


@dataclass(frozen=True, slots=True)
class Feature:
    """A number of each segment."""

    name: str
    kind: Kind
    unit: str
    meaning: str
    """What it moves with."""


FEATURES = (
    Feature("loudness_lufs", "audio", "LUFS", "microphones, their gain and distance"),
    Feature("peak_dbfs", "audio", "dBTP", "microphones and their gain"),
    Feature("clipped_ratio", "audio", "1", "gain that is too high"),
    Feature("dc_offset", "audio", "1", "converters and sound cards"),
    Feature("noise_dbfs", "audio", "dBFS", "rooms, lines and microphones"),
    Feature("snr_db", "audio", "dB", "rooms, and the distance to the microphone"),
    Feature("bandwidth_hz", "audio", "Hz", "lines, codecs and rates"),
    Feature("tilt_db_per_octave", "audio", "dB", "microphones, codecs and voices"),
    Feature("gap_ratio", "audio", "1", "lost packets, muted microphones"),
    Feature("gain_db", "audio", "dB", "what the data definition has to make good"),
    Feature("loudness_after_lufs", "audio", "LUFS", "audio that the data definition cannot bring to its level"),
    Feature("kept_ratio", "audio", "1", "pauses, and what the detector takes for speech"),
    Feature("speech_ratio", "audio", "1", "pauses, and what the detector takes for speech"),
    Feature("leading_silence_s", "audio", "s", "clients that cut the beginning, or send late"),
    Feature("trailing_silence_s", "audio", "s", "clients that cut the end"),
    Feature("duration_s", "audio", "s", "what is said, and where segments are closed"),
    Feature("words_per_s", "audio", "1/s", "speakers, and audio at a wrong rate"),
    Feature("language_probability", "audio", "1", "other languages"),
    Feature("log_probability", "text", "1", "everything that makes recognition hard: a new domain, noise, another language"),
    Feature("no_speech_probability", "text", "1", "noise taken for speech"),
    Feature("repetition", "text", "1", "a decoder that does not stop"),
    Feature("empty", "text", "1", "noise taken for speech, or speech that is not recognised"),
    Feature("response_ms", "system", "ms", "load, the machine, a release"),
    Feature("rtf", "system", "1", "the machine, what runs beside the server, a release"),
    Feature("off_prediction", "system", "1", "the machine, what runs beside the server"),
)

BY_TEXTS = (
    Feature("word_errors", "text", "1", "what people say, by the texts they corrected"),
    Feature("second_opinion", "text", "1", "everything that makes recognition hard, by a second, wider search"),
)
"""Error rates, of which only some segments tell."""

_BY_NAME: Mapping[str, Feature] = {feature.name: feature for feature in (*FEATURES, *BY_TEXTS)}


def feature(name: str) -> Feature:
    return _BY_NAME[name]


def numbers_of(record: SegmentRecord) -> dict[str, float]:
    """By name, of what could be measured."""
    measured = {**{name.removeprefix(names.PROFILE): value for name, value in record.attributes.items()}, **_of_the_system(record)}
    found: dict[str, float] = {}
    for one in FEATURES:
        value: Attribute | None = measured.get(one.name)
        if isinstance(value, int | float):
            found[one.name] = float(value)
    return found


def _of_the_system(record: SegmentRecord) -> dict[str, Attribute]:
    """Of what somebody waited for: a file has another budget, and stands behind all others."""
    if names.PURPOSE in record.attributes:
        return {}
    told, recognition_ms = record.attributes, recognition_ms_of(record)
    found: dict[str, Attribute] = {}
    if names.RESPONSE_MS in told:
        found["response_ms"] = told[names.RESPONSE_MS]
    audio_s, predicted_ms = told.get(names.AUDIO_S), told.get(names.PREDICTED_MS)
    if recognition_ms is not None and isinstance(audio_s, float) and audio_s:
        found["rtf"] = recognition_ms / 1000 / audio_s
    if recognition_ms is not None and isinstance(predicted_ms, float) and predicted_ms:
        found["off_prediction"] = recognition_ms / predicted_ms
    return found
