"""Deliberately broken copies of what makes the texts: each is an ordinary fault of a release, and must be caught."""

from dataclasses import replace

from asr_server.engine.cost import CostModel
from asr_server.engine.engine import DecodeOptions, Decoding, Engine, Release
from audio_norm import Frames, Normalized
from eval.by_engine import Preparation


class LastWordDropped:
    """An engine that stops one word early."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def release(self) -> Release:
        return self._engine.release

    @property
    def languages(self) -> tuple[str, ...]:
        return self._engine.languages

    @property
    def cost(self) -> CostModel:
        return self._engine.cost

    def decode(self, audio: Normalized, options: DecodeOptions) -> Decoding:
        decoding = self._engine.decode(audio, options)
        best = [replace(one, text=" ".join(one.text.split()[:-1])) for one in decoding.hypothesis.alternatives]
        return replace(decoding, hypothesis=replace(decoding.hypothesis, alternatives=tuple(best)))


class Amplified:
    """A preparation whose samples come out at another level than it says."""

    def __init__(self, prepared: Preparation, gain_db: float) -> None:
        self._prepared = prepared
        self._factor = 10.0 ** (gain_db / 20.0)
        self.name = prepared.name

    def prepare(self, frames: Frames, rate_hz: int) -> list[Normalized]:
        windows = self._prepared.prepare(frames, rate_hz)
        return [replace(window, samples=(window.samples * self._factor).astype(window.samples.dtype)) for window in windows]


class CutShort:
    """A preparation that loses the end of every recording."""

    def __init__(self, prepared: Preparation, kept: float) -> None:
        """`kept`: the share of the recording that is left."""
        self._prepared = prepared
        self._kept = kept
        self.name = prepared.name

    def prepare(self, frames: Frames, rate_hz: int) -> list[Normalized]:
        return self._prepared.prepare(frames[: round(len(frames) * self._kept)], rate_hz)
