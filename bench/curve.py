"""Error rate against time to final text: what every endpointing rule gives, by simulation. The product's own curve."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from asr_server.accuracy.manifest import Clip
from asr_server.accuracy.texts import text_errors
from asr_server.accuracy.wer import ErrorCounts
from asr_server.engine.engine import DecodeOptions
from asr_server.engine.planner import Workload
from asr_server.engine.whisper import WhisperEngine
from asr_server.events import DecodeWanted, Purpose, Tier, WordPlaces
from asr_server.presets import Preset
from asr_server.session import SessionOptions
from asr_server.transcript import Hypothesis
from audio_norm import DataDefinition, Normalized, SpeechWindow, Taken
from bench.quantiles import quantiles
from bench.simulate import Answer, Simulated, simulate

KEPT_ASIDE = 3
"""Of so many speakers one is kept aside: what was tuned on the others is told for it alone as well."""


@dataclass(frozen=True, slots=True)
class Point:
    """A named way to serve."""

    name: str
    session: SessionOptions
    beam_size: int
    tier: Tier = Tier.ANY

    @classmethod
    def of_preset(cls, preset: Preset) -> "Point":
        return cls(preset.name, preset.session, preset.beam_size, preset.tier)

    def varied(self, name: str, changes: Mapping[str, int | bool]) -> "Point":
        """The same with other options of the session, or another `beam_size`. Raises ValueError for a value that is not accepted."""
        beam = int(changes.get("beam_size", self.beam_size))
        if beam < 1:
            raise ValueError(f"beam_size is {beam}, must be at least 1")
        rest: dict[str, Any] = {key: value for key, value in changes.items() if key != "beam_size"}
        return replace(self, name=name, session=replace(self.session, **rest), beam_size=beam)


class ClipSimulator:
    """One clip under many rules. Decodes that several rules ask for are done once."""

    def __init__(
        self,
        chunks: list[Taken],
        language: str,
        engine: WhisperEngine,
        definition: DataDefinition,
        smaller: WhisperEngine | None = None,
    ) -> None:
        """`smaller`: decodes what a server with one beside `engine` has it decode, where it speaks the language."""
        self._smaller = smaller if smaller is not None and language in smaller.languages else None
        self._chunks = chunks
        self._language = language
        self._engine = engine
        self._definition = definition
        self._heard: dict[object, Hypothesis] = {}

    def run(self, point: Point) -> Simulated:
        return simulate(self._chunks, point.session, self._definition, lambda wanted: self._answer(wanted, point))

    def _answer(self, wanted: DecodeWanted, point: Point) -> Answer:
        is_partial = wanted.purpose is Purpose.PARTIAL
        by_smaller = self._smaller is not None and (is_partial or point.tier is Tier.SMALLER)
        engine = self._smaller if self._smaller is not None and by_smaller else self._engine
        beam_size = 1 if is_partial else point.beam_size
        options = DecodeOptions(language=self._language, beam_size=beam_size, said=wanted.said, word_places=wanted.word_places)
        normalized = self._definition.finish(wanted.window)
        took_ms = Workload.of(normalized, options, engine.options.margin_ms).predict_ms(engine.cost, beam_size, word_times=False)
        words_ms = engine.cost.align_ms if wanted.word_places is WordPlaces.AFTER else 0.0
        return Answer(0.0 if normalized.rejected else took_ms, lambda: self._hear(engine, wanted.window, normalized, options), words_ms)

    def _hear(self, engine: WhisperEngine, window: SpeechWindow, normalized: Normalized, options: DecodeOptions) -> Hypothesis:
        key = (engine.release.model, window.start_sample, window.end_sample, window.speech, options)
        if key not in self._heard:
            self._heard[key] = engine.decode(normalized, options).hypothesis
        return self._heard[key]


@dataclass(frozen=True, slots=True)
class ClipResult:
    clip: Clip
    speech_end_s: float
    simulated: Simulated


def is_kept_aside(clip: Clip) -> bool:
    """By speaker, so that no voice is on both sides."""
    return int(hashlib.sha256((clip.speaker or clip.id).encode()).hexdigest(), 16) % KEPT_ASIDE == 0


def summarize(point: Point, results: Sequence[ClipResult]) -> dict[str, Any]:
    """One point of the curve."""
    audio_s = sum(result.clip.duration_s or 0.0 for result in results)
    ttfs_ms = [ms for result in results if (ms := result.simulated.ttfs_ms(result.speech_end_s)) is not None]
    eager_ms = [ms for result in results if (ms := result.simulated.eager_ms(result.speech_end_s)) is not None]
    eager, stood = sum(len(r.simulated.eager) for r in results), sum(r.simulated.eager_stood for r in results)
    return {
        "name": point.name,
        "wer": _wer(results),
        "wer_tuned_on": _wer([result for result in results if not is_kept_aside(result.clip)]),
        "wer_kept_aside": _wer([result for result in results if is_kept_aside(result.clip)]),
        "ttfs_ms": quantiles(ttfs_ms),
        "eager": {"told": eager, "stood": stood, "ms": quantiles(eager_ms)} if point.session.eager_results else None,
        "finals": sum(len(result.simulated.finals) for result in results),
        "decodes": sum(result.simulated.decodes for result in results),
        "load": sum(result.simulated.busy_ms for result in results) / 1000 / audio_s if audio_s else None,
        "options": {name: getattr(point.session, name) for name in point.session.__slots__} | {"beam_size": point.beam_size},
    }


def _wer(results: Sequence[ClipResult]) -> float | None:
    counts = (text_errors(result.clip.text, result.simulated.text, result.clip.language) for result in results)
    return sum(counts, start=ErrorCounts.zero()).rate
