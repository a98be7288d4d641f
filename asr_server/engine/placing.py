"""From token times to word times. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from asr_server.engine.guard import HeardWord
from asr_server.engine.tokens import TokenWord
from asr_server.transcript import Word
from audio_norm import Normalized, Span

RATE_HZ = 16_000
FRAME_SAMPLES = 160  # one frame of features, 10 ms
STATE_SAMPLES = 2 * FRAME_SAMPLES  # one encoder state
STATE_S = STATE_SAMPLES / RATE_HZ


@dataclass(frozen=True, slots=True)
class PlacedWord:
    """A word with its place in the audio given to the engine, in seconds."""

    word: TokenWord
    start_s: float
    end_s: float
    log_probability: float
    """Sum over its tokens."""

    @property
    def tokens(self) -> int:
        return self.word.end_token - self.word.first_token

    @property
    def confidence(self) -> float:
        """Geometric mean of the probabilities of the word's tokens."""
        return math.exp(self.log_probability / self.tokens)

    @property
    def heard(self) -> HeardWord:
        return HeardWord(self.word.text, self.tokens, self.start_s, self.end_s)


def place(words: Sequence[TokenWord], path: Sequence[tuple[int, int]], probabilities: Sequence[float]) -> tuple[PlacedWord, ...]:
    """Place `words` by an alignment `path` of (token, encoder state) pairs, in order; its last token is the end of text.

    `probabilities` are those of the tokens.
    """
    begins: dict[int, int] = {}
    for token, state in path:
        begins.setdefault(token, state)
    last = path[-1][1] if path else 0
    logs = [math.log(max(probability, 1e-10)) for probability in probabilities]
    return tuple(
        PlacedWord(
            word,
            start_s=begins.get(word.first_token, last) * STATE_S,
            end_s=begins.get(word.end_token, last) * STATE_S,
            log_probability=sum(logs[word.first_token : word.end_token]),
        )
        for word in words
    )


def from_stream(position: int, audio: Normalized) -> int:
    """Where in the samples of `audio` a position of the stream is; in a pause that was cut out, where the pause was."""
    return sum(min(max(position - span.start_sample, 0), len(span)) for span in audio.kept)


def cut_before(sample: int, audio: Normalized) -> Normalized:
    """`audio` without its first `sample` samples."""
    kept, before = [], 0
    for span in audio.kept:
        start = span.start_sample + min(max(sample - before, 0), len(span))
        if start < span.end_sample:
            kept.append(Span(start, span.end_sample))
        before += len(span)
    samples = audio.samples[sample:]
    return replace(audio, samples=samples, kept=tuple(kept), speech_samples=min(audio.speech_samples, len(samples)))


def to_word(placed: PlacedWord, audio: Normalized) -> Word:
    """The word in the stream that `audio` was cut from. The margin is no part of it: times end with the audio."""
    start = min(int(placed.start_s * RATE_HZ), len(audio.samples) - 1)
    end = min(max(int(placed.end_s * RATE_HZ), start + 1), len(audio.samples))
    # Through the last sample in the word: the position after it may lie beyond a pause that was cut out.
    return Word(placed.word.text, audio.to_stream(start), audio.to_stream(end - 1) + 1, placed.confidence)
