"""What a recogniser says: words and hypotheses, with what it cost. Knows nothing of how it was recognised or who asked.

All times here are samples of the 16 kHz conditioned audio, counted from the first sample of the *stream*.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Word:
    """One word as it should be shown, punctuation attached, without surrounding space."""

    text: str
    start_sample: int
    end_sample: int
    confidence: float
    """Geometric mean of the probabilities of its tokens, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """One reading of a segment."""

    text: str
    confidence: float
    """Geometric mean of the token probabilities, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What was heard in one window of audio. `alternatives` is empty when nothing was."""

    alternatives: tuple[Alternative, ...] = ()
    words: tuple[Word, ...] = ()
    """Words of the best alternative; empty unless their places were asked for, or while they are still looked for."""
    language: str = "en"
    language_probability: float = 1.0
    no_speech_probability: float = 0.0
    log_probability: float = 0.0
    """Mean a token of the best alternative, end of text included."""
    rejected: str = ""
    """Why there is no text, when there is none: a rejection of the data definition or "no_speech"."""

    @property
    def text(self) -> str:
        return self.alternatives[0].text if self.alternatives else ""

    @property
    def confidence(self) -> float:
        return self.alternatives[0].confidence if self.alternatives else 0.0
