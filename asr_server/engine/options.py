"""How an engine is built."""

from collections.abc import Collection
from dataclasses import dataclass, field, fields, replace

from asr_server.engine.no_speech import NoSpeechRule

AUTO_LANGUAGES = (
    *("en", "zh", "de", "es", "ru", "ko", "fr", "ja", "pt", "tr", "pl", "ca", "nl", "ar", "sv", "it"),
    *("id", "hi", "fi", "vi", "he", "uk", "el", "ms", "cs", "ro", "da", "hu", "ta", "no", "th", "ur"),
)
"""Most of what Whisper was trained on. It guesses rare languages for short or accented speech of common ones."""

MAX_BATCH = 64


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How the engine is built; fixed for its life and part of its release."""

    device: str = "cpu"
    compute_type: str = "int8"
    workers: int = 2
    """Decodes at the same time."""
    threads_per_worker: int = 1
    max_batch: int = 1
    """Most that will be decoded together: what a batch costs is measured up to here."""
    beam_size: int = 5
    """Largest beam; a request for more gets this one."""
    margin_ms: int = 800
    """Silence encoded after the speech. tiny.en greedy, 81 clips: WER 8.4 with 640, 7.9 with 800, 8.1 with 1000; full context 7.8."""
    anchor_states: int = 100
    """Encoder states of silence appended after the margin; 0 for none."""
    full_context: bool = False
    """Encode 30 s always, as Whisper was trained: slow, for comparison."""
    no_speech: NoSpeechRule = field(default_factory=NoSpeechRule)
    auto_languages: tuple[str, ...] = AUTO_LANGUAGES
    """Between which languages "auto" chooses, as far as the model speaks them."""

    def __post_init__(self) -> None:
        if self.device not in {"cpu", "cuda", "auto"}:
            raise ValueError(f"device is {self.device!r}; accepted: cpu, cuda, auto")
        for name, lowest, highest in (
            ("workers", 1, 256),
            ("threads_per_worker", 1, 256),
            ("max_batch", 1, MAX_BATCH),
            ("beam_size", 1, 10),
            ("margin_ms", 0, 1000),
            ("anchor_states", 0, 1500),
        ):
            if not lowest <= getattr(self, name) <= highest:
                raise ValueError(f"{name} is {getattr(self, name)}; accepted: {lowest} to {highest}")

    def described(self, languages: Collection[str]) -> dict[str, str]:
        """Every option as text, for the release. `languages`: of the model."""
        spoken = replace(self, auto_languages=tuple(one for one in self.auto_languages if one in languages))
        return {option.name: _as_text(getattr(spoken, option.name)) for option in fields(spoken)}


def _as_text(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    if isinstance(value, NoSpeechRule):
        return " ".join(f"{part.name}={getattr(value, part.name):g}" for part in fields(value))
    return str(value)
