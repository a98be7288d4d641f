"""A comparison as JSON. Pure."""

from dataclasses import asdict

from eval.compare.changes import ClipChange, GivenChange, RateChange, SetChange, Shift, SilenceChange
from eval.compare.comparison import Comparison


def as_json(comparison: Comparison) -> dict[str, object]:
    """Rates and differences from 0: 0.01 is one point. `wer`, `characters`, `silence`, `given`: null where there is nothing to compare."""
    return {
        "failed_gates": [asdict(gate) for gate in comparison.failed_gates],
        "notes": list(comparison.notes),
        "tolerances": asdict(comparison.tolerances),
        "clips_in_both": comparison.clips_in_both,
        "wer": None if comparison.wer is None else _rate(comparison.wer),
        "characters": None if comparison.characters is None else _rate(comparison.characters),
        "silence": None if comparison.silence is None else _silence(comparison.silence),
        "given": None if comparison.given is None else _given(comparison.given),
        "sets": [_set(one) for one in comparison.sets],
        "clips": [_clip(one) for one in comparison.clips],
        "only_before": list(comparison.only_before),
        "only_after": list(comparison.only_after),
        "newly_failed": list(comparison.newly_failed),
        "systems": {
            "before": comparison.before.system.as_json(),
            "after": comparison.after.system.as_json(),
            "differences": [asdict(one) for one in comparison.differences],
        },
    }


def _rate(rate: RateChange) -> dict[str, object]:
    return {
        "before": _share(rate.before),
        "after": _share(rate.after),
        "difference": _share(rate.difference),
        "ci95": None if rate.ci95 is None else [_share(bound) for bound in rate.ci95],
        "p": _share(rate.p),
        "clips": rate.clips,
        "words": rate.words,
        "errors_before": rate.errors_before,
        "errors_after": rate.errors_after,
    }


def _set(one: SetChange) -> dict[str, object]:
    return {"set": one.set, "of": one.kind, **_rate(one.rate), "p_holm": _share(one.p_holm)}


def _clip(one: ClipChange) -> dict[str, object]:
    fields = asdict(one)
    return {"id": fields.pop("id"), "set": fields.pop("set"), "of": fields.pop("kind"), "change": one.change, **fields}


def _silence(change: SilenceChange) -> dict[str, object]:
    """Words a minute, and what they are of."""
    rates = {"before": _share(change.before), "after": _share(change.after), "difference": _share(change.difference)}
    return {**rates, **asdict(change), "minutes": round(change.minutes, 3)}


def _given(change: GivenChange) -> dict[str, object]:
    return {"loudness_lu": None if change.loudness_lu is None else _shift(change.loudness_lu), "length": _shift(change.length)}


def _shift(shift: Shift) -> dict[str, object]:
    return {**asdict(shift), "median": round(shift.median, 4), "median_absolute": round(shift.median_absolute, 4)}


def _share(value: float) -> float:
    return round(value, 5)
