"""When a recognised text is taken for no speech at all. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NoSpeechRule:
    """Three signs, any of which is enough. There is no list of phrases: what the model says over noise ("Thank you.") people say, too.

    Log probabilities are means a token, end of text included; `no_speech_probability` is the model's own.

    Measured on 4.6 min of noise and music, each recording given to the engine whole as if a detector had taken all of it for speech
    (a guitarist's "1 2 3 4" left out), beam 5, base / tiny.en: 4 / 1 words, before the rule 57 / 63. Of running speech nothing is lost,
    of the spoken commands of a second (95 / 183 clips in all) one with base ("two" greedy, "a" with a beam, both misheard); of lone
    digits cut to under 0.6 s, most of them misheard, about a third.
    """

    probable: float = 0.6
    """The model holds no speech for at least this probable ..."""
    probable_log_probability: float = -0.55
    """... and is no surer of its text than this."""
    certain: float = 0.8
    certain_log_probability: float = -0.3
    certain_tokens: int = 4
    """The same for a text of a few tokens. Longer ones are spared: spelled digits read 0.96 no speech, and are right."""
    unsure_log_probability: float = -1.4
    """A text as unsure as this is not worth showing, whatever the model says of speech."""
    sparse_tokens_per_second: float = 0.55
    sparse_log_probability: float = -0.5
    """Fewer tokens in the time than anyone speaks, and not sure of them."""

    def rejects(self, *, no_speech_probability: float, log_probability: float, tokens: int, audio_s: float) -> bool:
        """Whether `tokens` of text heard in `audio_s` of audio are to be dropped."""
        if tokens == 0 or log_probability < self.unsure_log_probability:
            return True
        if no_speech_probability > self.probable and log_probability < self.probable_log_probability:
            return True
        if no_speech_probability > self.certain and tokens <= self.certain_tokens and log_probability < self.certain_log_probability:
            return True
        return tokens < self.sparse_tokens_per_second * audio_s and log_probability < self.sparse_log_probability
