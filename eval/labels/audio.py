"""What the recordings of a manifest are like, and where they leave the data definition or contradict what the manifest says of them."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from asr_server.accuracy.manifest import Clip
from asr_server.accuracy.normalize import is_spaceless
from audio_norm import DataDefinition, Inspection, inspect_audio
from eval.audio import read_frames
from eval.labels.findings import Check, Finding, Severity
from eval.labels.sounds import Sound, sound_of

LONGEST_S = 30
"""What one window of the recogniser holds."""
LOUDNESS_DISTANCE_DB = 12.0
"""Further from the target the level is worth a look: a factor of four."""
LARGEST_CLIPPED_RATIO = 0.001
"""Above one sample in a thousand at full scale, the tops of many waves are missing."""
DURATION_TOLERANCE_S = 0.05
LEAST_SPEECH_S = 0.5
"""With less speech a rate says nothing."""
LEAST_LETTERS = 4
"""The same: "a" and "x" may be as long as a word."""
LETTERS_PER_S = (4.0, 30.0)
"""Letters a second of speech. In 200 recordings of read and prompted speech they are from 6.6 to 20.2, half above 13.8."""
CHARACTERS_PER_S = (1.5, 12.0)
"""The same where a character is a syllable or a word (Chinese, Japanese), of which people say 4 to 8 a second."""
LETTERS_PER_DIGIT = 4
"""A digit is read as a word of about four letters."""


@dataclass(frozen=True, slots=True)
class Listened:
    """One clip with what its audio is like."""

    clip: Clip
    audio: Inspection
    sound: Sound

    @property
    def speech_s(self) -> float:
        return self.audio.speech_ratio * self.audio.duration_s


def listen(clip: Clip, definition: DataDefinition) -> Listened:
    """Raises ManifestError or AudioError for a file that is not audio."""
    frames, rate_hz = read_frames(clip)
    return Listened(clip, inspect_audio(frames, rate_hz, definition), sound_of(frames, rate_hz))


def declared_rates_hz(manifest: Path) -> dict[str, int]:
    """What a manifest that `read_manifest` takes says in `sample_rate` (or `sample_rate_hz`), by id."""
    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines() if line.strip()]
    rates = {
        row.get("id") or row.get("audio") or row.get("audio_filepath"): row.get("sample_rate", row.get("sample_rate_hz")) for row in rows
    }
    return {clip: rate for clip, rate in rates.items() if isinstance(rate, int) and not isinstance(rate, bool)}


@dataclass(frozen=True, slots=True)
class _Question:
    """Asked of every recording; the answer is what is wrong, or None."""

    name: str
    severity: Severity
    ask: Callable[[Listened], str | None]


def audio_checks(listened: Sequence[Listened], definition: DataDefinition, rates_hz: Mapping[str, int]) -> list[Check]:
    """`rates_hz`: sample rates the manifest declares, by id."""
    questions = [
        _Question("text without speech", "error", _text_without_speech),
        _Question("declared duration wrong", "error", _wrong_duration),
        _Question("declared sample rate wrong", "error", lambda one: _wrong_rate(one, rates_hz)),
        _Question("speech without text", "warning", _speech_without_text),
        _Question("speech rate implausible", "warning", _implausible_rate),
        _Question("clipped", "warning", _clipped),
        _Question("rejected by the definition", "warning", _rejected),
        _Question(f"longer than {LONGEST_S} s", "warning", _too_long),
        _Question(f"over {LOUDNESS_DISTANCE_DB:g} dB from the target loudness", "note", lambda one: _loudness(one, definition)),
        _Question("silence before", "note", lambda one: _silence(one.audio.leading_silence_s, definition.silence.keep_before_ms)),
        _Question("silence after", "note", lambda one: _silence(one.audio.trailing_silence_s, definition.silence.keep_after_ms)),
    ]
    return [Check(question.name, question.severity, len(listened), tuple(_answers(question, listened))) for question in questions]


def _answers(question: _Question, listened: Iterable[Listened]) -> list[Finding]:
    answers = ((one, question.ask(one)) for one in listened)
    return [Finding((one.clip.id,), answer) for one, answer in answers if answer is not None]


def _text_without_speech(one: Listened) -> str | None:
    if one.clip.text.strip() and one.speech_s == 0:
        return f"{one.audio.duration_s:.2f} s without speech, text: {one.clip.text}"
    return None


def _speech_without_text(one: Listened) -> str | None:
    return f"{one.speech_s:.2f} s of speech and no text" if not one.clip.text.strip() and one.speech_s > 0 else None


def _wrong_duration(one: Listened) -> str | None:
    declared_s = one.clip.duration_s
    if declared_s is None or abs(declared_s - one.audio.duration_s) <= DURATION_TOLERANCE_S:
        return None
    return f"the manifest says {declared_s:.2f} s, the file has {one.audio.duration_s:.2f} s"


def _wrong_rate(one: Listened, rates_hz: Mapping[str, int]) -> str | None:
    declared_hz = rates_hz.get(one.clip.id, one.audio.rate_hz)
    return f"the manifest says {declared_hz} Hz, the file has {one.audio.rate_hz} Hz" if declared_hz != one.audio.rate_hz else None


def _implausible_rate(one: Listened) -> str | None:
    letters, speech_s = _letters(one.clip.text), one.speech_s
    if letters < LEAST_LETTERS or speech_s < LEAST_SPEECH_S:
        return None
    lowest, highest = CHARACTERS_PER_S if is_spaceless(one.clip.language) else LETTERS_PER_S
    rate = letters / speech_s
    return None if lowest <= rate <= highest else f"{rate:.1f} letters a second of speech: {letters} in {speech_s:.2f} s"


def _letters(text: str) -> int:
    return sum(LETTERS_PER_DIGIT if character.isdigit() else character.isalpha() for character in text)


def _clipped(one: Listened) -> str | None:
    ratio = one.audio.clipped_ratio
    return f"{ratio:.2%} of the samples at full scale" if ratio > LARGEST_CLIPPED_RATIO else None


def _rejected(one: Listened) -> str | None:
    """What has a check of its own, text without speech, is not told twice."""
    reason = one.audio.rejected
    return None if reason is None or reason == "no_speech" else f"rejected: {reason}"


def _too_long(one: Listened) -> str | None:
    return f"{one.audio.duration_s:.1f} s" if one.audio.duration_s > LONGEST_S else None


def _loudness(one: Listened, definition: DataDefinition) -> str | None:
    loudness_lufs, target_lufs = one.audio.loudness_before_lufs, definition.loudness.target_lufs
    if loudness_lufs is None or abs(loudness_lufs - target_lufs) <= LOUDNESS_DISTANCE_DB:
        return None
    return f"{loudness_lufs:.1f} LUFS, the target is {target_lufs:g}"


def _silence(found_s: float | None, kept_ms: int) -> str | None:
    if found_s is None or found_s * 1_000 <= kept_ms:
        return None
    return f"{found_s:.2f} s of silence, {kept_ms / 1_000:g} s are kept"
