"""Which data to collect: sentences from the slices of a run. Pure; every number in them is one of a slice."""

from collections.abc import Sequence

from eval.slices.kinds import WordKind
from eval.slices.slicing import LEAST_CLIPS, LEAST_SPEAKERS, Slice

MOST_SENTENCES = 6
"""Of those that are clear; as many again of those that are not."""
SAME_CLIPS = 0.5
"""Two slices that share this much of their clips (of all clips in either) tell the same story: the second is not told."""
LEAST_EXCESS_ERRORS = 1.0
"""Fewer are not worth a recording."""

_TASKS = {
    "set": 'Collect recordings like the set "{}"',
    "language": "Collect speech in {}",
    "speaker": "Listen to speaker {}",
    "condition": "Collect recordings of the condition {}",
}
"""What to do, by dimension; of the audio's dimensions the slice says it itself."""


def advice(slices: Sequence[Slice], kinds: Sequence[WordKind] = ()) -> list[str]:
    """In the order of the slices; what is clear before what only might be. Slices that cannot be measured are no data to collect; what
    lies within a slice that was told need not be found out."""
    worse = [one for one in slices if one.excess_errors >= LEAST_EXCESS_ERRORS and not one.slice.endswith("unknown")]
    clear = _different([one for one in worse if one.clear], ())[:MOST_SENTENCES]
    unclear = [one for one in worse if not one.clear and not any(set(one.clip_ids) <= set(other.clip_ids) for other in clear)]
    return [
        *(_collect(one) for one in clear),
        *(_words(kind) for kind in kinds if kind.clear),
        *(_find_out(one) for one in _different(unclear, clear)[:MOST_SENTENCES]),
    ]


def _different(slices: Sequence[Slice], told: Sequence[Slice]) -> list[Slice]:
    """Those that tell another story than the ones told and the ones before them."""
    chosen: list[Slice] = []
    for one in slices:
        if not any(_shared(one, other) >= SAME_CLIPS for other in (*told, *chosen)):
            chosen.append(one)
    return chosen


def _shared(one: Slice, other: Slice) -> float:
    """Of all clips in either, the share in both."""
    these, those = set(one.clip_ids), set(other.clip_ids)
    return len(these & those) / len(these | those)


def _collect(one: Slice) -> str:
    cause = "; find what in the voice or the microphone makes it hard, and collect more of that" if one.dimension == "speaker" else ""
    return (
        f"{_task(one)}: {_clips(one)}, {_percent(one.share_of_errors)} of the errors in "
        f"{_percent(one.share_of_words)} of the words, {_against(one)}: {one.excess_errors:.0f} errors more than at the rate of the rest, "
        f"{one.sure_excess_errors:.0f} of them sure{cause}."
    )


def _find_out(one: Slice) -> str:
    if one.clips < LEAST_CLIPS:
        few = f"fewer than {LEAST_CLIPS} clips"
    elif one.speakers < LEAST_SPEAKERS and one.dimension != "speaker":
        few = f"fewer than {LEAST_SPEAKERS} speakers"
    else:
        few = "among so many slices it may be chance"
    return f"{_task(one)} to find out: {_clips(one)}, {_against(one)}, which is not clear yet ({few})."


def _words(kind: WordKind) -> str:
    return (
        f"Collect speech with {kind.kind}: {_percent(kind.rate)} of {kind.words} are wrong, of the other words {_percent(kind.rest_rate)}, "
        f"{kind.excess_errors:.0f} errors more than at the rate of the rest."
    )


def _task(one: Slice) -> str:
    return _TASKS.get(one.dimension, "Collect speech with {}").format(one.slice)


def _clips(one: Slice) -> str:
    return f"{one.clips} clip{'s' if one.clips != 1 else ''} of {one.speakers} speaker{'s' if one.speakers != 1 else ''}"


def _against(one: Slice) -> str:
    interval = f" ({_percent(one.ci95[0])} to {_percent(one.ci95[1])})" if one.ci95 else ""
    return f"WER {_percent(one.wer)}{interval} against {_percent(one.rest_wer)}"


def _percent(share: float | None) -> str:
    return "no" if share is None else f"{share * 100:.1f} %"
