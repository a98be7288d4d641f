"""Which features of a segment are watched: what they are called on its record, and what an operator should think of first."""

from collections.abc import Mapping
from dataclasses import dataclass

from asr_server.watch import attributes as names
from asr_server.watch.observer import Attribute, Attributes


@dataclass(frozen=True, slots=True)
class Feature:
    """A number of each segment."""

    name: str
    unit: str
    meaning: str
    """What it moves with."""

    @property
    def attribute(self) -> str:
        return f"{names.PROFILE}{self.name}"


FEATURES = (
    Feature("loudness_lufs", "LUFS", "microphones, their gain and distance"),
    Feature("peak_dbfs", "dBTP", "microphones and their gain"),
    Feature("clipped_ratio", "1", "gain that is too high"),
    Feature("noise_dbfs", "dBFS", "rooms, lines and microphones"),
    Feature("snr_db", "dB", "rooms, and the distance to the microphone"),
    Feature("bandwidth_hz", "Hz", "lines, codecs and rates"),
    Feature("tilt_db_per_octave", "dB", "microphones, codecs and voices"),
    Feature("gain_db", "dB", "what the data definition has to make good"),
    Feature("kept_ratio", "1", "pauses, and what the detector takes for speech"),
    Feature("speech_ratio", "1", "pauses, and what the detector takes for speech"),
    Feature("leading_silence_s", "s", "clients that cut the beginning, or send late"),
    Feature("trailing_silence_s", "s", "clients that cut the end"),
    Feature("duration_s", "s", "what is said, and where segments are closed"),
    Feature("words_per_s", "1/s", "speakers, and audio at a wrong rate"),
    Feature("log_probability", "1", "everything that makes recognition hard: a new domain, noise, another language"),
    Feature("no_speech_probability", "1", "noise taken for speech"),
    Feature("language_probability", "1", "other languages"),
    Feature("repetition", "1", "a decoder that does not stop"),
    Feature("empty", "1", "noise taken for speech, or speech that is not recognised"),
)

_BY_NAME: Mapping[str, Feature] = {feature.name: feature for feature in FEATURES}


def feature(name: str) -> Feature:
    return _BY_NAME[name]


def numbers_of(record: Attributes) -> dict[str, float]:
    """By name, of what could be measured."""
    found: dict[str, float] = {}
    for one in FEATURES:
        value: Attribute | None = record.get(one.attribute)
        if isinstance(value, int | float):
            found[one.name] = float(value)
    return found
