"""Slices, words and advice of a run as JSON. Pure."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from asr_server.accuracy.wer import ErrorCounts, total
from eval.result import RunResult
from eval.slices.advice import advice
from eval.slices.slicing import Slice, slices_of, spoken_clips
from eval.slices.words import WordAnalysis, analyse_words


@dataclass(frozen=True, slots=True)
class Analysis:
    """Everything `python -m eval slices` says of a run."""

    counts: ErrorCounts
    """Of the clips the slices are of."""
    clips: int
    other_clips: int
    """Of languages without word spaces or without speech: not in the slices."""
    slices: Sequence[Slice]
    words: WordAnalysis
    collect: Sequence[str]


def analyse(run: RunResult) -> Analysis:
    clips, slices, words = spoken_clips(run), slices_of(run), analyse_words(run)
    collect = advice(slices, words.kinds)
    return Analysis(total(clip.counts for clip in clips), len(clips), len(run.clips) - len(clips), slices, words, collect)


def as_json(analysis: Analysis) -> dict[str, object]:
    """Rates and shares from 0: 0.08 is 8 %."""
    return {
        "wer": _rounded(analysis.counts.rate),
        "words": analysis.counts.words,
        "errors": analysis.counts.errors,
        "clips": analysis.clips,
        "other_clips": analysis.other_clips,
        "audio": [slice_as_json(one) for one in analysis.slices],
        "word_errors": _rounded(asdict(analysis.words)),
        "collect": list(analysis.collect),
    }


def slice_as_json(one: Slice) -> dict[str, object]:
    """Without the clips' ids: they can be told from the run by the same rules."""
    fields = {name: _rounded(value) for name, value in asdict(one).items() if name != "clip_ids"}
    return {"dimension": fields.pop("dimension"), "slice": fields.pop("slice"), "clips": one.clips, **fields}


def _rounded(value: object) -> object:
    match value:
        case float():
            return round(value, 5)
        case dict():
            return {name: _rounded(one) for name, one in value.items()}
        case tuple() | list():
            return [_rounded(one) for one in value]
        case _:
            return value
