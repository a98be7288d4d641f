"""What is normal: the distribution of each feature over some segments, as mergeable sketches of some kB each, however many segments.

KLL sketches (Karnin, Lang, Liberty, "Optimal Quantile Approximation in Streams", FOCS 2016): with k = 1000 a rank is off by 0.0023 at most
in 99 of 100 cases.
"""

import base64
import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from datasketches import kll_floats_sketch

from asr_server.errors import BadSettings
from asr_server.watch.drift.expected import ErrorModel

SKETCH_K = 1_000
FORMAT = 1
_GRID = 1_000
_SHARES = [(number + 0.5) / _GRID for number in range(_GRID)]


@dataclass(frozen=True, slots=True)
class Origin:
    """Of which system the segments are, and which they were."""

    data_definition: str
    model: str
    weights_sha256: str
    source: str
    """How they were come by."""

    def __str__(self) -> str:
        return f"{self.model} ({self.weights_sha256[:12]}) with data definition {self.data_definition}"


@dataclass(slots=True)
class Reference:
    """May grow until it is used."""

    origin: Origin
    segments: int = 0
    error_model: ErrorModel | None = None
    """Where texts were known when it was made."""
    _sketches: dict[str, kll_floats_sketch] = field(default_factory=dict)
    _grids: dict[str, list[float]] = field(default_factory=dict)
    """Of those that have not grown since."""

    def add(self, numbers: Mapping[str, float]) -> None:
        """One more segment."""
        self.segments += 1
        self._grids.clear()
        for name, value in numbers.items():
            self._sketches.setdefault(name, kll_floats_sketch(SKETCH_K)).update(value)

    def merge(self, other: "Reference") -> None:
        """With what another process has seen of the same system. Raises ValueError when it is of another."""
        if (other.origin.data_definition, other.origin.weights_sha256) != (self.origin.data_definition, self.origin.weights_sha256):
            raise ValueError(f"a profile of {other.origin} cannot be merged into one of {self.origin}")
        self.segments += other.segments
        models = [model for model in (self.error_model, other.error_model) if model is not None]
        self.error_model = max(models, key=lambda model: model.words, default=None)
        self._grids.clear()
        for name, sketch in other._sketches.items():
            self._sketches.setdefault(name, kll_floats_sketch(SKETCH_K)).merge(sketch)

    def without(self, features: Iterable[str]) -> "Reference":
        """The same, but for these features."""
        left = {name: sketch for name, sketch in self._sketches.items() if name not in set(features)}
        return Reference(self.origin, self.segments, self.error_model, left)

    @property
    def features(self) -> tuple[str, ...]:
        return tuple(self._sketches)

    def count(self, feature: str) -> int:
        """Segments in which it was measured."""
        return int(self._sketches[feature].n)

    def ranks(self, feature: str, value: float) -> tuple[float, float]:
        """Share of segments below `value`, and share not above it, to within a thousandth: they differ where many have the same.

        Looked up among `_GRID` quantiles that are found once: asked of the sketch, it takes ten times as long.
        """
        grid = self._grids.get(feature)
        if grid is None:
            grid = self._grids[feature] = list(self.quantiles(feature, _SHARES))
        held = float(np.float32(value))  # as the sketch holds it: a third is not a third there
        return bisect_left(grid, held) / _GRID, bisect_right(grid, held) / _GRID

    def quantiles(self, feature: str, shares: Iterable[float]) -> tuple[float, ...]:
        return tuple(float(value) for value in self._sketches[feature].get_quantiles(list(shares)))

    def as_json(self) -> dict[str, Any]:
        return {
            "asr_profile": FORMAT,
            "origin": {name: getattr(self.origin, name) for name in Origin.__slots__},
            "segments": self.segments,
            "error_model": None if self.error_model is None else self.error_model.as_json(),
            "features": {name: base64.b64encode(sketch.serialize()).decode() for name, sketch in self._sketches.items()},
        }

    @classmethod
    def of_json(cls, told: Any) -> "Reference":  # noqa: ANN401 - whatever a file holds
        """What `as_json` gave. Raises one of many errors for anything else."""
        if told["asr_profile"] != FORMAT:
            raise ValueError(f"its format is {told['asr_profile']!r}, this server reads {FORMAT}")
        origin = Origin(**{name: str(told["origin"][name]) for name in Origin.__slots__})
        sketches = {name: kll_floats_sketch.deserialize(base64.b64decode(data, validate=True)) for name, data in told["features"].items()}
        model = told.get("error_model")
        return cls(origin, int(told["segments"]), None if model is None else ErrorModel.of_json(model), sketches)

    def write(self, path: Path) -> None:
        """Raises `BadSettings` where that cannot be."""
        try:
            path.write_text(json.dumps(self.as_json(), indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise BadSettings(f"cannot write {path}: {error.strerror or error}") from None


def read_reference(path: Path) -> Reference:
    """Raises `BadSettings`, naming what is wrong with the file."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(f"cannot read the reference profile {path}: {getattr(error, 'strerror', None) or error}") from None
    except ValueError:
        raise BadSettings(f"the reference profile {path} is not JSON") from None
    try:
        return Reference.of_json(told)
    except (KeyError, TypeError, AttributeError, ValueError, RuntimeError, IndexError) as error:
        raise BadSettings(f"{path} is not a reference profile: {error}") from None
