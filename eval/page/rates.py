"""Error rates as rows of a page, read from the JSON of a run, and the axis they are drawn on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from asr_server.errors import WrongCall
from eval.result import RunResult

_AXIS_ENDS = (0.05, 0.1, 0.2, 0.3, 0.5, 1.0)


@dataclass(frozen=True, slots=True)
class Rate:
    """Errors of some clips, as shares of the reference's words or characters."""

    name: str
    unit: Literal["words", "characters"]
    clips: int
    of: int
    """Words, or characters, of the references."""
    rate: float | None
    low: float | None
    high: float | None
    """The 95 % interval."""
    substitutions: int
    deletions: int
    insertions: int

    @property
    def errors(self) -> int:
        return self.substitutions + self.deletions + self.insertions


@dataclass(frozen=True, slots=True)
class Silence:
    """Words heard in recordings in which nobody speaks."""

    words: int
    minutes: float
    clips: int
    with_words: int
    words_per_minute: float | None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A clip the recogniser was not meant for."""

    id: str
    set: str
    reason: str


@dataclass(frozen=True, slots=True)
class Rates:
    """All of a run. What is None was not in it."""

    words: Rate | None
    characters: Rate | None
    silence: Silence | None
    by_set: tuple[Rate, ...]
    by_language: tuple[Rate, ...]
    minutes: float
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True, slots=True)
class Axis:
    """From 0 to `end`, both shares. A few far-off rates do not squeeze the others: they are drawn up to the end, and marked."""

    end: float

    @property
    def middle_digits(self) -> int:
        """Decimals that the percentage half-way needs."""
        return 1 if self.end < 0.1 else 0

    def at(self, share: float) -> str:
        """Where it lies, as SVG wants it."""
        return f"{min(share / self.end, 1.0) * 100:.2f}%"

    def is_beyond(self, share: float) -> bool:
        return share > self.end


def rates_of(run: RunResult) -> Rates:
    """Raises WrongCall when the JSON lacks them."""
    fields = run.fields
    try:
        return Rates(
            words=_words("total", fields) if fields["clips"] else None,
            characters=_characters("total", fields["characters"]) if fields["characters"] else None,
            silence=Silence(**fields["silence"]) if fields["silence"] else None,
            by_set=_rows(fields["by_set"]),
            by_language=_rows(fields["by_language"]),
            minutes=float(fields["data"]["minutes"]),
            skipped=tuple(Skipped(**one) for one in fields["skipped"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WrongCall(f"{run.path} is not a result of this version's `python -m eval run`: {type(error).__name__}: {error}") from None


def axis_for(rates: Iterable[float | None]) -> Axis:
    """One on which at least three quarters of the rates have a place, up to 100 %."""
    found = sorted(rate for rate in rates if rate is not None)
    wanted = found[(len(found) * 3 - 1) // 4] if found else 0.0
    return Axis(next((end for end in _AXIS_ENDS if end >= wanted), _AXIS_ENDS[-1]))


def _rows(by_name: Mapping[str, Mapping[str, Any]]) -> tuple[Rate, ...]:
    rows: list[Rate] = []
    for name, fields in by_name.items():
        if fields["clips"]:
            rows.append(_words(name, fields))
        if fields["characters"]:
            rows.append(_characters(name, fields["characters"]))
    return tuple(rows)


def _words(name: str, fields: Mapping[str, Any]) -> Rate:
    return _rate(name, "words", fields, int(fields["words"]), fields["wer"])


def _characters(name: str, fields: Mapping[str, Any]) -> Rate:
    return _rate(name, "characters", fields, int(fields["characters"]), fields["cer"])


def _rate(name: str, unit: Literal["words", "characters"], fields: Mapping[str, Any], of: int, rate: float | None) -> Rate:
    bounds: Sequence[float | None] = fields["ci95"] or (None, None)
    low, high = bounds
    return Rate(name, unit, int(fields["clips"]), of, rate, low, high, int(fields["S"]), int(fields["D"]), int(fields["I"]))
