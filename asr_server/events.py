"""What a session says. Frozen values; positions are samples of the 16 kHz conditioned audio from the first sample of the stream."""

from dataclasses import dataclass
from enum import Enum

from asr_server.transcript import Hypothesis
from audio_norm import SpeechWindow


class Purpose(Enum):
    """Why a decode is wanted; the order is the order of importance."""

    FINAL = 0
    SPECULATIVE = 1
    """Begun inside the silence: the final, if the speaker has stopped; else of no use."""
    OFFLINE = 2
    """A final of audio that is all there, such as a file: nobody listens for it."""
    PARTIAL = 3


class Tier(Enum):
    """By which model, where there are two, the main one and a smaller one."""

    MAIN = "main"
    ANY = "any"
    """The main one; partials by the smaller one, and what would be late otherwise."""
    SMALLER = "smaller"
    """The smaller one, in the languages that it speaks."""
    ONLY_SMALLER = "only smaller"
    """It was named."""


class WordPlaces(Enum):
    """When the places of words in the audio, their times and confidences, are wanted. To find them takes time once the text is known."""

    UNWANTED = "unwanted"
    AFTER = "after"
    """Later than the text, which is told without them: nobody waits for them, the next window will go on from them."""
    WITH = "with"
    """Together with the text, which is of no use without them."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a window begins with and has been told already: the engine hears it again, so that it knows what it goes on from."""

    words: tuple[str, ...]
    """As they were told, punctuation attached."""
    until_sample: int
    """Position in the stream where the audio of what follows begins."""


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    at_sample: int


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """Said when the segment is closed, about the last sample of its speech."""

    at_sample: int


@dataclass(frozen=True, slots=True)
class DecodeWanted:
    """The session wants `window` recognised and the hypothesis brought back through `accept(job, ...)`."""

    job: int
    segment: int
    purpose: Purpose
    window: SpeechWindow
    endpoint_wait_samples: int = 0
    """Silence between the end of speech and the moment of asking."""
    said: Said | None = None
    """What the window begins with; the answer is to hold only what follows."""
    word_places: WordPlaces = WordPlaces.UNWANTED
    """AFTER: they are brought back through `place(job, ...)`."""
    due_samples: int = 0
    """SPECULATIVE: more audio until the answer can be used."""


@dataclass(frozen=True, slots=True)
class DecodePromoted:
    """The speculative decode `job` has become the final of its segment: the server may answer from now on."""

    job: int
    endpoint_wait_samples: int
    """Silence between the end of speech and now."""
    segment: int


@dataclass(frozen=True, slots=True)
class DecodeUnwanted:
    """The answer to `job` is of no use any more; if it has not started it need not."""

    job: int


@dataclass(frozen=True, slots=True)
class Partial:
    """The text as it stands. `stable_text + unstable_text` is the whole; the stable part only ever grows."""

    segment: int
    start_sample: int
    end_sample: int
    stable_text: str
    unstable_text: str
    language: str


@dataclass(frozen=True, slots=True)
class Eager:
    """The text of a segment as it stands inside the silence: its final, unless the speaker goes on. `EagerSettled` tells."""

    segment: int
    start_sample: int
    end_sample: int
    text: str
    language: str


@dataclass(frozen=True, slots=True)
class EagerSettled:
    """Whether the eager text before was right: the next one, or the final, begins with it unchanged."""

    segment: int
    at_sample: int
    stood: bool


@dataclass(frozen=True, slots=True)
class Final:
    """The text of a segment. `hypothesis.text` begins with every stable text shown for it; it may be empty, then nothing is sent."""

    job: int
    segment: int
    start_sample: int
    end_sample: int
    hypothesis: Hypothesis
    stable_overruled: bool = False
    """The engine's final reading had changed words already shown as stable; those were kept."""


@dataclass(frozen=True, slots=True)
class UtteranceEnded:
    at_sample: int


@dataclass(frozen=True, slots=True)
class Finalized:
    """Everything before the `finalize` has been said."""

    at_sample: int


@dataclass(frozen=True, slots=True)
class StartTimedOut:
    at_sample: int


Event = (
    SpeechStarted
    | SpeechEnded
    | DecodeWanted
    | DecodePromoted
    | DecodeUnwanted
    | Partial
    | Eager
    | EagerSettled
    | Final
    | UtteranceEnded
    | Finalized
    | StartTimedOut
)
